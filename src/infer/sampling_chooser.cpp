#include "infer/sampling_chooser.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "infer/own_sampler.h"
#include "infer/prompt_lookup.h"
#include "infer/row_scores.h"
#include "ops/kernels/select.h"

namespace llmctl {
SamplingChooser::SamplingChooser(const GenerationRequest& request, std::int64_t positions,
                                 ChooserEvents events)
    : request_(request),
      options_(within(request.options, positions - std::ssize(request.prompt))),
      events_(std::move(events)),
      samples_(static_cast<std::size_t>(request.samples)),
      results_(samples_.size()),
      rows_(samples_.size()) {
  for (Sample& sample : samples_) sample.seen = request_.prompt;
  std::iota(rows_.begin(), rows_.end(), std::size_t{0});
}

std::optional<std::vector<DeviceChoice>> SamplingChooser::choices() const {
  const bool filters =
      options_.typical_p < 1 || options_.epsilon_cutoff > 0 || options_.eta_cutoff > 0;
  if (request_.logprobs || (options_.do_sample && filters)) return std::nullopt;
  std::vector<DeviceChoice> choices;
  std::int64_t position = 0;
  for (const std::size_t s : rows_) {
    const Sample& sample = samples_[s];
    for (std::size_t at = 0; at <= sample.draft.size(); ++at) {
      if (Sampler::penalizes(options_, new_tokens(sample) + static_cast<std::int64_t>(at))) {
        return std::nullopt;
      }
      DeviceChoice& choice = choices.emplace_back();
      choice.row = first_ ? 0 : position++;
      if (!options_.do_sample) continue;
      choice.draws = true;
      choice.temperature = options_.temperature;
      choice.top_k = options_.top_k;
      choice.top_p = options_.top_p;
      choice.min_p = options_.min_p;
      choice.uniform = Random(draw_key(s, sample.seen.size() + at)).uniform();
    }
  }
  return choices;
}

/// Of the draw of a sample's token behind so many.
RandomKey SamplingChooser::draw_key(std::size_t sample, std::size_t length) const {
  return random_key(options_.seed, "sampling", request_.stream + sample, length);
}

void SamplingChooser::choose(std::span<const RowLogits> rows) {
  at::parallel_for(0, std::ssize(rows_), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto r = static_cast<std::size_t>(begin); r < static_cast<std::size_t>(end); ++r) {
      choose_row(rows_[r], rows[first_ ? 0 : r]);
    }
  });
}

void SamplingChooser::choose_row(std::size_t index, const RowLogits& row) {
  Sample& sample = samples_[index];
  const std::vector<TokenId>& eos = options_.eos_token_ids;
  const std::size_t before = sample.seen.size();
  sample.chosen.clear();
  sample.logprobs.clear();
  sample.top.clear();
  for (std::size_t at = 0; at < row.count; ++at) {
    const TokenId id = choose_token(index, row, at);
    sample.chosen.push_back(id);
    const bool guessed = at < sample.draft.size() && sample.draft[at] == id;
    if (!guessed || std::find(eos.begin(), eos.end(), id) != eos.end()) break;
    sample.seen.push_back(id);  // the next position's choice sees it
  }
  sample.seen.resize(before);
}

TokenId SamplingChooser::choose_token(std::size_t index, const RowLogits& row,
                                      std::size_t position) {
  Sample& sample = samples_[index];
  TokenId id;
  if (!row.values) {
    id = row.chosen[first_ ? index : position];
  } else {
    const std::span<const float> logits = row.at(position);
    const std::int64_t so_far = new_tokens(sample);
    id = static_cast<TokenId>(kernels::index_of_largest(logits.data(), logits.size()));
    if (id >= 0 && Sampler::changes_logits(options_, so_far)) {
      id = own_sampler().choose(logits, options_, {sample.seen, so_far, request_.source},
                                draw_key(index, sample.seen.size()));
    }
    if (id >= 0 && request_.logprobs) {
      note_logprobs(logits, kernels::log_sum_exp(logits.data(), logits.size()), id,
                    *request_.logprobs, sample.logprobs, sample.top);
    }
  }
  if (id < 0) fail_not_finite(sample);
  return id;
}

void SamplingChooser::fail_not_finite(const Sample& sample) const {
  fail(ErrorCode::kInternal, "prompt ", request_.number, ", token ", sample.seen.size() + 1,
       ": the model's logits are not finite; its weights are damaged, or bf16 overflows (try "
       "fp32)");
}

const Step& SamplingChooser::advance() {
  step_.branches.clear();
  step_.kept.clear();
  const bool guessed = std::any_of(rows_.begin(), rows_.end(),
                                   [&](std::size_t s) { return !samples_[s].draft.empty(); });
  std::vector<std::size_t> going_on;
  for (std::size_t r = 0; r < rows_.size(); ++r) {
    Sample& sample = samples_[rows_[r]];
    // Of what was fed, the last chosen token is not part: it comes with the next step.
    if (guessed) step_.kept.push_back(sample.chosen.size());
    if (take(rows_[r])) {
      if (events_.end) events_.end(rows_[r], results_[rows_[r]]);
      continue;
    }
    const std::int64_t left = options_.max_new_tokens - new_tokens(sample) - 1;
    look_up_draft(sample.seen, options_.max_matching_ngram_size,
                  std::min(options_.prompt_lookup_num_tokens, left), sample.draft);
    step_.branches.push_back({first_ ? 0 : r, sample.seen.back(), sample.draft});
    going_on.push_back(rows_[r]);
  }
  rows_ = std::move(going_on);
  first_ = false;
  return step_;
}

/// Takes the chosen tokens into the sample's result; true when one ends the sample.
bool SamplingChooser::take(std::size_t index) {
  Sample& sample = samples_[index];
  GeneratedTokens& result = results_[index];
  const std::vector<TokenId>& eos = options_.eos_token_ids;
  for (std::size_t i = 0; i < sample.chosen.size(); ++i) {
    const TokenId id = sample.chosen[i];
    result.reason = FinishReason::kStop;
    if (std::find(eos.begin(), eos.end(), id) != eos.end()) return true;
    sample.seen.push_back(id);
    result.ids.push_back(id);
    if (i < sample.logprobs.size()) result.logprobs.push_back(sample.logprobs[i]);
    if (i < sample.top.size()) result.top_logprobs.push_back(std::move(sample.top[i]));
    if (events_.token && events_.token(index, id)) return true;
    const bool short_of_room = options_.max_new_tokens < request_.options.max_new_tokens;
    result.reason = short_of_room ? FinishReason::kPositions : FinishReason::kLength;
    if (new_tokens(sample) >= options_.max_new_tokens) return true;
  }
  return false;
}

std::int64_t SamplingChooser::new_tokens(const Sample& sample) const {
  return std::ssize(sample.seen) - std::ssize(request_.prompt);
}

}  // namespace llmctl
