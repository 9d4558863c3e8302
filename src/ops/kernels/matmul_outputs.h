// What becomes of sums of neighbouring outputs in a vector of 16. Private to this folder, to be
// included on x86 alone.
#pragma once

#include "ops/kernels/matmul_blocks.h"
#include "ops/kernels/x86_targets.h"

namespace llmctl::kernels {

/// Outputs from `output` on, `left` of them or 16: y = sum · scale + bias, the scale of kInt8
/// alone. What lies behind the last is neither read nor written.
class OutputLanes {
 public:
  static constexpr std::int64_t kLanes = 16;

  LLMCTL_AVX512 LLMCTL_INLINE OutputLanes(const Product& product, std::int64_t output,
                                          std::int64_t left)
      : y_(product.y + output),
        stride_(product.y_stride),
        mask_(static_cast<__mmask16>((1u << std::clamp<std::int64_t>(left, 0, kLanes)) - 1)) {
    const auto* const scales = static_cast<const std::byte*>(product.weight.scales);
    scale_ = product.weight.form == Form::kInt8
                 ? _mm512_maskz_loadu_ps(mask_, scales + output * std::int64_t{sizeof(float)})
                 : _mm512_set1_ps(1);
    bias_ =
        product.bias ? _mm512_maskz_loadu_ps(mask_, product.bias + output) : _mm512_setzero_ps();
  }
  LLMCTL_AVX512 LLMCTL_INLINE void put(std::int64_t row, __m512 sum) const {
    _mm512_mask_storeu_ps(y_ + row * stride_, mask_, _mm512_fmadd_ps(sum, scale_, bias_));
  }

 private:
  float* y_;
  std::int64_t stride_;
  __mmask16 mask_;
  __m512 scale_, bias_;
};

}  // namespace llmctl::kernels
