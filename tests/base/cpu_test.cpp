#include "base/cpu.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace llmctl {
namespace {

TEST(Cpu, NamesWhatItHas) {
  CpuFeatures features;
  EXPECT_TRUE(feature_names(features).empty());
  features.avx2 = features.amx_bf16 = true;
  EXPECT_EQ(feature_names(features), (std::vector<std::string>{"avx2", "amx_bf16"}));
  features.avx512 = features.avx512_bf16 = features.avx512_vnni = features.amx_int8 = true;
  EXPECT_EQ(feature_names(features),
            (std::vector<std::string>{"avx2", "avx512", "avx512_bf16", "avx512_vnni", "amx_bf16",
                                      "amx_int8"}));
}

TEST(Cpu, KnowsWhereProductsInBf16AreConversions) {
  CpuFeatures features;
  EXPECT_FALSE(lacks_bf16_products(features));
  features.avx2 = true;
  EXPECT_TRUE(lacks_bf16_products(features));
  features.avx512 = features.avx512_vnni = features.amx_int8 = true;
  EXPECT_TRUE(lacks_bf16_products(features));
  features.avx512_bf16 = true;
  EXPECT_FALSE(lacks_bf16_products(features));
  features.avx512_bf16 = false;
  features.amx_bf16 = true;
  EXPECT_FALSE(lacks_bf16_products(features));
}

// The kernel reads the same registers; its list is the witness.
TEST(Cpu, AgreesWithTheKernel) {
  std::ifstream in("/proc/cpuinfo");
  std::string flags;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("flags")) {
      flags = line + " ";
      break;
    }
  }
  if (flags.empty()) GTEST_SKIP() << "/proc/cpuinfo lists no flags";
  const auto has = [&](const char* flag) {
    return flags.find(std::string(" ") + flag + " ") != std::string::npos;
  };
  const CpuFeatures& features = cpu_features();
  EXPECT_FALSE(features.model.empty());
  EXPECT_EQ(features.avx2, has("avx2"));
  EXPECT_EQ(features.avx512, has("avx512f") && has("avx512bw") && has("avx512vl"));
  EXPECT_EQ(features.avx512_vnni, has("avx512_vnni"));
  EXPECT_EQ(features.avx512_bf16, has("avx512_bf16"));
  EXPECT_EQ(features.amx_bf16, has("amx_bf16"));
  EXPECT_EQ(features.amx_int8, has("amx_int8"));
}

}  // namespace
}  // namespace llmctl
