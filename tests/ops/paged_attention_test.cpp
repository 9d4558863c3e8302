#include "ops/paged_attention.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "gradient_check.h"
#include "kernel_targets.h"
#include "ops/backend.h"
#include "ops/kernels/matmul_x86.h"

namespace llmctl {
namespace {

using test::distance;

class PagedAttention : public test::KernelTargets {
 protected:
  void SetUp() override {
    KernelTargets::SetUp();
    seed_generator(at::Device(at::kCPU), 11);
  }
};
INSTANTIATE_TEST_SUITE_P(Kernels, PagedAttention, test::kernel_targets(), test::target_name);

struct Shape {
  std::int64_t heads, kv_heads, head_size;
  at::ScalarType type = at::kFloat;
};

/// Rows with keys and values of their own; their pages lie in the cache in descending order,
/// between pages that hold nothing but numbers that are none.
struct Rows {
  Shape shape;
  std::vector<at::Tensor> keys, values;  // [tokens, G, K]
  std::vector<std::vector<std::int32_t>> tables;
  PagedKeysValues cache;

  Rows(const Shape& form, const std::vector<std::int64_t>& lengths, bool by_kernel = true)
      : shape(form) {
    const auto pages_of = [](std::int64_t length) { return (length + kPage - 1) / kPage; };
    std::int64_t pages = 1;
    for (const auto length : lengths) pages += 2 * pages_of(length);
    const std::int64_t numbers = kPage * shape.head_size;
    for (at::Tensor* side : {&cache.keys, &cache.values}) {
      *side = at::full({pages, shape.kv_heads, numbers}, std::nan(""),
                       at::TensorOptions().dtype(shape.type));
    }
    std::vector<PagedSlot> slots;
    for (const auto length : lengths) {
      std::vector<std::int32_t>& table = tables.emplace_back();
      for (std::int64_t p = 0; p < pages_of(length); ++p) {
        pages -= 2;
        table.push_back(static_cast<std::int32_t>(pages));
      }
      for (std::int64_t j = 0; j < length; ++j) {
        slots.push_back(
            {table[static_cast<std::size_t>(j / kPage)], static_cast<std::int32_t>(j % kPage)});
      }
      table.push_back(-1);  // not there
      keys.push_back(at::randn({length, shape.kv_heads, shape.head_size}));
      values.push_back(at::randn({length, shape.kv_heads, shape.head_size}));
    }
    const at::Tensor k = at::cat(keys), v = at::cat(values);
    if (by_kernel) {
      store_paged(cache, k, v, slots);
    } else {
      store_paged_by_tensors(cache, k, v, PagedSlotIndices(slots, at::kCPU));
    }
  }

  PagedQuery query(std::size_t row, std::int64_t position, std::int64_t begin,
                   std::int64_t end) const {
    return {tables[row].data(), position, begin, end};
  }
};

/// One query by LibTorch: q [H, K].
at::Tensor expected(const Rows& rows, std::size_t row, const at::Tensor& q, const PagedQuery& query,
                    const PagedAttentionOptions& options) {
  if (query.begin >= query.end) return at::zeros_like(q);
  const std::int64_t group = rows.shape.heads / rows.shape.kv_heads;
  const auto seen = [&](const at::Tensor& x) {  // [S, G, K] → [1, H, S, K]
    return x.slice(0, query.begin, query.end)
        .to(rows.shape.type)
        .to(at::kFloat)
        .transpose(0, 1)
        .repeat_interleave(group, 0)
        .unsqueeze(0);
  };
  c10::optional<at::Tensor> bias;
  if (options.distance_bias.defined()) {
    const at::Tensor back = (query.position - at::arange(query.begin, query.end))
                                .clamp(0, options.distance_bias.size(1) - 1);
    bias = options.distance_bias.index_select(1, back).unsqueeze(1).unsqueeze(0);
  }
  return at::scaled_dot_product_attention(q.unsqueeze(1).unsqueeze(0), seen(rows.keys[row]),
                                          seen(rows.values[row]), bias, 0.0, false, options.scale)
      .squeeze(2)
      .squeeze(0);
}

/// Causal chunks of two rows (with a window, or none for 0), single queries, and one without keys.
struct Mixture {
  std::vector<PagedQuery> queries;
  std::vector<std::size_t> rows;

