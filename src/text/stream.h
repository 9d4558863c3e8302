// Decoding as tokens arrive, never splitting a character.
#pragma once

#include <memory>
#include <string>

#include "text/tokenizer.h"

namespace llmctl {

/// The pieces of text that it gives, end to end, are what Tokenizer::decode gives for all tokens.
class StreamDecoder {
 public:
  /// `continues`: the tokens follow a text (a prompt), so that a space before the first stays.
  explicit StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool keep_special = false,
                         bool continues = false);
  /// The text that the token completes; may be empty.
  std::string push(TokenId id);
  /// What is left, with U+FFFD for an incomplete character; afterwards the decoder is as it was in
  /// the beginning.
  std::string finish();

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  bool keep_special_, continues_;
  DecodeState state_;
  std::string pending_;  // begins a character that is not complete
};

}  // namespace llmctl
