// Models of tokenizer.json: words to tokens.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "text/huggingface/json_access.h"
#include "text/huggingface/vocabulary.h"
#include "text/segmenter.h"

namespace llmctl {

/// A model, ready to segment words; its segments may leave out what it has no token for.
struct SubwordModel {
  std::unique_ptr<Segmenter> segmenter;
  std::string kind;            ///< "BPE", "WordPiece", "Unigram", "WordLevel"
  TokenId unknown = -1;        ///< -1: none
  std::string continuing;      ///< what tokens begin with that go on in a word; may be empty
  bool byte_fallback = false;  ///< unknown characters become tokens "<0x41>"
};

/// From "model"; its tokens are put into `vocabulary`. `byte_level`: words are bytes, which the
/// vocabulary spells as GPT-2 does. kData naming the member: another type, ids that are negative,
/// shared or beyond 2^24, merges of or into what is no token, a missing unknown token.
SubwordModel make_model(const JsonAccess& json, bool byte_level, Vocabulary& vocabulary);

/// Puts an object of tokens and ids into the vocabulary; kData as above.
void read_vocabulary(const JsonAccess& json, Vocabulary& vocabulary);

/// GPT-2's spelling of bytes by printable characters: what spells a byte, in UTF-8.
const std::array<std::string, 256>& byte_spellings();
/// The bytes that a token spells; the token itself, if any of its characters spells none.
std::string bytes_of_spelling(std::string_view token);
/// True where all characters spell bytes.
bool spells_bytes(std::string_view token);

}  // namespace llmctl