  Mixture(const Rows& all, std::int64_t window) {
    const auto add = [&](std::size_t row, std::int64_t from, std::int64_t to) {
      for (std::int64_t i = from; i < to; ++i) {
        queries.push_back(
            all.query(row, i, window ? std::max<std::int64_t>(0, i + 1 - window) : 0, i + 1));
        rows.push_back(row);
      }
    };
    add(0, 0, 150);
    add(1, 40, 75);
    queries.push_back(all.query(1, 3, 0, 0));
    rows.push_back(1);
    add(2, 136, 137);
    add(0, 199, 200);
    queries.push_back(all.query(2, 50, 0, 137));  // as over an encoder's states: later keys, too
    rows.push_back(2);
  }
};
const std::vector<std::int64_t> kLengths = {200, 75, 137};

struct Case {
  Shape shape;
  std::int64_t window = 0, distances = 0;
};
std::vector<Case> cases() {
  std::vector<Case> cases;
  for (const std::int64_t size : {16, 24, 64, 80, 128, 7}) cases.push_back({{4, 4, size}});
  for (const std::int64_t size : {24, 64, 128}) cases.push_back({{4, 2, size, at::kBFloat16}});
  cases.push_back({{14, 2, 64}});
  cases.push_back({{32, 1, 16}});
  cases.push_back({{4, 2, 64}, 37});
  cases.push_back({{4, 1, 64, at::kBFloat16}, 1});
  cases.push_back({{4, 4, 16}, 0, 33});
  cases.push_back({{6, 2, 80}, 100, 300});
  return cases;
}
PagedAttentionOptions options_of(const Case& test_case) {
  PagedAttentionOptions options;
  options.scale = 1 / std::sqrt(static_cast<double>(test_case.shape.head_size));
  if (test_case.distances > 0) {
    options.distance_bias = at::randn({test_case.shape.heads, test_case.distances}) * 2;
  }
  return options;
}
std::string name_of(const Case& c) {
  return std::to_string(c.shape.heads) + "/" + std::to_string(c.shape.kv_heads) + " heads of " +
         std::to_string(c.shape.head_size) + ", " + toString(c.shape.type) + ", window " +
         std::to_string(c.window) + ", distances " + std::to_string(c.distances);
}

/// How far results may be off: where the processor multiplies pairs of bf16, queries and weights
/// are rounded to eight bits, too, which is less than 2⁻⁸ of the values, here of magnitudes to 4.
double tolerance(const Shape& shape, std::int64_t target) {
  const bool rounds = target <= HWY_AVX3 && kernels::has_avx512_products(kernels::Form::kBf16);
  return shape.type == at::kBFloat16 && rounds ? 0.0156 : 1e-5;
}

TEST_P(PagedAttention, IsScaledDotProductAttention) {
  for (const Case& test_case : cases()) {
    const double most = tolerance(test_case.shape, GetParam());
    const Rows rows(test_case.shape, kLengths);
    const Mixture mixture(rows, test_case.window);
    const PagedAttentionOptions options = options_of(test_case);
    const at::Tensor q =
        at::randn({std::ssize(mixture.queries), test_case.shape.heads, test_case.shape.head_size}) *
        2;
    const at::Tensor got = paged_attention(q, rows.cache, mixture.queries, options);
    for (const std::int64_t least_pages : {1, 24}) {
      const at::Tensor other = paged_attention_by_tensors(
          q, rows.cache, PagedQueryIndices(mixture.queries, at::kCPU, least_pages), options);
      EXPECT_LE(distance(got, other), most) << name_of(test_case);
    }
    at::Tensor wanted = at::empty_like(q);
    for (std::int64_t i = 0; i < q.size(0); ++i) {
      const auto index = static_cast<std::size_t>(i);
      wanted[i] = expected(rows, mixture.rows[index], q[i], mixture.queries[index], options);
    }
    EXPECT_LE(distance(got, wanted), most) << name_of(test_case);
  }
}

TEST_P(PagedAttention, OfAQueryDoesNotDependOnTheOthers) {
  for (const Case& test_case : cases()) {
    const Rows rows(test_case.shape, kLengths);
    const Mixture mixture(rows, test_case.window);
    const PagedAttentionOptions options = options_of(test_case);
    const at::Tensor q =
        at::randn({std::ssize(mixture.queries), test_case.shape.heads, test_case.shape.head_size});
    const at::Tensor together = paged_attention(q, rows.cache, mixture.queries, options);
    const std::span<const PagedQuery> all = mixture.queries;
    for (const std::size_t chunk : {1, 2, 5, 17, 64}) {
      std::vector<at::Tensor> parts;
      for (std::size_t i = 0; i < all.size(); i += chunk) {
        const std::size_t count = std::min(chunk, all.size() - i);
        parts.push_back(paged_attention(
            q.narrow(0, static_cast<std::int64_t>(i), static_cast<std::int64_t>(count)), rows.cache,
            all.subspan(i, count), options));
      }
      EXPECT_TRUE(at::cat(parts).equal(together)) << name_of(test_case) << ", by " << chunk;
    }
    const std::vector<PagedQuery> reversed(mixture.queries.rbegin(), mixture.queries.rend());
    EXPECT_TRUE(paged_attention(q.flip(0), rows.cache, reversed, options).flip(0).equal(together))
        << name_of(test_case);
  }
}

TEST_P(PagedAttention, DoesNotDependOnThreads) {
  const Case test_case{{8, 4, 64}};
  const Rows rows(test_case.shape, kLengths);
  const Mixture mixture(rows, 0);
  const PagedAttentionOptions options = options_of(test_case);
  const at::Tensor q = at::randn({std::ssize(mixture.queries), 8, 64});
  const int before = at::get_num_threads();
  const at::Tensor one = paged_attention(q, rows.cache, mixture.queries, options);
  for (const int threads : {2, 3}) {
    at::set_num_threads(threads);
    EXPECT_TRUE(paged_attention(q, rows.cache, mixture.queries, options).equal(one)) << threads;
  }
  at::set_num_threads(before);
}

/// What a query does not see may be infinite or no number: its neighbours' values, too.
TEST_P(PagedAttention, IsNotTouchedByWhatItDoesNotSee) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const std::int64_t touched : {66, 67}) {  // either of a pair
      const Case test_case{{2, 2, 24, type}};
      const Rows rows(test_case.shape, {70});
      const PagedAttentionOptions options = options_of(test_case);
      std::vector<PagedQuery> queries;
      for (std::int64_t i = 0; i < 70; ++i) queries.push_back(rows.query(0, i, 0, i + 1));
      for (std::int64_t i = touched + 1; i < 70; ++i) {
        queries.push_back(rows.query(0, i, touched + 1, i + 1));
      }
      const at::Tensor q = at::randn({std::ssize(queries), 2, 24});
      const at::Tensor before = paged_attention(q, rows.cache, queries, options);
      const at::Tensor infinite =
          at::full({1, 2, 24}, std::numeric_limits<float>::infinity(), at::TensorOptions());
      const PagedSlot slot = {rows.tables[0][static_cast<std::size_t>(touched / kPage)],
                              static_cast<std::int32_t>(touched % kPage)};
      store_paged(rows.cache, infinite, infinite, {&slot, 1});
      const at::Tensor after = paged_attention(q, rows.cache, queries, options);
      EXPECT_TRUE(after.slice(0, 0, touched).equal(before.slice(0, 0, touched)));
      EXPECT_TRUE(after.slice(0, touched, 70).isnan().all().item<bool>());
      EXPECT_TRUE(after.slice(0, 70).equal(before.slice(0, 70)));
    }
  }
}

