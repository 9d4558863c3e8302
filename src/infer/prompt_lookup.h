// Guesses for speculative decoding out of the text itself (prompt lookup, Saxena 2023): what
// followed the last time that the text had its last few tokens.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "text/tokenizer.h"

namespace llmctl {

/// Puts into `draft` up to `most` tokens that followed the first earlier place where `text` has its
/// last n tokens, for the largest n from max_ngram down to 1 that is found; empty where none is.
void look_up_draft(std::span<const TokenId> text, std::int64_t max_ngram, std::int64_t most,
                   std::vector<TokenId>& draft);

}  // namespace llmctl
