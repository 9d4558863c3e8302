// Tensors of GGUF files ↔ those of Hugging Face's files: names, transposed matrices, and the order
// of the rows that rotary positions turn.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>

namespace llmctl {

/// The kinds of models that are read and written; both sides call them by these names.
bool has_gguf_layout(const std::string& model_type);
/// "gpt2, llama, …", for messages.
std::string gguf_model_types();

/// What becomes of one tensor.
struct GgufPlace {
  std::string name;         ///< on the other side
  bool transposed = false;  ///< [I, O] in Hugging Face's file (GPT-2's Conv1D), [O, I] in GGUF
  /// Heads whose rows llama.cpp keeps in another order: it turns neighbouring rows 2i, 2i+1 where
  /// Hugging Face's Llama turns i, i + K/2. 0: the order is the same.
  enum class Rows { kSame, kQuery, kKey } rows = Rows::kSame;
};

/// Where a tensor of Hugging Face's file stands in GGUF; nothing for one that has no place there.
std::optional<GgufPlace> place_in_gguf(const std::string& model_type, const std::string& name);
/// The other way.
std::optional<GgufPlace> place_of_gguf(const std::string& model_type, const std::string& name);

/// [heads · K, …] from Hugging Face's order of rows to GGUF's, and back.
at::Tensor neighbouring_rows(const at::Tensor& tensor, std::int64_t heads);
at::Tensor halved_rows(const at::Tensor& tensor, std::int64_t heads);

}  // namespace llmctl
