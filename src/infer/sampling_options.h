// How the tokens of one request are chosen and when they end: numbers and ids, nothing to look up.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "text/grammar/token_constraint.h"
#include "text/tokenizer.h"

namespace llmctl {

/// Added to the logit of the last id where the text ends with those before it.
struct SequenceBias {
  std::vector<TokenId> ids;  ///< at least one
  float bias = 0;
};

/// When a beam search has found enough: kYes as many ended texts as beams; kNo, further, when the
/// best unended text scores no better than the worst of them if it ended now; kNever, when it could
/// not at any length.
enum class EarlyStopping { kNo, kYes, kNever };

/// Of beam search, which num_beams > 1 turns on.
struct BeamOptions {
  std::int64_t num_beams = 1;
  /// Diverse beam search (Vijayakumar et al., 2018): groups of beams, each of which pays
  /// diversity_penalty for every token that an earlier group took in the same step.
  std::int64_t num_beam_groups = 1;
  double diversity_penalty = 0.0;
  double length_penalty = 1.0;  ///< sums of log-probabilities are divided by length to this power
  EarlyStopping early_stopping = EarlyStopping::kNo;
  bool renormalize_logits = false;  ///< log-probabilities sum to one after penalties and filters
  /// Every answer has, of each list, one of its sequences of ids, where that is possible.
  std::vector<std::vector<std::vector<TokenId>>> force_words_ids;
};

/// Named and defined as in Hugging Face's generation; the defaults leave the logits alone. What
/// each does to them is said at Sampler.
struct SamplingOptions {
  std::int64_t max_new_tokens = 64;
  std::int64_t min_new_tokens = 0;
  std::vector<TokenId> eos_token_ids;  ///< any of them ends the text and is no part of it

  /// What the text may be, before its first token; goes before all else.
  TokenConstraint constraint;

  std::vector<SequenceBias> sequence_bias;
  double encoder_repetition_penalty = 1.0;
  double repetition_penalty = 1.0;
  bool repetition_in_answer = false;  ///< repetition_penalty passes over the prompt
  double presence_penalty = 0.0, frequency_penalty = 0.0;  ///< as OpenAI defines them
  std::int64_t no_repeat_ngram_size = 0, encoder_no_repeat_ngram_size = 0;
  std::vector<std::vector<TokenId>> bad_words_ids;
  /// From so many new tokens on, the ends become likelier by powers of that; 1: never.
  std::pair<std::int64_t, double> exponential_decay_length_penalty = {0, 1.0};
  std::vector<TokenId> suppress_tokens, begin_suppress_tokens;
  std::vector<TokenId> forced_bos_token_ids, forced_eos_token_ids;

  bool do_sample = false;
  double temperature = 1.0;
  std::int64_t top_k = 0;
  double top_p = 1.0;
  double min_p = 0.0;
  double typical_p = 1.0;
  double epsilon_cutoff = 0.0, eta_cutoff = 0.0;
  std::uint64_t seed = 1234;

  /// Guesses per step from what the text has already (Saxena, 2023); 0: none. They change no text.
  std::int64_t prompt_lookup_num_tokens = 0;
  std::int64_t max_matching_ngram_size = 2;

  BeamOptions beams;
};

}  // namespace llmctl
