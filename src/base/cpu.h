// What this processor can do, read at run time (the build never assumes more than x86-64 or the
// ABI's baseline).
#pragma once

#include <string>
#include <vector>

namespace llmctl {

struct CpuFeatures {
  std::string model;  ///< as /proc/cpuinfo names it
  bool avx2 = false, avx_vnni = false, avx512 = false, avx512_bf16 = false, avx512_vnni = false,
       amx_bf16 = false, amx_int8 = false;
  bool operator==(const CpuFeatures&) const = default;
};

const CpuFeatures& cpu_features();
std::vector<std::string> feature_names(const CpuFeatures& features);  ///< "avx2", "avx512", …

/// Whether products in bf16 are done here as products in fp32 with a conversion of all their
/// numbers: a processor with AVX2 or AVX-512 and no instruction for bf16. (Of others than x86
/// nothing is known: false.)
bool lacks_bf16_products(const CpuFeatures& features);

}  // namespace llmctl
