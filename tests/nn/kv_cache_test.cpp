#include "nn/kv_cache.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/device.h"

namespace llmctl {
namespace {

KvCache make(std::int64_t rows, std::int64_t slots) {
  return KvCache({1, rows, 1, 1, slots}, at::kFloat, at::Device(test::test_device()));
}

/// New tokens [B, 1, T, 1] with given values.
at::Tensor tokens(const std::vector<std::vector<float>>& rows) {
  std::vector<float> flat;
  for (const auto& row : rows) flat.insert(flat.end(), row.begin(), row.end());
  return at::tensor(flat)
      .view({static_cast<std::int64_t>(rows.size()), 1, -1, 1})
      .to(at::Device(test::test_device()));
}

std::vector<float> row(const at::Tensor& cached, std::int64_t index, std::int64_t length) {
  const at::Tensor values =
      cached[index].reshape({-1}).narrow(0, 0, length).to(at::kCPU).contiguous();
  return {values.const_data_ptr<float>(), values.const_data_ptr<float>() + length};
}

TEST(KvCache, RowsGrowByTheirOwnLengths) {
  KvCache cache = make(2, 3);
  cache.begin(3);
  cache.append(0, tokens({{1, 2, 3}, {4, 5, 0}}), tokens({{1, 2, 3}, {4, 5, 0}}));
  cache.end({3, 2});
  EXPECT_EQ(cache.lengths(), (std::vector<std::int64_t>{3, 2}));
  cache.begin(2);  // grows beyond its slots
  EXPECT_GE(cache.slots(), 5);
  const auto [keys, values] =
      cache.append(0, tokens({{6, 7}, {8, 9}}), tokens({{-6, -7}, {-8, -9}}));
  EXPECT_EQ(keys.sizes(), at::IntArrayRef({2, 1, 5, 1}));
  EXPECT_EQ(row(keys, 0, 5), (std::vector<float>{1, 2, 3, 6, 7}));
  EXPECT_EQ(row(keys, 1, 4), (std::vector<float>{4, 5, 8, 9}));
  EXPECT_EQ(row(values, 1, 4), (std::vector<float>{4, 5, -8, -9}));
  const at::Tensor mask = cache.mask();
  EXPECT_EQ(mask.sizes(), at::IntArrayRef({2, 1, 2, 5}));
  EXPECT_TRUE(
      mask[0][0].equal(at::tensor({1, 1, 1, 1, 0, 1, 1, 1, 1, 1}).view({2, 5}).to(at::kBool)));
  EXPECT_TRUE(
      mask[1][0].equal(at::tensor({1, 1, 1, 0, 0, 1, 1, 1, 1, 0}).view({2, 5}).to(at::kBool)));
  cache.end({2, 0});
  EXPECT_EQ(cache.lengths(), (std::vector<std::int64_t>{5, 2}));
}

TEST(KvCache, SelectsRows) {
  KvCache cache = make(3, 4);
  cache.begin(1);
  cache.append(0, tokens({{1}, {2}, {3}}), tokens({{1}, {2}, {3}}));
  cache.end({1, 0, 1});
  cache.select({2, 2, 0, 1});
  EXPECT_EQ(cache.rows(), 4);
  EXPECT_EQ(cache.lengths(), (std::vector<std::int64_t>{1, 1, 1, 0}));
  cache.begin(1);
  const auto [keys, values] =
      cache.append(0, tokens({{4}, {5}, {6}, {7}}), tokens({{4}, {5}, {6}, {7}}));
  EXPECT_EQ(row(keys, 0, 2), (std::vector<float>{3, 4}));
  EXPECT_EQ(row(keys, 1, 2), (std::vector<float>{3, 5}));
  EXPECT_EQ(row(keys, 3, 1), (std::vector<float>{7}));
}

TEST(KvCache, NamesMisuse) {
  KvCache cache = make(2, 4);
  cache.begin(1);
  EXPECT_THROW(cache.append(0, tokens({{1}}), tokens({{1}})), Error);
  EXPECT_THROW(cache.end({1}), Error);
  EXPECT_THROW(cache.end({2, 0}), Error);
}

}  // namespace
}  // namespace llmctl
