// Decoding as tokens arrive, never splitting a character.
#pragma once

#include <memory>
#include <string>

#include "text/tokenizer.h"

namespace llmctl {

class StreamDecoder {
 public:
  explicit StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool keep_special = false);
  /// The text that the token completes; may be empty.
  std::string push(TokenId id);
  /// What is left, with U+FFFD for an incomplete character.
  std::string finish();

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  bool keep_special_, first_ = true;
  std::string pending_;
};

}  // namespace llmctl
