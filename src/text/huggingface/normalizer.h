// Normalizers of tokenizer.json: what a tokenizer does to a text before it is cut.
#pragma once

#include <memory>

#include "text/huggingface/json_access.h"
#include "text/huggingface/stretch.h"

namespace llmctl {

/// Thread-safe.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(Stretch& stretch) const = 0;
};

/// From "normalizer" (null: null). BertNormalizer, Lowercase, NFC, NFD, NFKC, NFKD, Nmt,
/// Precompiled, Prepend, Replace, Sequence, Strip, StripAccents; kData for another type, by its
/// name. Origins of characters are those of Hugging Face's tokenizers.
std::unique_ptr<Normalizer> make_normalizer(const JsonAccess& json);

}  // namespace llmctl
