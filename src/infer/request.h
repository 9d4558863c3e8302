// What is asked of generation and what comes of it: ids and numbers, no text and no model.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "infer/sampling_options.h"

namespace llmctl {

/// kPositions: the model has no further position, though max_new_tokens allows more tokens.
enum class FinishReason { kStop, kLength, kPositions };

/// An adapter beside the model's weights (models/adapters.h), and how much it counts.
struct AdapterChoice {
  std::size_t adapter = 0;
  double scale = 1;
  auto operator<=>(const AdapterChoice&) const = default;
};

/// Which attention of an encoder-decoder says where its tokens come from (infer/alignment.h), and
/// which tokens of the source may be meant.
struct AlignmentOptions {
  std::int64_t layer = -1;  ///< of the decoder: from 1, or from -1, the last one, backwards
  /// What the tokenizer puts around a text stands for none of its words: so many tokens at the
  /// beginning and end of the source are left out. Where nothing else is left they count.
  std::size_t opening = 0, closing = 0;
};

struct GenerationRequest {
  /// At least one token; what is generated goes on behind it. Of an encoder-decoder the beginning
  /// of the decoder's text.
  std::vector<TokenId> prompt;
  std::vector<TokenId> source;  ///< what an encoder-decoder's encoder reads; else empty
  SamplingOptions options;
  std::vector<AdapterChoice> adapters;  ///< in the order in which they add up
  /// Answers wanted: draws, each with its own stream, or the best that beam search found.
  std::int64_t samples = 1;
  /// Names the random draws: sample s has stream + s.
  std::uint64_t stream = 0;
  std::size_t number = 0;  ///< of the prompt in messages, from 1; 0: its place in the call
  /// Log-probabilities wanted, under the model (before penalties, temperature and filters): absent
  /// none, 0 those of the answer's tokens, n the n likeliest tokens of each place, too.
  std::optional<std::int64_t> logprobs;
  std::optional<AlignmentOptions> alignment;  ///< of encoder-decoders; absent: not wanted
};

struct TokenLogprob {
  TokenId id = 0;
  float logprob = 0;
};

/// One answer.
struct GeneratedTokens {
  std::vector<TokenId> ids;     ///< new tokens; an eos token is not included
  std::vector<float> logprobs;  ///< one per id, where asked for
  std::vector<std::vector<TokenLogprob>> top_logprobs;  ///< one list per id, best first, if wanted
  /// Where asked for, of the prompt's tokens behind its first, then of ids: align() of them.
  std::vector<std::int64_t> alignment;
  FinishReason reason = FinishReason::kLength;
  /// Of beam search: the sum of the tokens' scores (the eos token's, too) over their number to the
  /// power of length_penalty.
  std::optional<double> score;
};

}  // namespace llmctl
