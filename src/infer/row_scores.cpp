#include "infer/row_scores.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "infer/own_sampler.h"
#include "ops/kernels/select.h"

namespace llmctl {
namespace {

/// Where the forbidden ids have more of the probability than this, what they leave is summed anew.
constexpr double kMostForbidden = 0.5;

}  // namespace

bool RowScores::possible(TokenId id) const {
  return id >= 0 && id < std::ssize(values) &&
         std::isfinite(values[static_cast<std::size_t>(id)]) &&
         std::find(forbidden.begin(), forbidden.end(), id) == forbidden.end();
}

RowScorer::RowScorer(const SamplingOptions& options) : options_(options), others_(options) {
  others_.bad_words_ids.clear();
  others_.suppress_tokens.clear();
  others_.min_new_tokens = 0;
}

bool RowScorer::only_forbids(const RowSoFar& row, std::span<const TokenId> taken) const {
  return taken.empty() && !Sampler::changes_logits(others_, row.new_tokens);
}

void RowScorer::find_forbidden(const RowSoFar& row) {
  forbidden_ = options_.suppress_tokens;
  for (const std::vector<TokenId>& word : options_.bad_words_ids) {
    const std::size_t before = word.size() - 1;
    if (before <= row.ids.size() &&
        std::equal(word.begin(), word.end() - 1, row.ids.last(before).begin())) {
      forbidden_.push_back(word.back());
    }
  }
  if (row.new_tokens < options_.min_new_tokens) {
    forbidden_.insert(forbidden_.end(), options_.eos_token_ids.begin(),
                      options_.eos_token_ids.end());
  }
  std::sort(forbidden_.begin(), forbidden_.end());
  forbidden_.erase(std::unique(forbidden_.begin(), forbidden_.end()), forbidden_.end());
}

RowScores RowScorer::score(std::span<const float> logits, const RowSoFar& row,
                           std::span<const TokenId> taken) {
  RowScores scores;
  scores.norm = kernels::log_sum_exp(logits.data(), logits.size());
  if (std::isnan(scores.norm)) return scores;
  if (only_forbids(row, taken)) {
    find_forbidden(row);
    double share = 0;
    if (options_.beams.renormalize_logits) {
      for (const TokenId id : forbidden_) {
        if (id < 0 || id >= std::ssize(logits)) continue;
        share += std::exp(logits[static_cast<std::size_t>(id)] - scores.norm);
      }
    }
    if (share < kMostForbidden) {
      scores.values = logits;
      scores.offset = -scores.norm - std::log1p(-share);
      scores.forbidden = forbidden_;
      return scores;
    }
  }
  scores.values = own_sampler().scores(logits, options_, row, taken);
  return scores;
}

void note_logprobs(std::span<const float> logits, double norm, TokenId id, std::int64_t most,
                   std::vector<float>& logprobs, std::vector<std::vector<TokenLogprob>>& top) {
  const auto logprob = [&](TokenId token) {
    return static_cast<float>(logits[static_cast<std::size_t>(token)] - norm);
  };
  logprobs.push_back(logprob(id));
  const auto count = std::min(static_cast<std::size_t>(most), logits.size());
  if (count == 0) return;
  std::vector<TokenId> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto end = ids.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(ids.begin(), end, ids.end(), [&](TokenId a, TokenId b) {
    const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  });
  std::vector<TokenLogprob>& list = top.emplace_back();
  for (auto it = ids.begin(); it != end; ++it) list.push_back({*it, logprob(*it)});
}

}  // namespace llmctl
