#include "runs/bench_roofs.h"

#include <gtest/gtest.h>

namespace llmctl {
namespace {

TEST(BenchRoofs, TheBetterOfTwoAndTheirDrift) {
  const Roofs a = {10e9, 100e9, 300e9, std::nullopt}, b = {8e9, 101e9, 290e9, std::nullopt};
  const Roofs best = best_of(a, b);
  EXPECT_EQ(best.read, 10e9);
  EXPECT_EQ(best.fp32, 101e9);
  EXPECT_EQ(best.bf16, 300e9);
  EXPECT_EQ(best.int8, std::nullopt);
  EXPECT_DOUBLE_EQ(drift(a, b), 0.2);
  EXPECT_DOUBLE_EQ(drift(a, {10e9, 100e9, 150e9, std::nullopt}), 0.5);
}

TEST(BenchRoofs, WhatTheProcessorHasNoInstructionsForHasNone) {
  const Roofs roofs = {10e9, 100e9, std::nullopt, 900e9};
  const Json json = roofs.to_json();
  EXPECT_EQ(json["read_gb_s"], 10);
  EXPECT_EQ(json["fp32_gflop_s"], 100);
  EXPECT_TRUE(json["bf16_gflop_s"].is_null());
  EXPECT_EQ(json["int8_gop_s"], 900);
  EXPECT_EQ(best_of(roofs, roofs).bf16, std::nullopt);
  EXPECT_EQ(drift(roofs, roofs), 0);
}

}  // namespace
}  // namespace llmctl
