#include "nn/kv_cache.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "base/error.h"
#include "support/device.h"

namespace llmctl {
namespace {

constexpr KvCacheShape kShape{.layers = 2, .heads = 2, .head_size = 8};

std::vector<TokenId> ids_up_to(int count) {
  std::vector<TokenId> ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), 1);
  return ids;
}

/// A cache beside the keys that its rows should hold.
class Cached {
 public:
  explicit Cached(std::int64_t tokens = 64)
      : cache(kShape, at::kFloat, at::Device(test::test_device()), tokens) {}

  /// One forward pass of so many new tokens for each row, padded to so many; every query must see
  /// its row's keys up to its own, which are also its values, and padding nothing.
  void step(const std::vector<std::pair<KvCache::Row, std::int64_t>>& tokens,
            std::int64_t window = 0, std::int64_t padded = 0) {
    std::vector<at::Tensor> wanted;
    at::Tensor fresh = at::rand({0, 2, 8});
    const auto total =
        std::accumulate(tokens.begin(), tokens.end(), std::int64_t{0},
                        [](std::int64_t sum, const auto& row) { return sum + row.second; });
    fresh = at::rand({total, 2, 8}, at::kFloat);
    std::int64_t at = 0;
    for (const auto& [row, count] : tokens) {
      cache.plan(row, count);
      at::Tensor& held = keys[row];
      const at::Tensor own = fresh.narrow(0, at, count);
      held = held.defined() ? at::cat({held, own}) : own.clone();
      for (std::int64_t t = 0; t < count; ++t) {
        const std::int64_t end = held.size(0) - count + t + 1;
        const std::int64_t begin = window > 0 ? std::max<std::int64_t>(0, end - window) : 0;
        const at::Tensor seen = held.narrow(0, begin, end - begin).transpose(0, 1).unsqueeze(0);
        const at::Tensor query = own[t].unsqueeze(0).unsqueeze(2);  // [1, H, 1, K]
        wanted.push_back(at::scaled_dot_product_attention(query, seen, seen, {}, 0.0, false, 0.5)
                             .squeeze(2));  // [1, H, K]
      }
      at += count;
    }
    if (padded > 0) {
      cache.pad(padded);
      fresh = at::cat({fresh, at::rand({padded - total, 2, 8})});
      wanted.push_back(at::zeros({padded - total, 2, 8}));
    }
    const at::Tensor on_device = fresh.to(at::Device(test::test_device()));
    CacheAttention how;
    how.scale = 0.5;
    how.window = window;
    for (const std::int64_t layer : {0, 1}) {
      cache.store(layer, on_device, on_device);
      const at::Tensor mixed = cache.attend(layer, on_device, how).cpu();
      EXPECT_LT((mixed - at::cat(wanted)).abs().max().item<float>(), 1e-5);
    }
    cache.end();
  }
  KvCache::Row fork(KvCache::Row row) {
    const KvCache::Row copy = cache.fork(row);
    keys[copy] = keys[row];
    return copy;
  }
  void close(KvCache::Row row) {
    cache.close(row);
    keys.erase(row);
  }

  KvCache cache;
  std::map<KvCache::Row, at::Tensor> keys;  // [S, G, K]
};

TEST(KvCache, RowsGrowByTheirOwnLengths) {
  Cached test(16);  // it grows
  const auto a = test.cache.open(), b = test.cache.open();
  test.step({{a, 3}, {b, 20}});
  test.step({{b, 1}, {a, 1}});
  test.step({{a, 40}});
  test.step({{a, 1}, {b, 1}}, 5);
  EXPECT_EQ(test.cache.length(a), 45);
  EXPECT_EQ(test.cache.length(b), 22);
}

TEST(KvCache, SizesOfPaddedPassesAreFew) {
  std::vector<std::int64_t> sizes;
  for (std::int64_t n = 1; n <= 64; ++n) {
    EXPECT_GE(padded_size(n), n);
    EXPECT_LE(2 * padded_size(n), 3 * n);
    if (sizes.empty() || sizes.back() != padded_size(n)) sizes.push_back(padded_size(n));
  }
  EXPECT_EQ(sizes, (std::vector<std::int64_t>{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64}));
}

TEST(KvCache, PaddingChangesNothingOfTheRows) {
  Cached test(16);
  const auto a = test.cache.open(), b = test.cache.open();
  test.step({{a, 3}, {b, 20}});
  for (const std::int64_t window : {0, 0, 5}) test.step({{a, 1}, {b, 1}}, window, /*padded=*/6);
  const auto c = test.fork(b);
  test.step({{a, 2}, {b, 1}, {c, 1}}, 0, /*padded=*/4);
  test.step({{a, 1}, {b, 30}, {c, 1}});
  EXPECT_EQ(test.cache.length(a), 9);
  test.close(a);
  test.close(b);
  test.close(c);
  EXPECT_EQ(test.cache.pages_in_use(), 1);  // that of the padding
}

TEST(KvCache, PaddedPassesReachWholePages) {
  KvCache cache(kShape, at::kFloat, at::Device(test::test_device()), 16);
  const auto row = cache.open();
  cache.plan(row, 70);
  EXPECT_EQ(cache.reach(), 70);
  cache.pad(80);
  EXPECT_EQ(cache.planned(), 80);
  EXPECT_EQ(cache.reach(), 6 * KvCache::kPageTokens);
  EXPECT_THROW(cache.pad(70), Error);
}

