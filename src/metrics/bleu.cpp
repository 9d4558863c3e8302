#include "metrics/bleu.h"

#include <cmath>

#include "metrics/ngrams.h"

namespace llmctl {
namespace {

/// The reference length nearest to `length`, the shorter of two that are equally near.
double nearest_length(std::size_t length,
                      std::span<const std::vector<std::string_view>> references) {
  std::size_t nearest = 0, least = std::numeric_limits<std::size_t>::max();
  for (const auto& reference : references) {
    const std::size_t size = reference.size();
    const std::size_t difference = size > length ? size - length : length - size;
    if (difference > least || (difference == least && size >= nearest)) continue;
    least = difference;
    nearest = size;
  }
  return static_cast<double>(nearest);
}

/// The logarithm, of 0 a number that makes any mean vanish.
double floored_log(double value) {
  return value == 0 ? -9999999999.0 : std::log(value);
}

}  // namespace

BleuCounts bleu_counts(const std::vector<std::string_view>& translation,
                       std::span<const std::vector<std::string_view>> references) {
  BleuCounts counts;
  counts.length = static_cast<double>(translation.size());
  counts.reference_length = nearest_length(translation.size(), references);
  std::size_t words = translation.size();
  for (const auto& reference : references) words += reference.size();
  Numbering<std::string_view> numbers;
  numbers.clear(words);
  std::vector<Units> sequences(1 + references.size());
  for (const std::string_view word : translation) sequences[0].push_back(numbers(word));
  for (std::size_t r = 0; r < references.size(); ++r)
    for (const std::string_view word : references[r]) sequences[r + 1].push_back(numbers(word));

  NgramWalk walk(std::move(sequences));
  std::vector<std::uint32_t> own, one, most;
  for (std::size_t order = 0; order < BleuCounts::kOrders; ++order) {
    if (order > 0) walk.lengthen();
    counts.total[order] = static_cast<double>(walk.ngrams(0).size());
    walk.count(0, own);
    most.assign(own.size(), 0);
    for (std::size_t r = 1; r <= references.size(); ++r) {
      walk.count(r, one);
      for (std::size_t id = 0; id < one.size(); ++id) most[id] = std::max(most[id], one[id]);
    }
    counts.correct[order] = shared_ngrams(own, most);
  }
  return counts;
}

BleuScore bleu_score(const BleuCounts& counts, bool effective_order) {
  BleuScore score;
  if (counts.length < counts.reference_length) {
    score.brevity_penalty =
        counts.length > 0 ? std::exp(1 - counts.reference_length / counts.length) : 0.0;
  }
  // Fewer of a longer n-gram can be right than of the words in it.
  if (counts.correct[0] == 0) return score;
  double smoothing = 1;
  std::size_t orders = BleuCounts::kOrders;
  for (std::size_t n = 0; n < BleuCounts::kOrders; ++n) {
    if (counts.total[n] == 0) break;
    if (effective_order) orders = n + 1;
    if (counts.correct[n] == 0) {
      smoothing *= 2;
      score.precisions[n] = 100 / (smoothing * counts.total[n]);
    } else {
      score.precisions[n] = 100 * counts.correct[n] / counts.total[n];
    }
  }
  double logs = 0;
  for (std::size_t n = 0; n < orders; ++n) logs += floored_log(score.precisions[n]);
  score.score = score.brevity_penalty * std::exp(logs / static_cast<double>(orders));
  return score;
}

}  // namespace llmctl
