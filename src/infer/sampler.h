// Choosing the next token from its logits: penalties and filters in the order that Hugging Face's
// generation applies them, then the best token or a draw. CPU floats, one row at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "infer/engine.h"
#include "text/tokenizer.h"

namespace llmctl {

/// A token that the filters left, with its probability among those left.
struct Candidate {
  TokenId id;
  double probability;
};

/// Applies repetition penalty, bad words, min_new_tokens, the forced end, temperature, top_k and
/// top_p, in this order:
///   repetition_penalty  a logit of a token already seen is divided (if positive) or multiplied
///                       (Keskar et al., 2019), once however often it was seen
///   bad_words_ids       what would complete one of these lists is impossible
///   min_new_tokens      stop tokens are impossible before that many new ones
///   forced_eos_token_id nothing else is possible as the last token of the greatest length
///   temperature         divides the logits
///   top_k               keeps what is at least the k-th largest logit, ties included
///   top_p               drops the least likely tokens whose probabilities together are at most
///                       1 - p (Holtzman et al., 2020); the most likely one always stays
/// Only the survivors of top_k, or those that top_p may keep, are ever sorted.
class Sampler {
 public:
  /// `config` and `stop_ids` outlive the sampler; a row ends at `most_new_tokens` (0: unknown).
  Sampler(const GenerationConfig& config, std::span<const std::int64_t> stop_ids,
          std::int64_t most_new_tokens = 0)
      : config_(config), stop_ids_(stop_ids), most_new_tokens_(most_new_tokens) {}

  /// False when choose() is nothing but the largest logit for a row with `new_tokens` new ones.
  bool changes_logits(std::int64_t new_tokens) const;

  /// The next token of a row. `seen` are the ids of prompt and answer so far, `new_tokens` of them
  /// the answer's. The greatest logit (the lowest id among equals), or with do_sample a draw by the
  /// first number of `key`. -1 when no token is possible.
  TokenId choose(std::span<const float> logits, std::span<const TokenId> seen,
                 std::int64_t new_tokens, RandomKey key);

  /// The distribution that choose() draws from, in ascending order of ids.
  const std::vector<Candidate>& distribution(std::span<const float> logits,
                                             std::span<const TokenId> seen,
                                             std::int64_t new_tokens);

 private:
  bool is_forced(std::int64_t new_tokens) const;
  void penalize(std::span<const TokenId> seen, std::int64_t new_tokens);
  void forbid(std::int64_t id);
  void keep_all();
  void keep_top_k(std::int64_t k);
  void keep_top_p(double p, double total);

  const GenerationConfig& config_;
  std::span<const std::int64_t> stop_ids_;
  std::int64_t most_new_tokens_;
  // Kept from token to token, so that nothing is allocated.
  std::vector<float> logits_, values_;
  std::vector<char> marked_;
  std::vector<Candidate> candidates_;
};

/// The id of the largest value, the lowest among equals; -1 when there is none that is a number.
TokenId argmax(std::span<const float> logits);

}  // namespace llmctl
