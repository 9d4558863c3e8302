#include "infer/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "ops/kernels/select.h"

namespace llmctl {
namespace {

constexpr float kImpossible = -std::numeric_limits<float>::infinity();
/// Below it, rounding in fp64 would decide instead of the option.
constexpr double kSmallTopP = 1e-6;
/// So few are sorted as quickly as halved.
constexpr std::size_t kSortedAtOnce = 256;

double sum(const std::vector<Candidate>& candidates) {
  double total = 0;
  for (const Candidate& candidate : candidates) total += candidate.probability;
  return total;
}

/// The largest float below x.
float float_below(double x) {
  const auto near = static_cast<float>(x);
  return static_cast<double>(near) < x ? near : std::nextafter(near, kImpossible);
}

double entropy(const std::vector<Candidate>& candidates, double total) {
  double entropy = 0;
  for (const Candidate& candidate : candidates) {
    const double p = candidate.probability / total;
    entropy -= p * std::log(p);
  }
  return entropy;
}

/// New tokens before the one that begin_suppress_tokens are about.
std::int64_t begin_of(const SamplingOptions& options) {
  return options.forced_bos_token_ids.empty() ? 0 : 1;
}

/// Whether what was seen ends with the sequence but for its last id.
bool completes(const std::vector<TokenId>& sequence, std::span<const TokenId> seen) {
  const std::size_t before = sequence.size() - 1;
  return before <= seen.size() &&
         std::equal(sequence.begin(), sequence.end() - 1, seen.last(before).begin());
}

}  // namespace

TokenId argmax(std::span<const float> logits) {
  const auto quickly = kernels::index_of_largest(logits.data(), logits.size());
  if (quickly >= 0) return static_cast<TokenId>(quickly);
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
  return options.do_sample || penalizes(options, new_tokens);
}

bool Sampler::penalizes(const SamplingOptions& options, std::int64_t new_tokens) {
  const bool first = new_tokens == 0, last = new_tokens + 1 == options.max_new_tokens;
  const auto& [decay_start, decay] = options.exponential_decay_length_penalty;
  return options.constraint || !options.sequence_bias.empty() ||
         options.encoder_repetition_penalty != 1.0 || options.repetition_penalty != 1.0 ||
         (!first && (options.presence_penalty != 0 || options.frequency_penalty != 0)) ||
         options.no_repeat_ngram_size > 0 || options.encoder_no_repeat_ngram_size > 0 ||
         !options.bad_words_ids.empty() || (decay != 1.0 && new_tokens > decay_start) ||
         !options.suppress_tokens.empty() ||
         (new_tokens == begin_of(options) && !options.begin_suppress_tokens.empty()) ||
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
  if (options.top_k <= 0 && options.top_p >= 1.0 && options.min_p <= 0 &&
      options.typical_p >= 1.0 && options.epsilon_cutoff <= 0 && options.eta_cutoff <= 0) {
    prepare(logits, options, row);
    return weigh(0) ? draw_from_all(left) : -1;
  }
  for (const Candidate& candidate : distribution(logits, options, row)) {
    left -= candidate.probability;
    if (left < 0) return candidate.id;
  }
  return candidates_.empty() ? -1 : candidates_.back().id;
}

const std::vector<Candidate>& Sampler::distribution(std::span<const float> logits,
                                                    const SamplingOptions& options,
                                                    const RowSoFar& row) {
  prepare(logits, options, row);
  filter(options);
  const double total = sum(candidates_);
  for (Candidate& candidate : candidates_) candidate.probability /= total;
  return candidates_;
}

std::span<const float> Sampler::scores(std::span<const float> logits,
                                       const SamplingOptions& options, const RowSoFar& row,
                                       std::span<const TokenId> taken) {
  logits_.assign(logits.begin(), logits.end());
  normalize();
  for (const TokenId id : taken) {
    logits_[static_cast<std::size_t>(id)] -= static_cast<float>(options.beams.diversity_penalty);
  }
  penalize(options, row);
  if (options.do_sample) {
    if (options.temperature != 1.0) divide(options.temperature);
    filter(options);
    keep_filtered(options.eos_token_ids.size() + 1);
  }
  if (options.beams.renormalize_logits) normalize();
  return logits_;
}

/// log_softmax; as it is where nothing is possible.
void Sampler::normalize() {
  const float norm = kernels::log_sum_exp(logits_.data(), logits_.size());
  if (std::isnan(norm) && argmax(logits_) < 0) return;
  for (float& logit : logits_) logit -= norm;
}

/// What is neither in candidates_ nor one of the `least` best becomes impossible.
void Sampler::keep_filtered(std::size_t least) {
  values_ = logits_;
  least = std::min(least, values_.size());
  const auto last = values_.begin() + static_cast<std::ptrdiff_t>(least) - 1;
  std::nth_element(values_.begin(), last, values_.end(), std::greater<>());
  const float limit = *last;
  auto kept = candidates_.begin();
  for (std::size_t i = 0; i < logits_.size(); ++i) {
    const bool is_kept = kept != candidates_.end() && static_cast<std::size_t>(kept->id) == i;
    if (is_kept) ++kept;
    if (!is_kept && logits_[i] < limit) logits_[i] = kImpossible;
  }
}

/// Fills candidates_ with what the filters leave, in ascending order of ids.
void Sampler::filter(const SamplingOptions& options) {
  candidates_.clear();
  if (!weigh(options.top_k)) return;
  if (options.top_p < 1.0) {
    take_top_p(options.top_p);
  } else {
    take_above(options.min_p > 0 ? float_below(std::min(options.min_p, 1.0)) : 0);
  }
  if (options.min_p > 0) keep_from(options.min_p * largest());
  if (options.typical_p < 1.0) keep_typical(options.typical_p);
  if (options.epsilon_cutoff > 0) keep_from(options.epsilon_cutoff * sum(candidates_));
  if (options.eta_cutoff > 0) {
    const double total = sum(candidates_), epsilon = options.eta_cutoff;
    keep_from(total *
              std::min(epsilon, std::sqrt(epsilon) * std::exp(-entropy(candidates_, total))));
  }
}

/// Fills logits_, with all that comes before filters.
void Sampler::prepare(std::span<const float> logits, const SamplingOptions& options,
                      const RowSoFar& row) {
  logits_.assign(logits.begin(), logits.end());
  penalize(options, row);
  if (options.temperature != 1.0) divide(options.temperature);
}

void Sampler::penalize(const SamplingOptions& options, const RowSoFar& row) {
  if (!options.constraint) return apply_options(options, row, nullptr);
  TokenConstraint place = options.constraint.behind(row.answer());
  const auto allowed = place.allowed(options.max_new_tokens - row.new_tokens - 1);
  forbid_others(*allowed);
  values_ = logits_;
  apply_options(options, row, allowed.get());
  if (argmax(logits_) < 0) logits_ = values_;
}

void Sampler::forbid_others(const TokenMask& allowed) {
  const std::span<const std::uint64_t> words = allowed.words();
  for (std::size_t i = 0; i < logits_.size(); ++i) {
    const bool keep = i / 64 < words.size() && (words[i / 64] >> (i % 64) & 1) != 0;
    if (!keep) logits_[i] = kImpossible;
  }
}

void Sampler::apply_options(const SamplingOptions& options, const RowSoFar& row,
                            const TokenMask* allowed) {
  for (const SequenceBias& sequence : options.sequence_bias) add_bias(sequence, row.ids);
  if (options.encoder_repetition_penalty != 1.0) {
    penalize_repetition(1 / options.encoder_repetition_penalty, row.read());
  }
  if (options.repetition_penalty != 1.0) {
    penalize_repetition(options.repetition_penalty,
                        options.repetition_in_answer ? row.answer() : row.ids);
  }
  if (options.presence_penalty != 0 || options.frequency_penalty != 0) {
    penalize_frequency(options.presence_penalty, options.frequency_penalty, row.answer());
  }
  if (options.no_repeat_ngram_size > 0) {
    forbid_repeats(options.no_repeat_ngram_size, row.ids, row.ids);
  }
  if (options.encoder_no_repeat_ngram_size > 0) {
    forbid_repeats(options.encoder_no_repeat_ngram_size, row.read(), row.ids);
  }
  for (const auto& word : options.bad_words_ids) {
    if (completes(word, row.ids)) forbid(word.back());
  }
  if (row.new_tokens < options.min_new_tokens) {
    for (const TokenId id : options.eos_token_ids) forbid(id);
  }
  if (row.new_tokens == 0) allow_only(options.forced_bos_token_ids);
  const auto may_end = [&](TokenId id) { return allowed == nullptr || allowed->has(id); };
  if (row.new_tokens + 1 == options.max_new_tokens &&
      std::ranges::any_of(options.forced_eos_token_ids, may_end)) {
    allow_only(options.forced_eos_token_ids);
  }
  favour_ends(options, row.new_tokens);
  for (const TokenId id : options.suppress_tokens) forbid(id);
  if (row.new_tokens != begin_of(options)) return;
  for (const TokenId id : options.begin_suppress_tokens) forbid(id);
}

void Sampler::add_bias(const SequenceBias& sequence, std::span<const TokenId> seen) {
  if (!completes(sequence.ids, seen)) return;
  if (float* const logit = logit_of(sequence.ids.back())) *logit += sequence.bias;
}

void Sampler::penalize_repetition(double penalty, std::span<const TokenId> seen) {
  const auto factor = static_cast<float>(penalty);
  seen_.resize(logits_.size());
  for (const TokenId id : seen) {
    float* const logit = logit_of(id);
    if (!logit || seen_[static_cast<std::size_t>(id)]++ > 0) continue;
    *logit = *logit > 0 ? *logit / factor : *logit * factor;
  }
  for (const TokenId id : seen) {
    if (logit_of(id)) seen_[static_cast<std::size_t>(id)] = 0;
  }
}

void Sampler::penalize_frequency(double presence, double frequency,
                                 std::span<const TokenId> answer) {
  seen_.resize(logits_.size());
  for (const TokenId id : answer) {
    if (logit_of(id)) ++seen_[static_cast<std::size_t>(id)];
  }
  for (const TokenId id : answer) {
    float* const logit = logit_of(id);
    if (!logit) continue;
    std::int32_t& count = seen_[static_cast<std::size_t>(id)];
    if (count > 0) *logit -= static_cast<float>(presence + frequency * count);
    count = 0;
  }
}

/// Forbids what would end `seen` with `size` ids that `of` has in a row.
void Sampler::forbid_repeats(std::int64_t size, std::span<const TokenId> of,
                             std::span<const TokenId> seen) {
  const auto before = static_cast<std::size_t>(size) - 1;
  if (seen.size() < before) return;
  const std::span<const TokenId> last = seen.last(before);
  for (std::size_t at = 0; at + before < of.size(); ++at) {
    if (std::equal(last.begin(), last.end(), of.begin() + static_cast<std::ptrdiff_t>(at))) {
      forbid(of[at + before]);
    }
  }
}

void Sampler::favour_ends(const SamplingOptions& options, std::int64_t new_tokens) {
  const auto& [start, factor] = options.exponential_decay_length_penalty;
  if (factor == 1.0 || new_tokens <= start) return;
  const auto growth =
      static_cast<float>(std::pow(factor, static_cast<double>(new_tokens - start)) - 1);
  for (const TokenId id : options.eos_token_ids) {
    float* const logit = logit_of(id);
    if (logit && std::isfinite(*logit)) *logit += std::abs(*logit) * growth;
  }
}

/// Null for an id that the vocabulary does not have.
float* Sampler::logit_of(TokenId id) {
  return id >= 0 && id < std::ssize(logits_) ? &logits_[static_cast<std::size_t>(id)] : nullptr;
}

void Sampler::forbid(TokenId id) {
  if (float* const logit = logit_of(id)) *logit = kImpossible;
}

/// No ids: everything stays allowed.
void Sampler::allow_only(const std::vector<TokenId>& ids) {
  if (ids.empty()) return;
  std::fill(logits_.begin(), logits_.end(), kImpossible);
  for (const TokenId id : ids) {
    if (float* const logit = logit_of(id)) *logit = 0;
  }
}

void Sampler::divide(double temperature) {
  if (temperature >= kSmallTemperature) {
    kernels::divide(logits_.data(), logits_.size(), static_cast<float>(temperature));
    return;
  }
  // The quotients may be beyond fp32: what counts is their distance to the greatest.
  const float greatest = *std::max_element(logits_.begin(), logits_.end());
  if (greatest == kImpossible) return;
  for (float& logit : logits_) {
    logit = static_cast<float>((static_cast<double>(logit) - greatest) / temperature);
  }
}

/// Fills weights_ and ids_; false when no token is possible.
bool Sampler::weigh(std::int64_t top_k) {
  const std::size_t size = logits_.size();
  const std::int64_t best = kernels::index_of_largest(logits_.data(), size);
  if (best < 0) return false;
  const float greatest = logits_[static_cast<std::size_t>(best)];
  ids_.clear();
  const float* values = logits_.data();
  if (top_k > 0 && top_k < static_cast<std::int64_t>(size)) {
    keep_top_k(top_k);
    values_.clear();
    for (const std::uint32_t id : ids_) values_.push_back(logits_[id]);
    values = values_.data();
  }
  weights_.resize(ids_.empty() ? size : ids_.size());
  kernels::exponentials(values, weights_.size(), greatest, weights_.data());
  return true;
}

/// Fills ids_ with the tokens of the k greatest logits and their equals, those that are impossible
/// excepted.
void Sampler::keep_top_k(std::int64_t k) {
  // The k-th largest of the blocks' maxima is at most the k-th largest of all.
  const auto kth_largest = [&](std::vector<float>& values) {
    const auto kth = values.begin() + (k - 1);
    std::nth_element(values.begin(), kth, values.end(), std::greater<>());
    return *kth;
  };
  const std::size_t size = logits_.size();
  float limit = kImpossible;
  values_.resize((size + kernels::kMaximaBlock - 1) / kernels::kMaximaBlock);
  if (k <= std::ssize(values_)) {
    kernels::block_maxima(logits_.data(), size, values_.data());
    limit = std::nextafter(kth_largest(values_), kImpossible);
  }
  ids_.resize(size);
  ids_.resize(kernels::indices_above(logits_.data(), size, limit, ids_.data()));
  if (std::ssize(ids_) <= k) return;
  values_.clear();
  for (const std::uint32_t id : ids_) values_.push_back(logits_[id]);
  limit = kth_largest(values_);
  std::erase_if(ids_, [&](std::uint32_t id) { return logits_[id] < limit; });
}

/// Appends what weighs more than `limit` to candidates_, in ascending order of ids.
void Sampler::take_above(float limit) {
  indices_.resize(weights_.size());
  indices_.resize(kernels::indices_above(weights_.data(), weights_.size(), limit, indices_.data()));
  for (const std::uint32_t i : indices_) {
    candidates_.push_back({static_cast<TokenId>(ids_.empty() ? i : ids_[i]), weights_[i]});
  }
}

/// Takes all but the least likely that together have at most 1 - p.
void Sampler::take_top_p(double p) {
  const auto share_up_to = [&](float limit) {
    return kernels::share_up_to(weights_.data(), weights_.size(), limit);
  };
  const auto best =
      static_cast<std::size_t>(kernels::index_of_largest(weights_.data(), weights_.size()));
  if (p < kSmallTopP) {
    take_above(float_below(weights_[best]));
    candidates_.resize(1);
    return;
  }
  // All up to `low` can be dropped together, all up to `high` cannot. Bisection by the floats' bits
  // leaves few between them, or equals.
  float low = 0, high = weights_[best];
  kernels::Share dropped, upper = share_up_to(high);
  const double spare = (1 - p) * upper.sum;
  for (float middle = static_cast<float>(spare / static_cast<double>(weights_.size()));
       low < middle && middle < high;) {
    const kernels::Share share = share_up_to(middle);
    if (share.sum <= spare) {
      low = middle, dropped = share;
    } else {
      high = middle, upper = share;
    }
    if (upper.count - dropped.count <= kSortedAtOnce) break;
    middle = std::bit_cast<float>(
        std::midpoint(std::bit_cast<std::uint32_t>(low), std::bit_cast<std::uint32_t>(high)));
  }
  take_above(low);
  std::vector<Candidate> between;
  std::copy_if(candidates_.begin(), candidates_.end(), std::back_inserter(between),
               [&](const Candidate& c) { return c.probability <= high; });
  std::stable_sort(between.begin(), between.end(), [](const Candidate& a, const Candidate& b) {
    return a.probability > b.probability;
  });
  while (between.size() > 1 && dropped.sum + between.back().probability <= spare) {
    dropped.sum += between.back().probability;
    between.pop_back();
  }
  const Candidate last = between.back();
  std::erase_if(candidates_, [&](const Candidate& c) {
    return c.probability < last.probability ||
           (c.probability == last.probability && c.id > last.id);
  });
}

/// Draws from the weights of all tokens.
TokenId Sampler::draw_from_all(double uniform) {
  constexpr float all = std::numeric_limits<float>::infinity();
  double left = uniform * kernels::share_up_to(weights_.data(), weights_.size(), all).sum;
  TokenId last = -1;
  for (std::size_t id = 0; id < weights_.size(); ++id) {
    if (weights_[id] == 0) continue;
    last = static_cast<TokenId>(id);
    left -= weights_[id];
    if (left < 0) break;
  }
  return last;
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
