// The two models with files of their own.
#pragma once

#include "text/huggingface/model.h"

namespace llmctl {

/// Byte-pair merging by a list of merges (Sennrich et al., 2016), in O(n log n); `vocabulary` holds
/// the model's tokens and, as for every model here, must outlive it.
SubwordModel make_bpe_model(const JsonAccess& json, bool byte_level, const Vocabulary& vocabulary);

/// The longest token that fits, from the left (Schuster and Nakajima, 2012; BERT); a word with a
/// dead end, or of more characters than the limit, is one unknown token.
std::unique_ptr<Segmenter> make_wordpiece_segmenter(const Vocabulary& vocabulary, TokenId unknown,
                                                    const std::string& continuing,
                                                    std::size_t max_characters);

}  // namespace llmctl
