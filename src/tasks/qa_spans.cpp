#include "tasks/qa_spans.h"

#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/signals.h"
#include "data/collate.h"
#include "models/inputs.h"
#include "tasks/bucketed_source.h"

namespace llmctl {
namespace {

/// Start and end logits [B, T] in fp32, -inf where the batch does not allow an answer.
std::pair<at::Tensor, at::Tensor> span_logits(Model& model, const Batch& batch,
                                              const Context& context) {
  const at::Tensor hidden = model.hidden(batch.input, context);
  // [B, T, D] → [B·T, D] → [B·T, 2] → [B, T, 2]
  const at::Tensor logits = model.head(hidden.reshape({-1, hidden.size(2)}), context)
                                .to(at::kFloat)
                                .reshape({hidden.size(0), hidden.size(1), 2});
  const at::Tensor refused = batch.extras.at("allowed").logical_not();
  const double lowest = -std::numeric_limits<double>::infinity();
  return {logits.select(2, 0).masked_fill(refused, lowest),
          logits.select(2, 1).masked_fill(refused, lowest)};
}

/// Sum over the rows of the cross-entropy of `gold` [B] under `logits` [B, T].
at::Tensor cross_entropy_sum(const at::Tensor& logits, const at::Tensor& gold) {
  return -at::log_softmax(logits, -1).gather(-1, gold.unsqueeze(-1)).sum();
}

/// An answer that competes for an item.
struct Candidate {
  double score = 0, start_logit = 0;
  std::size_t window = 0, first = 0, last = 0;  ///< positions in the window's row
};

/// Positions of the `count` largest values in [begin, end), best first.
std::vector<std::size_t> best_positions(const float* values, std::size_t begin, std::size_t end,
                                        std::size_t count) {
  std::vector<std::size_t> positions(end - begin);
  for (std::size_t i = begin; i < end; ++i) positions[i - begin] = i;
  count = std::min(count, positions.size());
  const auto better = [&](std::size_t a, std::size_t b) {
    return values[a] != values[b] ? values[a] > values[b] : a < b;
  };
  std::partial_sort(positions.begin(), positions.begin() + static_cast<std::ptrdiff_t>(count),
                    positions.end(), better);
  positions.resize(count);
  return positions;
}

/// The best answers of one item so far.
class Contest {
 public:
  void add(const QaWindow& window, std::size_t index, const float* start, const float* end,
           const SpanOptions& options) {
    const auto keep = static_cast<std::size_t>(options.n_best);
    const std::size_t first = window.offset, last = window.offset + window.count;
    if (const double none = static_cast<double>(start[0]) + end[0]; none < none_) {
      none_ = none;
      none_start_ = start[0];
    }
    for (std::size_t s : best_positions(start, first, last, keep)) {
      for (std::size_t e : best_positions(
               end, s, std::min(last, s + static_cast<std::size_t>(options.max_answer_tokens)),
               keep)) {
        candidates_.push_back({static_cast<double>(start[s]) + end[e], start[s], index, s, e});
      }
    }
    std::stable_sort(candidates_.begin(), candidates_.end(),
                     [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
    if (candidates_.size() > keep * keep) candidates_.resize(keep * keep);
  }

  SpanAnswer winner(const QaFeatures& features, const SpanOptions& options) const {
    // Overlapping windows bring the same answer more than once; its best score counts.
    std::vector<std::pair<ByteSpan, Candidate>> different;
    for (const Candidate& candidate : candidates_) {
      if (different.size() == static_cast<std::size_t>(options.n_best)) break;
      const ByteSpan span =
          features.text_span(features.windows()[candidate.window], candidate.first, candidate.last);
      if (span.begin == span.end) continue;
      const bool seen = std::any_of(different.begin(), different.end(),
                                    [&](const auto& other) { return other.first == span; });
      if (!seen) different.emplace_back(span, candidate);
    }
    SpanAnswer answer;
    const bool may_be_empty = options.may_be_empty || different.empty();
    const double best = different.empty() ? none_ : different[0].second.score;
    const bool empty =
        different.empty() || (may_be_empty && none_ - best > options.no_answer_margin);
    const double top = may_be_empty ? std::max(none_, best) : best;
    double total = may_be_empty ? std::exp(none_ - top) : 0;
    for (const auto& [span, candidate] : different) total += std::exp(candidate.score - top);
    answer.probability = std::exp((empty ? none_ : best) - top) / total;
    answer.null_difference = none_ - best;
    for (const auto& [span, candidate] : different) {
      const QaItem& item = features.data().items[features.windows()[candidate.window].item];
      const std::string& context = features.data().contexts[item.context];
      answer.n_best.push_back({context.substr(span.begin, span.end - span.begin),
                               std::exp(candidate.score - top) / total, candidate.start_logit,
                               candidate.score - candidate.start_logit});
    }
    if (!different.empty()) answer.best_text = answer.n_best.front().text;
    if (may_be_empty) {
      const SpanChoice none{"", std::exp(none_ - top) / total, none_start_, none_ - none_start_};
      const auto place = std::find_if(
          answer.n_best.begin(), answer.n_best.end(),
          [&](const SpanChoice& choice) { return choice.probability < none.probability; });
      answer.n_best.insert(place, none);
    }
    if (empty) return answer;
    answer.span = different[0].first;
    answer.text = answer.best_text;
    return answer;
  }

 private:
  double none_start_ = 0;
  double none_ =
      std::numeric_limits<double>::infinity();  ///< score of "no answer": the lowest of the windows
  std::vector<Candidate> candidates_;
};

}  // namespace

Batch collate_windows(const QaFeatures& features, std::span<const std::int64_t> windows) {
  std::vector<TokenRow> rows;
  std::vector<std::int64_t> starts, ends;
  std::vector<TokenId> types;
  for (std::int64_t index : windows) {
    const QaWindow& window = features.windows()[static_cast<std::size_t>(index)];
    const std::vector<TokenId> ids = features.row(window, &types);
    rows.push_back(token_row(ids, types));
    starts.push_back(static_cast<std::int64_t>(window.start));
    ends.push_back(static_cast<std::int64_t>(window.end));
  }
  Batch batch = collate(rows, pad_token(features.tokenizer()));
  at::Tensor allowed = at::zeros({batch.input.rows(), batch.input.length()}, at::kBool);
  for (std::size_t r = 0; r < windows.size(); ++r) {
    const QaWindow& window = features.windows()[static_cast<std::size_t>(windows[r])];
    bool* row =
        allowed.mutable_data_ptr<bool>() + static_cast<std::int64_t>(r) * batch.input.length();
    row[0] = true;
    std::fill_n(row + window.offset, window.count, true);
  }
  batch.extras["allowed"] = allowed;
  batch.extras["start"] = at::tensor(starts, at::kLong);
  batch.extras["end"] = at::tensor(ends, at::kLong);
  return batch;
}

std::vector<std::pair<std::string, double>> SpanLoss::counts(const Batch& batch) const {
  const auto rows = static_cast<double>(batch.input.rows());
  return {{"start", rows}, {"end", rows}};
}

std::vector<LossTerm> SpanLoss::terms(const Batch& batch, const Context& context) {
  const auto [start, end] = span_logits(model_, batch, context);
  const auto rows = static_cast<double>(batch.input.rows());
  return {{"start", cross_entropy_sum(start, batch.extras.at("start")), rows, 0.5, {}},
          {"end", cross_entropy_sum(end, batch.extras.at("end")), rows, 0.5, {}}};
}

double SpanLoss::tokens(const Batch& batch) const {
  return real_tokens(batch.input);
}

SpanPredictions predict_spans(Model& model, const QaFeatures& features, const SpanOptions& options,
                              std::int64_t batch_size, const Context& context, const World& world) {
  const c10::NoGradGuard no_grad;
  const auto& windows = features.windows();
  std::vector<std::int64_t> mine;
  std::vector<std::int32_t> lengths;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    if (windows[i].item % static_cast<std::size_t>(world.size()) !=
        static_cast<std::size_t>(world.rank()))
      continue;
    mine.push_back(static_cast<std::int64_t>(i));
    lengths.push_back(static_cast<std::int32_t>(windows[i].length));
  }
  std::vector<Contest> contests(features.data().items.size());
  SpanPredictions predictions;
  for (std::vector<std::int64_t> rows : batches_by_length(lengths, batch_size)) {
    stop_if_asked();
    for (std::int64_t& row : rows) row = mine[static_cast<std::size_t>(row)];
    const Batch batch = to_model(collate_windows(features, rows), model);
    const auto [start, end] = span_logits(model, batch, context);
    predictions.loss += 0.5 * (cross_entropy_sum(start, batch.extras.at("start")).item<double>() +
                               cross_entropy_sum(end, batch.extras.at("end")).item<double>());
    predictions.windows += static_cast<double>(rows.size());
    const at::Tensor starts = start.cpu().contiguous(), ends = end.cpu().contiguous();
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const auto index = static_cast<std::size_t>(rows[r]);
      const auto shift = static_cast<std::ptrdiff_t>(r) * batch.input.length();
      contests[windows[index].item].add(windows[index], index,
                                        starts.const_data_ptr<float>() + shift,
                                        ends.const_data_ptr<float>() + shift, options);
    }
  }
  predictions.answers.resize(contests.size());
  for (std::size_t item = static_cast<std::size_t>(world.rank()); item < contests.size();
       item += static_cast<std::size_t>(world.size())) {
    predictions.answers[item] = contests[item].winner(features, options);
  }
  return predictions;
}

}  // namespace llmctl
