#include "infer/sampler.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace llmctl {
namespace {

constexpr float kImpossible = -std::numeric_limits<float>::infinity();
/// Below these, rounding in fp32 and fp64 would decide instead of the option.
constexpr double kSmallTemperature = 1e-4, kSmallTopP = 1e-6;

double sum(const std::vector<Candidate>& candidates) {
  double total = 0;
  for (const Candidate& candidate : candidates) total += candidate.probability;
  return total;
}

double entropy(const std::vector<Candidate>& candidates, double total) {
  double entropy = 0;
  for (const Candidate& candidate : candidates) {
    const double p = candidate.probability / total;
    entropy -= p * std::log(p);
  }
  return entropy;
}

}  // namespace

TokenId argmax(std::span<const float> logits) {
  TokenId best = -1;
  float largest = kImpossible;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > largest) {
      largest = logits[i];
      best = static_cast<TokenId>(i);
    }
  }
  return best;
}

bool Sampler::changes_logits(const SamplingOptions& options, std::int64_t new_tokens) {
  const bool first = new_tokens == 0, last = new_tokens + 1 == options.max_new_tokens;
  return options.do_sample || options.repetition_penalty != 1.0 ||
         options.no_repeat_ngram_size > 0 || !options.bad_words_ids.empty() ||
         !options.suppress_tokens.empty() || (first && !options.begin_suppress_tokens.empty()) ||
         (first && !options.forced_bos_token_ids.empty()) ||
         (last && !options.forced_eos_token_ids.empty()) ||
         (new_tokens < options.min_new_tokens && !options.eos_token_ids.empty());
}

TokenId Sampler::choose(std::span<const float> logits, const SamplingOptions& options,
                        const RowSoFar& row, RandomKey key) {
  if (!options.do_sample) {
    logits_.assign(logits.begin(), logits.end());
    penalize(options, row);
    return argmax(logits_);
  }
  // By ascending ids, so that rounding in the logits moves the bounds between tokens but never
  // exchanges two of them.
  double left = Random(key).uniform();
  for (const Candidate& candidate : distribution(logits, options, row)) {
    left -= candidate.probability;
    if (left < 0) return candidate.id;
  }
  return candidates_.empty() ? -1 : candidates_.back().id;
}

const std::vector<Candidate>& Sampler::distribution(std::span<const float> logits,
                                                    const SamplingOptions& options,
                                                    const RowSoFar& row) {
  logits_.assign(logits.begin(), logits.end());
  penalize(options, row);
  if (options.temperature != 1.0) divide(options.temperature);
  candidates_.clear();
  if (options.top_k > 0 && options.top_k < static_cast<std::int64_t>(logits_.size())) {
    keep_top_k(options.top_k);
  } else {
    keep_all();
  }
  if (options.top_p < 1.0) keep_top_p(options.top_p);
  if (options.min_p > 0) keep_from(options.min_p * largest());
  if (options.typical_p < 1.0) keep_typical(options.typical_p);
  if (options.epsilon_cutoff > 0) keep_from(options.epsilon_cutoff * sum(candidates_));
  if (options.eta_cutoff > 0) {
    const double total = sum(candidates_), epsilon = options.eta_cutoff;
    keep_from(total *
              std::min(epsilon, std::sqrt(epsilon) * std::exp(-entropy(candidates_, total))));
  }
  const double total = sum(candidates_);
  for (Candidate& candidate : candidates_) candidate.probability /= total;
  return candidates_;
}

void Sampler::penalize(const SamplingOptions& options, const RowSoFar& row) {
  if (options.repetition_penalty != 1.0) penalize_repetition(options.repetition_penalty, row.ids);
  if (options.no_repeat_ngram_size > 0) forbid_repeats(options.no_repeat_ngram_size, row.ids);
  for (const auto& word : options.bad_words_ids) {
    const std::size_t before = word.size() - 1;
    const bool begun =
        before <= row.ids.size() && std::equal(word.begin(), word.end() - 1,
                                               row.ids.end() - static_cast<std::ptrdiff_t>(before));
    if (begun) forbid(word.back());
  }
  if (row.new_tokens < options.min_new_tokens) {
    for (const TokenId id : options.eos_token_ids) forbid(id);
  }
  const bool first = row.new_tokens == 0, last = row.new_tokens + 1 == options.max_new_tokens;
  if (first) allow_only(options.forced_bos_token_ids);
  if (last) allow_only(options.forced_eos_token_ids);
  for (const TokenId id : options.suppress_tokens) forbid(id);
  if (!first) return;
  for (const TokenId id : options.begin_suppress_tokens) forbid(id);
}

void Sampler::penalize_repetition(double penalty, std::span<const TokenId> seen) {
  const auto factor = static_cast<float>(penalty);
  marked_.assign(logits_.size(), 0);
  for (const TokenId id : seen) {
    const auto index = static_cast<std::size_t>(id);
    if (index >= logits_.size() || marked_[index]) continue;
    marked_[index] = 1;
    float& logit = logits_[index];
    logit = logit > 0 ? logit / factor : logit * factor;
  }
}