TEST(KvCache, ForksShareWhatTheyHaveInCommon) {
  Cached test;
  const auto a = test.cache.open();
  test.step({{a, 37}});
  EXPECT_EQ(test.cache.pages_in_use(), 3);
  const auto b = test.fork(a), c = test.fork(a);
  EXPECT_EQ(test.cache.pages_in_use(), 3);
  test.step({{a, 1}, {b, 1}, {c, 1}});  // each gets a last page of its own
  EXPECT_EQ(test.cache.pages_in_use(), 5);
  test.step({{b, 1}, {c, 2}, {a, 1}});
  test.close(a);
  test.step({{b, 1}, {c, 1}});
  EXPECT_EQ(test.cache.pages_in_use(), 4);
  test.close(b);
  test.close(c);
  EXPECT_EQ(test.cache.pages_in_use(), 0);
  EXPECT_EQ(test.cache.rows(), 0);
}

TEST(KvCache, RowsAreCut) {
  Cached test;
  const auto a = test.cache.open();
  test.step({{a, 35}});
  test.cache.truncate(a, 30);
  test.keys[a] = test.keys[a].narrow(0, 0, 30);
  EXPECT_EQ(test.cache.pages_in_use(), 2);
  test.step({{a, 4}});
}

TEST(KvCache, KnownBeginningsAreTakenOver) {
  Cached test;
  const auto ids = ids_up_to(50);
  const auto a = test.cache.open();
  EXPECT_EQ(test.cache.adopt(a, 1, ids, 49), 0);
  test.step({{a, 40}});
  test.cache.remember(a, 1, std::span(ids).first(40));
  for (const bool open : {true, false}) {  // the row that made them may be gone
    if (!open) test.cache.close(a);
    const auto b = test.cache.open();
    EXPECT_EQ(test.cache.adopt(b, 1, ids, 49), 32);
    test.keys[b] = test.keys[a].narrow(0, 0, 32);
    test.step({{b, 5}});
    test.close(b);
    const auto other = test.cache.open();
    EXPECT_EQ(test.cache.adopt(other, 2, ids, 49), 0) << "of another scope";
    test.cache.close(other);
    const auto few = test.cache.open();
    EXPECT_EQ(test.cache.adopt(few, 1, ids, 31), 16);
    test.cache.close(few);
  }
  auto changed = ids;
  changed[3] = 7;
  const auto c = test.cache.open();
  EXPECT_EQ(test.cache.adopt(c, 1, changed, 49), 0);
}

TEST(KvCache, WhatIsPlannedCanBeTakenOverInTheSamePass) {
  Cached test;
  const auto ids = ids_up_to(20);
  const auto a = test.cache.open(), b = test.cache.open();
  test.cache.plan(a, 20);
  test.cache.remember(a, 0, ids);
  EXPECT_EQ(test.cache.adopt(b, 0, ids, 19), 16);
}

TEST(KvCache, KnownPagesGiveWayToNewTokens) {
  Cached test(48);  // three pages
  const auto ids = ids_up_to(32);
  const auto a = test.cache.open();
  test.step({{a, 32}});
  test.cache.remember(a, 0, ids);
  test.close(a);
  const std::int64_t bytes = test.cache.bytes();
  const auto b = test.cache.open();
  test.step({{b, 40}});
  EXPECT_EQ(test.cache.bytes(), bytes);
  const auto c = test.cache.open();
  EXPECT_EQ(test.cache.adopt(c, 0, ids, 31), 0);
}

TEST(KvCache, AChangedTokenBehindAKnownPageLeavesThePageAlone) {
  Cached test;
  const auto ids = ids_up_to(16);
  const auto a = test.cache.open();
  test.step({{a, 16}});
  test.cache.remember(a, 0, ids);
  const at::Tensor known = test.keys[a];
  test.cache.truncate(a, 10);
  test.keys[a] = known.narrow(0, 0, 10);
  test.step({{a, 6}});  // other keys than those that are known
  const auto b = test.cache.open();
  EXPECT_EQ(test.cache.adopt(b, 0, ids, 16), 16);
  test.keys[b] = known;
  test.step({{b, 1}});
}

TEST(KvCache, LooksAtWholeRows) {
  Cached test;
  KvCache& cache = test.cache;
  const auto a = cache.open(), b = cache.open();
  test.step({{a, 18}, {b, 2}});
  const at::Tensor q = at::rand({3, 2, 8}, at::kFloat);
  cache.look(b);
  cache.look(a);
  cache.look(a);
  const at::Tensor mixed =
      cache.attend(1, q.to(at::Device(test::test_device())), {.scale = 1}).cpu();
  cache.end();
  const KvCache::Row rows[] = {b, a, a};
  for (int i = 0; i < 3; ++i) {
    const at::Tensor seen = test.keys[rows[i]].transpose(0, 1).unsqueeze(0);
    const at::Tensor wanted = at::scaled_dot_product_attention(q[i].unsqueeze(0).unsqueeze(2), seen,
                                                               seen, {}, 0.0, false, 1.0);
    EXPECT_LT((mixed[i] - wanted.squeeze()).abs().max().item<float>(), 1e-5);
  }
}

TEST(KvCache, NamesMisuse) {
  Cached test;
  KvCache& cache = test.cache;
  const auto a = cache.open();
  cache.plan(a, 2);
  EXPECT_THROW(cache.plan(a, 2), Error);
  EXPECT_THROW(cache.fork(a), Error);
  EXPECT_THROW(cache.store(0, at::rand({3, 2, 8}), at::rand({3, 2, 8})), Error);
  EXPECT_THROW(cache.attend(0, at::rand({1, 2, 8}), {}), Error);
  cache.close(a);
  EXPECT_THROW(cache.length(a), Error);
  EXPECT_THROW(cache.length(7), Error);
}

}  // namespace
}  // namespace llmctl
