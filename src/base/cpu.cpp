#include "base/cpu.h"

#include <fstream>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace llmctl {
namespace {

std::string read_model_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t colon = line.find(": ");
    if (colon != line.npos) return line.substr(colon + 2);
  }
  return "unknown";
}

CpuFeatures detect() {
  CpuFeatures features;
  features.model = read_model_name();
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0) return features;
  unsigned saved = 0, saved_high = 0;  // the register states that the operating system keeps
  __asm__("xgetbv" : "=a"(saved), "=d"(saved_high) : "c"(0));
  const auto keeps = [saved](unsigned mask) { return (saved & mask) == mask; };
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return features;
  const unsigned subleaves = a;
  features.avx2 = keeps(0x6) && (b >> 5 & 1);
  features.avx512 = keeps(0xE6) && (b >> 16 & 1) && (b >> 30 & 1) && (b >> 31 & 1);  // F, BW, VL
  features.avx512_vnni = features.avx512 && (c >> 11 & 1);
  const bool tiles = keeps(0x60000) && (d >> 24 & 1);
  features.amx_bf16 = tiles && (d >> 22 & 1);
  features.amx_int8 = tiles && (d >> 25 & 1);
  if (subleaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0) {
    features.avx512_bf16 = features.avx512 && (a >> 5 & 1);
    features.avx_vnni = features.avx2 && (a >> 4 & 1);
  }
#endif
  return features;
}

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

std::vector<std::string> feature_names(const CpuFeatures& features) {
  std::vector<std::string> names;
  const auto add = [&](bool present, const char* name) {
    if (present) names.emplace_back(name);
  };
  add(features.avx2, "avx2");
  add(features.avx_vnni, "avx_vnni");
  add(features.avx512, "avx512");
  add(features.avx512_bf16, "avx512_bf16");
  add(features.avx512_vnni, "avx512_vnni");
  add(features.amx_bf16, "amx_bf16");
  add(features.amx_int8, "amx_int8");
  return names;
}

bool lacks_bf16_products(const CpuFeatures& features) {
  return features.avx2 && !features.avx512_bf16 && !features.amx_bf16;
}

}  // namespace llmctl