void Sampler::forbid_repeats(std::int64_t size, std::span<const TokenId> seen) {
  const auto before = static_cast<std::size_t>(size) - 1;
  if (seen.size() <= before) return;
  const std::span<const TokenId> last = seen.last(before);
  for (std::size_t at = 0; at + before < seen.size(); ++at) {
    if (std::equal(last.begin(), last.end(), seen.begin() + static_cast<std::ptrdiff_t>(at))) {
      forbid(seen[at + before]);
    }
  }
}

void Sampler::forbid(TokenId id) {
  if (id >= 0 && id < std::ssize(logits_)) logits_[static_cast<std::size_t>(id)] = kImpossible;
}

/// No ids: everything stays allowed.
void Sampler::allow_only(const std::vector<TokenId>& ids) {
  if (ids.empty()) return;
  std::fill(logits_.begin(), logits_.end(), kImpossible);
  for (const TokenId id : ids) {
    if (id >= 0 && id < std::ssize(logits_)) logits_[static_cast<std::size_t>(id)] = 0;
  }
}

void Sampler::divide(double temperature) {
  if (temperature >= kSmallTemperature) {
    const auto divisor = static_cast<float>(temperature);
    for (float& logit : logits_) logit /= divisor;
    return;
  }
  // The quotients may be beyond fp32: what counts is their distance to the greatest.
  const float greatest = *std::max_element(logits_.begin(), logits_.end());
  if (greatest == kImpossible) return;
  for (float& logit : logits_) {
    logit = static_cast<float>((static_cast<double>(logit) - greatest) / temperature);
  }
}

/// Fills candidates_ with exp(logit - largest), not yet normalised, in ascending order of ids.
void Sampler::keep_all() {
  const float greatest = *std::max_element(logits_.begin(), logits_.end());
  for (std::size_t i = 0; i < logits_.size(); ++i) {
    const float weight = std::exp(logits_[i] - greatest);
    if (weight > 0) candidates_.push_back({static_cast<TokenId>(i), weight});
  }
}

void Sampler::keep_top_k(std::int64_t k) {
  values_ = logits_;
  const auto kth = values_.begin() + (k - 1);
  std::nth_element(values_.begin(), kth, values_.end(), std::greater<>());
  const float limit = *kth;
  const float greatest = *std::max_element(values_.begin(), kth + 1);
  for (std::size_t i = 0; i < logits_.size(); ++i) {
    if (logits_[i] < limit) continue;
    const float weight = std::exp(logits_[i] - greatest);
    if (weight > 0) candidates_.push_back({static_cast<TokenId>(i), weight});
  }
}

/// Drops the least likely of candidates_ that together have at most 1 - p.
void Sampler::keep_top_p(double p) {
  if (p < kSmallTopP) {
    keep_from(largest());
    if (candidates_.size() > 1) candidates_.resize(1);
    return;
  }
  const double total = sum(candidates_);
  const double spare = (1 - p) * total;
  // All tokens up to this share could be dropped together, so only the others need sorting.
  const double small = spare / static_cast<double>(candidates_.size());
  const auto first_small =
      std::partition(candidates_.begin(), candidates_.end(),
                     [small](const Candidate& c) { return c.probability > small; });
  double dropped = 0;
  for (auto it = first_small; it != candidates_.end(); ++it) dropped += it->probability;
  candidates_.erase(first_small, candidates_.end());
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.id < b.id;
  });
  while (candidates_.size() > 1 && dropped + candidates_.back().probability <= spare) {
    dropped += candidates_.back().probability;
    candidates_.pop_back();
  }
  std::sort(candidates_.begin(), candidates_.end(),
            [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
}

/// Drops what has less than `threshold`; the most likely stay.
void Sampler::keep_from(double threshold) {
  const double least = std::min(threshold, largest());
  std::erase_if(candidates_, [least](const Candidate& c) { return c.probability < least; });
}

void Sampler::keep_typical(double p) {
  if (candidates_.empty()) return;
  const double total = sum(candidates_), mean = entropy(candidates_, total);
  const auto distance = [&](const Candidate& c) {
    return std::abs(-std::log(c.probability / total) - mean);
  };
  std::vector<std::pair<double, double>> order;  // distance, probability
  for (const Candidate& c : candidates_) order.emplace_back(distance(c), c.probability / total);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  double reached = 0, farthest = 0;
  for (const auto& [far, probability] : order) {
    farthest = far;
    reached += probability;
    if (reached >= p) break;
  }
  std::erase_if(candidates_, [&](const Candidate& c) { return distance(c) > farthest; });
}

double Sampler::largest() const {
  double largest = 0;
  for (const Candidate& candidate : candidates_) largest = std::max(largest, candidate.probability);
  return largest;
}

}  // namespace llmctl
