// Choosing the next token from its logits: penalties and filters in the order that Hugging Face's
// generation applies them, then the best token or a draw. CPU floats, one row at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "infer/sampling_options.h"

namespace llmctl {

/// A token that the filters left, with its probability among those left.
struct Candidate {
  TokenId id;
  double probability;
};

/// What a row has so far: the ids of prompt and answer, `new_tokens` of them the answer's.
struct RowSoFar {
  std::span<const TokenId> ids;
  std::int64_t new_tokens = 0;
  std::span<const TokenId> source = {};  ///< what an encoder-decoder's encoder read

  std::span<const TokenId> answer() const { return ids.last(static_cast<std::size_t>(new_tokens)); }
  std::span<const TokenId> prompt() const {
    return ids.first(ids.size() - static_cast<std::size_t>(new_tokens));
  }
  /// What the options of encoders are about: without an encoder, the prompt.
  std::span<const TokenId> read() const { return source.empty() ? prompt() : source; }
};

/// Temperatures below it divide the distances to the greatest logit, in fp64: rounding in fp32
/// would decide instead of the option.
inline constexpr double kSmallTemperature = 1e-4;

/// Applies the options in this order:
///   constraint            what it does not allow is impossible; where the others leave nothing of
///                         what it allows, they are passed over, and a forced end is none where the
///                         text may not end
///   sequence_bias         is added to what would complete the sequence
///   encoder_repetition_penalty  a logit of a token that was read is multiplied (if positive) or
///                         divided, so that above 1 it is likelier
///   repetition_penalty    a logit of a token already seen is divided (if positive) or multiplied
///                         (Keskar et al., 2019), once however often it was seen
///   presence_penalty      is subtracted once for a token of the answer,
///   frequency_penalty     as often as it is there
///   no_repeat_ngram_size  what would repeat so many tokens in a row is impossible,
///   encoder_no_repeat_ngram_size  or so many of what was read
///   bad_words_ids         what would complete one of these lists is impossible
///   min_new_tokens        eos tokens are impossible before that many new ones
///   forced_bos_token_ids  nothing else is possible as the first new token
///   forced_eos_token_ids  nothing else is possible as the last one, number max_new_tokens
///   exponential_decay_length_penalty  (start, factor): a logit of an eos token grows by its own
///                         size times factor^n - 1, n being the new tokens beyond start
///   suppress_tokens       are impossible, begin_suppress_tokens as the first new token (behind one
///                         that is forced at the beginning)
/// and, only where a draw is made:
///   temperature           divides the logits
///   top_k                 keeps what is at least the k-th largest logit, ties included; 0: all
///   top_p                 drops the least likely tokens whose probabilities together are at most
///                         1 - p (Holtzman et al., 2020)
///   min_p                 drops what is less likely than p times the most likely token
///   typical_p             keeps the tokens whose information is nearest to the entropy, as many as
///                         reach p (Meister et al., 2022)
///   epsilon_cutoff        drops what is less likely than that (Hewitt et al., 2022)
///   eta_cutoff            drops what is less likely than min(e, sqrt(e) exp(-entropy)) (same)
/// The most likely token always stays, but for typical_p. Only the survivors of top_k, or those
/// where top_p draws its line, are ever sorted.
class Sampler {
 public:
  /// Whether anything but filters and a draw changes what is chosen for a row with `new_tokens`
  /// new ones.
  static bool penalizes(const SamplingOptions& options, std::int64_t new_tokens);
  /// False when choose() is nothing but the largest logit for a row with `new_tokens` new ones.
  static bool changes_logits(const SamplingOptions& options, std::int64_t new_tokens);

  /// The next token of a row: the greatest logit (the lowest id among equals), or with do_sample a
  /// draw by the first number of `key`. -1 when no token is possible.
  TokenId choose(std::span<const float> logits, const SamplingOptions& options, const RowSoFar& row,
                 RandomKey key);

  /// The distribution that choose() draws from, in ascending order of ids.
  const std::vector<Candidate>& distribution(std::span<const float> logits,
                                             const SamplingOptions& options, const RowSoFar& row);

  /// The scores of beam search: the log-probabilities, less diversity_penalty for each time that
  /// `taken` has a token, after all of the above; filters keep one token more than there are eos
  /// tokens. What is impossible is -infinity. Valid until the next call.
  std::span<const float> scores(std::span<const float> logits, const SamplingOptions& options,
                                const RowSoFar& row, std::span<const TokenId> taken = {});

 private:
  void filter(const SamplingOptions& options);
  void keep_filtered(std::size_t least);
  void normalize();
  void penalize(const SamplingOptions& options, const RowSoFar& row);
  void apply_options(const SamplingOptions& options, const RowSoFar& row, const TokenMask* allowed);
  void forbid_others(const TokenMask& allowed);
  void add_bias(const SequenceBias& sequence, std::span<const TokenId> seen);
  void penalize_repetition(double penalty, std::span<const TokenId> seen);
  void penalize_frequency(double presence, double frequency, std::span<const TokenId> answer);
  void forbid_repeats(std::int64_t size, std::span<const TokenId> of,
                      std::span<const TokenId> seen);
  void favour_ends(const SamplingOptions& options, std::int64_t new_tokens);
  float* logit_of(TokenId id);
  void forbid(TokenId id);
  void allow_only(const std::vector<TokenId>& ids);
  void divide(double temperature);

  void prepare(std::span<const float> logits, const SamplingOptions& options, const RowSoFar& row);
  bool weigh(std::int64_t top_k);
  void keep_top_k(std::int64_t k);
  void take_above(float limit);
  void take_top_p(double p);
  TokenId draw_from_all(double uniform);
  void keep_from(double threshold);
  void keep_typical(double p);
  double largest() const;

  // Kept from token to token, so that nothing is allocated.
  std::vector<float> logits_, values_;
  // e^(logit - largest) of the tokens ids_, ascending; of all tokens where ids_ is empty.
  std::vector<float> weights_;
  std::vector<std::uint32_t> ids_, indices_;
  std::vector<std::int32_t> seen_;  // by id, zero between two calls
  std::vector<Candidate> candidates_;
};

/// The id of the largest value, the lowest among equals; -1 when there is none that is a number.
TokenId argmax(std::span<const float> logits);

}  // namespace llmctl
