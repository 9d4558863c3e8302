#include "infer/sampler.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace llmctl {
namespace {

constexpr float kImpossible = -std::numeric_limits<float>::infinity();

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

bool Sampler::changes_logits(std::int64_t new_tokens) const {
  return config_.do_sample || config_.repetition_penalty != 1.0 || !config_.bad_words_ids.empty() ||
         is_forced(new_tokens) || (new_tokens < config_.min_new_tokens && !stop_ids_.empty());
}

TokenId Sampler::choose(std::span<const float> logits, std::span<const TokenId> seen,
                        std::int64_t new_tokens, RandomKey key) {
  if (!config_.do_sample) {
    logits_.assign(logits.begin(), logits.end());
    penalize(seen, new_tokens);
    return argmax(logits_);
  }
  // By ascending ids, so that rounding in the logits moves the bounds between tokens but never
  // exchanges two of them.
  double left = Random(key).uniform();
  for (const Candidate& candidate : distribution(logits, seen, new_tokens)) {
    left -= candidate.probability;
    if (left < 0) return candidate.id;
  }
  return candidates_.empty() ? -1 : candidates_.back().id;
}

const std::vector<Candidate>& Sampler::distribution(std::span<const float> logits,
                                                    std::span<const TokenId> seen,
                                                    std::int64_t new_tokens) {
  logits_.assign(logits.begin(), logits.end());
  penalize(seen, new_tokens);
  if (config_.temperature != 1.0) {
    const auto temperature = static_cast<float>(config_.temperature);
    for (float& logit : logits_) logit /= temperature;
  }
  candidates_.clear();
  if (config_.top_k > 0 && config_.top_k < static_cast<std::int64_t>(logits_.size())) {
    keep_top_k(config_.top_k);
  } else {
    keep_all();
  }
  double total = 0;
  for (const Candidate& candidate : candidates_) total += candidate.probability;
  if (config_.top_p < 1.0) {
    keep_top_p(config_.top_p, total);
    total = 0;
    for (const Candidate& candidate : candidates_) total += candidate.probability;
  }
  for (Candidate& candidate : candidates_) candidate.probability /= total;
  return candidates_;
}

void Sampler::penalize(std::span<const TokenId> seen, std::int64_t new_tokens) {
  if (config_.repetition_penalty != 1.0) {
    const auto penalty = static_cast<float>(config_.repetition_penalty);
    marked_.assign(logits_.size(), 0);
    for (const TokenId id : seen) {
      const auto index = static_cast<std::size_t>(id);
      if (index >= logits_.size() || marked_[index]) continue;
      marked_[index] = 1;
      float& logit = logits_[index];
      logit = logit > 0 ? logit / penalty : logit * penalty;
    }
  }
  for (const auto& word : config_.bad_words_ids) {
    const std::size_t before = word.size() - 1;
    const bool begun =
        before <= seen.size() &&
        std::equal(word.begin(), word.end() - 1, seen.end() - static_cast<std::ptrdiff_t>(before));
    if (begun) forbid(word.back());
  }
  if (new_tokens < config_.min_new_tokens) {
    for (const std::int64_t id : stop_ids_) forbid(id);
  }
  if (is_forced(new_tokens)) {
    std::fill(logits_.begin(), logits_.end(), kImpossible);
    for (const std::int64_t id : config_.forced_eos_token_id) {
      if (id < static_cast<std::int64_t>(logits_.size())) logits_[static_cast<std::size_t>(id)] = 0;
    }
  }
}

bool Sampler::is_forced(std::int64_t new_tokens) const {
  return !config_.forced_eos_token_id.empty() && new_tokens + 1 == most_new_tokens_;
}

void Sampler::forbid(std::int64_t id) {
  if (id >= 0 && id < static_cast<std::int64_t>(logits_.size())) {
    logits_[static_cast<std::size_t>(id)] = kImpossible;
  }
}

/// Fills candidates_ with exp(logit - largest), not yet normalised, in ascending order of ids.
void Sampler::keep_all() {
  const float largest = *std::max_element(logits_.begin(), logits_.end());
  for (std::size_t i = 0; i < logits_.size(); ++i) {
    const float weight = std::exp(logits_[i] - largest);
    if (weight > 0) candidates_.push_back({static_cast<TokenId>(i), weight});
  }
}

void Sampler::keep_top_k(std::int64_t k) {
  values_ = logits_;
  const auto kth = values_.begin() + (k - 1);
  std::nth_element(values_.begin(), kth, values_.end(), std::greater<>());
  const float limit = *kth;
  const float largest = *std::max_element(values_.begin(), kth + 1);
  for (std::size_t i = 0; i < logits_.size(); ++i) {
    if (logits_[i] < limit) continue;
    const float weight = std::exp(logits_[i] - largest);
    if (weight > 0) candidates_.push_back({static_cast<TokenId>(i), weight});
  }
}

/// Drops of candidates_, whose weights sum to `total`, the least likely that together have at most
/// 1 - p.
void Sampler::keep_top_p(double p, double total) {
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

}  // namespace llmctl
