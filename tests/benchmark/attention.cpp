// How fast attention to pages is: prompts by products per second, single new tokens by the bytes of
// keys and values that they read. Prints a table; not a test.
//   cmake --build build/release --target attention_benchmark &&
//   build/release/bin/attention_benchmark [HEADS [KEY_HEADS [HEAD_SIZE]]]
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/randn.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "ops/paged_attention.h"
#include "timing.h"

namespace llmctl {
namespace {

struct Heads {
  std::int64_t queries, keys, size;
};

/// B rows of S tokens, of which the last T ask.
void measure(const Heads& heads, at::ScalarType type, std::int64_t b, std::int64_t s,
             std::int64_t t) {
  const std::int64_t pages = (s + kPage - 1) / kPage;
  PagedKeysValues cache;
  for (at::Tensor* part : {&cache.keys, &cache.values}) {
    *part = at::empty({b * pages, heads.keys, kPage, heads.size}, type);
  }
  std::vector<std::int32_t> tables(static_cast<std::size_t>(b * pages));
  std::iota(tables.begin(), tables.end(), 0);
  std::vector<PagedSlot> slots;
  std::vector<PagedQuery> queries;
  double seen = 0;
  for (std::int64_t row = 0; row < b; ++row) {
    const std::int32_t* const table = tables.data() + row * pages;
    for (std::int64_t at = 0; at < s; ++at) {
      slots.push_back({table[at / kPage], static_cast<std::int32_t>(at % kPage)});
      if (at < s - t) continue;
      queries.push_back({table, at, 0, at + 1});
      seen += static_cast<double>(at + 1);
    }
  }
  const at::Tensor keys = at::randn({b * s, heads.keys, heads.size});
  const double stored = seconds_of([&] { store_paged(cache, keys, keys, slots); });
  const at::Tensor q = at::randn({b * t, heads.queries, heads.size});
  PagedAttentionOptions options;
  options.scale = 1 / std::sqrt(static_cast<double>(heads.size));
  const double seconds = seconds_of([&] { paged_attention(q, cache, queries, options); });
  const double products = seen * static_cast<double>(4 * heads.queries * heads.size);
  const double bytes = static_cast<double>(cache.keys.nbytes() + cache.values.nbytes());
  std::printf(
      "%-5s %4ld rows of %5ld, %4ld new  %9.3f ms  %7.1f GFLOP/s  %6.1f GB/s  store %8.3f ms\n",
      type == at::kFloat ? "fp32" : "bf16", static_cast<long>(b), static_cast<long>(s),
      static_cast<long>(t), seconds * 1e3, products / seconds / 1e9, bytes / seconds / 1e9,
      stored * 1e3);
}

void measure_all(const Heads& heads) {
  std::printf("%ld heads, %ld of keys, size %ld; %d threads\n", static_cast<long>(heads.queries),
              static_cast<long>(heads.keys), static_cast<long>(heads.size), at::get_num_threads());
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const std::int64_t prompt : {128, 512, 2048}) measure(heads, type, 1, prompt, prompt);
    measure(heads, type, 1, 2048, 1);
    measure(heads, type, 8, 512, 1);
    measure(heads, type, 32, 512, 1);
  }
}

}  // namespace
}  // namespace llmctl

int main(int argc, char** argv) {
  const auto argument = [&](int index, std::int64_t otherwise) {
    return argc > index ? std::strtoll(argv[index], nullptr, 10) : otherwise;
  };
  llmctl::measure_all({argument(1, 9), argument(2, 3), argument(3, 64)});
}
