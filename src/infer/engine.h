// Generation over token ids: batches of rows with a KV cache, sampling, eos tokens. Knows neither
// text nor files: prompt/ makes requests of them.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "infer/request.h"
#include "models/model.h"

namespace llmctl {

/// What holds for all rows of a call.
struct EngineOptions {
  std::int64_t batch_size = 16;  ///< rows at a time
  /// Logits from this id on (beyond the tokenizer's size) are impossible; 0: none are.
  std::int64_t vocab_limit = 0;
};

/// What a caller sees of the rows while they grow. Row = index of the request.
struct GenerationEvents {
  /// Each new token, eos tokens excepted; returning true stops the row (stop strings).
  std::function<bool(std::size_t row, TokenId id)> token;
  /// The row has all its tokens.
  std::function<void(std::size_t row, const GeneratedTokens& result)> end;
};

/// Refuses what generate_tokens() would refuse before it begins: kData for a prompt or source that
/// is empty, holds an id outside the vocabulary, or leaves no room (naming both numbers).
void check_requests(const ModelFacts& facts, const std::vector<GenerationRequest>& requests);

/// Generates for all requests, options.batch_size of them at a time, those of like length together;
/// results in the order of the requests. In fp32 a row's greedy text does not depend on its
/// companions, and draws depend on nothing but (seed, stream, position). A row ends with one of its
/// eos tokens, when events.token says so, at max_new_tokens, or where the model has no further
/// position. kData as check_requests(); kInternal when logits are not finite.
std::vector<GeneratedTokens> generate_tokens(Model& model,
                                             const std::vector<GenerationRequest>& requests,
                                             const EngineOptions& options, const Context& context,
                                             const GenerationEvents& events = {});

}  // namespace llmctl