TEST_P(PagedAttention, StaysExactWithGreatScores) {
  // The weights of all but one key are 0 in fp32; the maximum comes last, and first.
  const Rows rows({1, 1, 16}, {130});
  const at::Tensor q = at::full({2, 1, 16}, 30.0, at::TensorOptions());
  for (const std::int64_t greatest : {0, 129}) {
    const PagedSlot slot = {rows.tables[0][static_cast<std::size_t>(greatest / kPage)],
                            static_cast<std::int32_t>(greatest % kPage)};
    const at::Tensor value = at::randn({1, 1, 16});
    store_paged(rows.cache, at::full({1, 1, 16}, greatest == 0 ? 10.0 : 20.0, at::TensorOptions()),
                value, {&slot, 1});
    const std::vector<PagedQuery> queries = {rows.query(0, 129, 0, 130), rows.query(0, 9, 0, 130)};
    const at::Tensor got = paged_attention(q, rows.cache, queries, {});
    EXPECT_LE(distance(got[0], value[0]), 1e-6);
    EXPECT_LE(distance(got[1], value[0]), 1e-6);
  }
}

TEST_P(PagedAttention, StoresAlikeInBothForms) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    seed_generator(at::Device(at::kCPU), 3);
    const Rows kernel({2, 2, 24, type}, {40, 7});
    seed_generator(at::Device(at::kCPU), 3);
    const Rows reference({2, 2, 24, type}, {40, 7}, false);
    const auto same = [](const at::Tensor& a, const at::Tensor& b) {
      return a.isnan().equal(b.isnan()) && a.nan_to_num(0).equal(b.nan_to_num(0));
    };
    EXPECT_TRUE(same(kernel.cache.keys, reference.cache.keys));
    EXPECT_TRUE(same(kernel.cache.values, reference.cache.values));
  }
}

}  // namespace
}  // namespace llmctl
