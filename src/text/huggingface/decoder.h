// Decoders of tokenizer.json: tokens to text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/huggingface/json_access.h"

namespace llmctl {

/// What one token adds to a text. Thread-safe.
class Decoder {
 public:
  virtual ~Decoder() = default;
  /// `text` is the token's name, then what it adds; `first`: nothing came before it.
  virtual void apply(std::string& text, bool first) const = 0;
};

/// From "decoder" (null: tokens follow each other with a space between, as they do in Hugging
/// Face's tokenizers). ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence,
/// Strip, WordPiece; kData for another type, by its name. What is not text in the end is replaced
/// by U+FFFD, byte by byte.
std::unique_ptr<Decoder> make_decoder(const JsonAccess& json);

}  // namespace llmctl
