#include "ops/kernels/matmul_blocks.h"
#include "ops/kernels/matmul_x86.h"

#if defined(__x86_64__)

#include <hwy/base.h>
#include <immintrin.h>

#define LLMCTL_INLINE inline __attribute__((always_inline))

namespace llmctl::kernels {
namespace {

LLMCTL_INLINE void fetch(const std::byte* from) {
  _mm_prefetch(static_cast<const char*>(ahead_of(from)), _MM_HINT_T0);
}

#define LLMCTL_256 __attribute__((target("avx2,fma")))
#define LLMCTL_256_NAME plain
#define LLMCTL_256_VNNI 0
#include "ops/kernels/matmul_avx2-inl.h"

#define LLMCTL_256 __attribute__((target("avx2,fma,avxvnni")))
#define LLMCTL_256_NAME vnni
#define LLMCTL_256_VNNI 1
#include "ops/kernels/matmul_avx2-inl.h"

}  // namespace

void avx2_multiply(const Product& product, std::int64_t begin, std::int64_t end, bool with_vnni) {
  if (product.weight.form == Form::kInt8) {
    return with_vnni ? multiply_in_tiles<vnni::Int8>(product, begin, end)
                     : multiply_in_tiles<plain::Int8>(product, begin, end);
  }
  return with_vnni ? multiply_in_tiles<vnni::Int4>(product, begin, end)
                   : multiply_in_tiles<plain::Int4>(product, begin, end);
}

}  // namespace llmctl::kernels

#else

namespace llmctl::kernels {

void avx2_multiply(const Product&, std::int64_t, std::int64_t, bool) {}

}  // namespace llmctl::kernels
#endif
