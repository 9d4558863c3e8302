// Which token of its source each token of an encoder-decoder's text came from, as the attention
// between the two says (Garg et al., 2019, "Jointly learning to align and translate", section 4.1).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "infer/request.h"
#include "models/model.h"

namespace llmctl {

/// A layer's place from 0; kConfig where a decoder of so many has none of the number.
std::int64_t alignment_layer(const AlignmentOptions& options, std::int64_t layers);

/// The tokens of `source` that may be meant.
std::span<const TokenId> own_tokens(const std::vector<TokenId>& source,
                                    const AlignmentOptions& options);

/// For each token of `text` behind its first (which begins every text) the place among own_tokens()
/// that it is aligned to: the greatest probability of attention in the pass that chose the token,
/// the mean over the layer's heads; of equal ones the first. One more pass over source and text.
/// The context has the dtype and no cache.
std::vector<std::int64_t> align(Model& model, const std::vector<TokenId>& source,
                                const std::vector<TokenId>& text, const AlignmentOptions& options,
                                const Context& context);

}  // namespace llmctl
