#include "io/ggml_type.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

namespace llmctl {
namespace {

std::string hex(const std::vector<std::byte>& bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[std::to_integer<unsigned>(byte) >> 4];
    text += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

std::vector<std::byte> encoded(GgmlType type, const std::vector<float>& values,
                               std::size_t lost = 0) {
  const GgmlTypeInfo& info = ggml_type_info(type);
  std::vector<std::byte> bytes(values.size() / info.block_values * info.block_bytes);
  EXPECT_EQ(encode_ggml(type, values.data(), values.size(), bytes.data()), lost);
  return bytes;
}

std::vector<float> decoded(GgmlType type, const std::vector<std::byte>& bytes, std::size_t count) {
  std::vector<float> values(count);
  decode_ggml(type, bytes.data(), count, values.data());
  return values;
}

/// Values of both signs and many sizes.
std::vector<float> row() {
  std::vector<float> values;
  for (int i = 0; i < 32; ++i) {
    values.push_back(
        static_cast<float>((i - 11) * 0.37 * (i / 3 % 2 == 0 ? 1 : -1) + 0.01 * i * i));
  }
  return values;
}

// The bytes are those of llama.cpp's Python package gguf (quants.quantize).
TEST(GgmlType, BlocksAreThoseOfTheReference) {
  EXPECT_EQ(hex(encoded(GgmlType::kQ8_0, row())),
            "4930e2e4e7171512f5f9fc0c0a090e12170605052c31370506064f555c0a0c0d787f");
  EXPECT_EQ(hex(encoded(GgmlType::kQ4_0, row())), "41c08a8a5a57578789883837277777770708");
  const auto q8 = decoded(GgmlType::kQ8_0, encoded(GgmlType::kQ8_0, row()), 32);
  EXPECT_EQ(q8[0], -4.017334F);
  EXPECT_EQ(q8[3], 3.079956F);
  const auto q4 = decoded(GgmlType::kQ4_0, encoded(GgmlType::kQ4_0, row()), 32);
  EXPECT_EQ(q4[0], -4.2539062F);
  EXPECT_EQ(q4[3], 2.1269531F);
}

TEST(GgmlType, BlocksAreAsCloseAsTheirStepsAllow) {
  const std::vector<float> values = row();
  const float most = 17.01F;
  const auto q8 = decoded(GgmlType::kQ8_0, encoded(GgmlType::kQ8_0, values), 32);
  const auto q4 = decoded(GgmlType::kQ4_0, encoded(GgmlType::kQ4_0, values), 32);
  for (std::size_t i = 0; i < values.size(); ++i) {
    // Half a step, and what fp16 takes off the scale.
    EXPECT_LE(std::fabs(q8[i] - values[i]), most / 127 / 2 + most / 2048) << i;
    // One side of zero has seven steps only.
    EXPECT_LE(std::fabs(q4[i] - values[i]), most / 8 + most / 2048) << i;
  }
  EXPECT_EQ(encoded(GgmlType::kQ8_0, std::vector<float>(32, 0.0F)), std::vector<std::byte>(34));
  EXPECT_EQ(decoded(GgmlType::kQ4_0, encoded(GgmlType::kQ4_0, std::vector<float>(32, 0.0F)), 32),
            std::vector<float>(32, 0.0F));
}

TEST(GgmlType, HalvesAreRoundedToEven) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<std::pair<float, std::uint16_t>> cases = {
      {0.0F, 0},          {-0.0F, 0x8000},           {1.0F, 0x3c00},
      {-2.5F, 0xc100},    {65504.0F, 0x7bff},        {65519.996F, 0x7bff},
      {65520.0F, 0x7c00}, {kInfinity, 0x7c00},       {0x1p-14F, 0x0400},
      {0x1p-24F, 0x0001}, {0x1p-25F, 0x0000},        {0x1.8p-24F, 0x0002},
      {0x1.4p-25F, 1},    {1.0F + 0x1p-11F, 0x3c00}, {1.0F + 0x1.8p-10F, 0x3c02},
      {0.1F, 0x2e66}};
  for (const auto& [value, half] : cases) {
    EXPECT_EQ(half_of(value), half) << value;
  }
  // Every half comes back.
  for (std::uint32_t half = 0; half < 0x10000; ++half) {
    const auto bits = static_cast<std::uint16_t>(half);
    if ((half & 0x7fff) > 0x7c00) {
      EXPECT_TRUE(std::isnan(float_of_half(bits)));
      EXPECT_TRUE(std::isnan(float_of_half(half_of(float_of_half(bits)))));
    } else {
      ASSERT_EQ(half_of(float_of_half(bits)), bits);
    }
  }
}

TEST(GgmlType, BfloatsAreRoundedToEven) {
  EXPECT_EQ(bfloat16_of(1.0F), 0x3f80);
  EXPECT_EQ(bfloat16_of(1.0F + 0x1p-8F), 0x3f80);
  EXPECT_EQ(bfloat16_of(1.0F + 0x1.8p-7F), 0x3f82);
  EXPECT_EQ(float_of_bfloat16(0xc040), -3.0F);
  EXPECT_TRUE(
      std::isnan(float_of_bfloat16(bfloat16_of(std::bit_cast<float>(std::uint32_t{0x7f800001})))));
}

TEST(GgmlType, WhatDoesNotFitIsCounted) {
  constexpr float kNothing = std::numeric_limits<float>::quiet_NaN();
  encoded(GgmlType::kF16, {1e5F, -1e5F, 1.0F, std::numeric_limits<float>::infinity()}, 2);
  encoded(GgmlType::kBF16, {std::numeric_limits<float>::max(), 1.0F}, 1);
  std::vector<float> values(64, 1.0F);
  values[40] = 1e9F;
  encoded(GgmlType::kQ8_0, values, 32);
  encoded(GgmlType::kQ4_0, values, 32);
  values[40] = kNothing;
  encoded(GgmlType::kQ8_0, values, 32);
  encoded(GgmlType::kQ4_0, values, 32);
}

TEST(GgmlType, NamesAreFound) {
  EXPECT_EQ(ggml_type_named("q8_0"), GgmlType::kQ8_0);
  EXPECT_EQ(ggml_type_named("BF16"), GgmlType::kBF16);
  EXPECT_EQ(ggml_type_named("q4_k"), std::nullopt);  // known, and not read
  EXPECT_EQ(ggml_type_named("q"), std::nullopt);
  EXPECT_STREQ(find_ggml_type(14)->name, "Q6_K");
  EXPECT_EQ(find_ggml_type(5), nullptr);
}

}  // namespace
}  // namespace llmctl
