// What a model is fed: one or two sequences, labels and weights, as host tensors.
// B rows, T tokens, D model.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

namespace llmctl {

/// Token ids of B rows, right-padded to T. Everything is int64. An undefined tensor means what its
/// line says.
struct Sequence {
  at::Tensor ids;          ///< [B, T]
  at::Tensor positions;    ///< [B, T]; undefined: 0 … T-1 in each row
  at::Tensor token_types;  ///< [B, T]; undefined: 0
  /// [B, T] index of the document within its row, -1 on padding: tokens attend only within their
  /// document (packing and padding at once, never a [T, T] mask). Undefined: every row is one
  /// document without padding.
  at::Tensor documents;

  std::int64_t rows() const { return ids.size(0); }
  std::int64_t length() const { return ids.size(1); }
};

/// Label of positions that count for nothing.
inline constexpr std::int64_t kIgnoreLabel = -100;

struct Batch {
  Sequence input;
  Sequence target;  ///< of encoder-decoders; ids undefined otherwise
  at::Tensor
      labels;  ///< [B, T] next token or masked token (kIgnoreLabel elsewhere), or [B] classes
  at::Tensor weights;                        ///< [B] weight of each row; undefined: 1
  std::map<std::string, at::Tensor> extras;  ///< named by the objective or task ("start", "end", …)
};

/// The batch on `device` (non-blocking from pinned memory).
Batch to_device(const Batch& batch, const at::Device& device);

}  // namespace llmctl
