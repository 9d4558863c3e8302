#include "ops/kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <type_traits>
#include <vector>

// Arrays of vectors need a size that the compiler knows; such processors have NEON, too.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/kernels/attention.cpp"
#include <hwy/foreach_target.h>

#include <hwy/cache_control.h>

#include "ops/kernels/attention_x86.h"
#include "ops/kernels/math-inl.h"
#include "ops/kernels/matmul_x86.h"

HWY_BEFORE_NAMESPACE();
namespace llmctl::kernels::HWY_NAMESPACE {

using Floats = hn::CappedTag<float, kPage>;  // a vector never reaches beyond a page's row
using FloatVector = hn::Vec<Floats>;
using Words = hn::Vec<hn::RebindToUnsigned<Floats>>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(Floats()));
constexpr int kMaxRows = 6;  // of one register block
constexpr int kVectors =
    HWY_ARCH_ARM_A64 || HWY_MAX_BYTES >= 64 ? 4 : 2;  // 24 of 32 registers or 12 of 16
constexpr std::int64_t kBlock = 128;                  // keys between two looks at the maximum
constexpr int kBlockPages = kBlock / kPage;
static_assert(kBlock == kPairBlock);
constexpr float kNone = -std::numeric_limits<float>::infinity();

/// A vector of numbers, or of `n` and zeros behind them, at p: as they are, or of each pair of bf16
/// numbers in a word.
HWY_INLINE HWY_ATTR FloatVector load(Floats d, const float* p, std::size_t n) {
  if (n == kLanes) return hn::LoadU(d, p);
  HWY_ALIGN float some[kLanes] = {};
  std::copy_n(p, n, some);
  return hn::Load(d, some);
}
HWY_INLINE HWY_ATTR Words load(Floats /*d*/, const std::uint16_t* p, std::size_t n) {
  const hn::RebindToUnsigned<Floats> words;
  if (n == kLanes) return hn::LoadU(words, reinterpret_cast<const std::uint32_t*>(p));
  HWY_ALIGN std::uint32_t some[kLanes] = {};
  std::memcpy(some, p, n * sizeof(std::uint32_t));
  return hn::Load(words, some);
}
HWY_INLINE HWY_ATTR FloatVector first_of(Floats d, Words pairs) {
  return hn::BitCast(d, hn::ShiftLeft<16>(pairs));
}
HWY_INLINE HWY_ATTR FloatVector second_of(Floats d, Words pairs) {
  return hn::BitCast(d, hn::And(pairs, hn::Set(hn::RebindToUnsigned<Floats>(), 0xFFFF0000u)));
}

/// 2^x for x ≤ 0, within 2e-7; 0 below -126; what is not a number stays so. (Cephes' exp2f.)
HWY_INLINE HWY_ATTR FloatVector power_of_two(Floats d, FloatVector x) {
  const hn::RebindToSigned<Floats> integers;
  const auto least = hn::Set(d, -126.0f);
  const auto whole = hn::NearestInt(hn::Max(x, least));
  const auto r = hn::Sub(x, hn::ConvertTo(d, whole));
  auto y = hn::Set(d, 1.535336188319500e-4f);
  y = hn::MulAdd(y, r, hn::Set(d, 1.339887440266574e-3f));
  y = hn::MulAdd(y, r, hn::Set(d, 9.618437357674640e-3f));
  y = hn::MulAdd(y, r, hn::Set(d, 5.550332471162809e-2f));
  y = hn::MulAdd(y, r, hn::Set(d, 2.402264791363012e-1f));
  y = hn::MulAdd(y, r, hn::Set(d, 6.931472028550421e-1f));
  y = hn::MulAdd(y, r, hn::Set(d, 1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::Add(whole, hn::Set(integers, 127)));
  return hn::IfThenZeroElse(hn::Lt(x, least), hn::Mul(y, hn::BitCast(d, exponent)));
}

/// Numbers of one key, or keys of one number, that lie beside each other.
template <class T>
constexpr int kOfOne = std::is_same_v<T, float> ? 1 : 2;

/// What a tile of rows keeps from block to block. A row is a query and one of its heads.
struct Row {
  const float* bias;  // of its head, or null
  const PagedQuery* query;
  float largest, sum;
  std::int64_t begin, end;  // seen in this block, counted from its begin
};
struct Tile {
  std::int64_t count, head_size, stride;  // stride: head_size in whole vectors
  std::vector<Row> rows;                  // [kAttentionRows]
  std::vector<float> queries;             // [kAttentionRows, head_size], times scale · log2(e)
  std::vector<float> outputs;             // [kAttentionRows, stride]
  std::vector<float> scores;              // [kMaxRows, kBlock]
  bool in_pairs;                          // by attention_x86.h; then in bf16, too:
  std::vector<std::uint32_t> query_pairs, weight_pairs;
};
template <class T>
struct Block {
  const T* keys[kBlockPages];
  const T* values[kBlockPages];
  const T* next_keys[kBlockPages];  // of the block to come
  bool prefetch;  // few rows: as fast as memory, whose own guesses end with a page
};

/// sums[m] += number[m] · vector for M rows.
template <int M, int N>
HWY_INLINE HWY_ATTR void add_products(Floats d, const float* numbers, std::int64_t stride,
                                      const FloatVector (&vectors)[N], FloatVector (&sums)[M][N]) {
  HWY_UNROLL(8)
  for (int m = 0; m < M; ++m) {
    const auto number = hn::Set(d, numbers[m * stride]);
    HWY_UNROLL(8)
    for (int v = 0; v < N; ++v) sums[m][v] = hn::MulAdd(number, vectors[v], sums[m][v]);
  }
}

/// scores[m, j] = Σk q[m, k] · keys[k, j] for N vectors of keys from key `first` on.
template <int M, int N, class T>
HWY_INLINE HWY_ATTR void score_strip(const Tile& tile, const Block<T>& block, std::int64_t row,
                                     std::int64_t first, float* scores) {
  const Floats d;
  constexpr int kNumbers = kOfOne<T>;
  const T *keys[N], *next[N];
  for (int v = 0; v < N; ++v) {
    const std::int64_t key = first + v * kLanes;
    keys[v] = block.keys[key / kPage] + key % kPage * kNumbers;
    next[v] = block.values[key / kPage] + key % kPage * kNumbers;
  }
  FloatVector sums[M][N];
  for (auto& line : sums) {
    for (auto& sum : line) sum = hn::Zero(d);
  }
  const float* const q = tile.queries.data() + row * tile.head_size;
  const std::int64_t size = tile.head_size;
  for (std::int64_t k = 0; k < size; k += kNumbers) {
    if (block.prefetch) {
      for (int v = 0; v < N; ++v) hwy::Prefetch(next[v] + k * kPage);
    }
    FloatVector key[N];
    if constexpr (kNumbers == 1) {
      HWY_UNROLL(8)
      for (int v = 0; v < N; ++v) key[v] = load(d, keys[v] + k * kPage, kLanes);
      add_products(d, q + k, size, key, sums);
    } else {
      HWY_UNROLL(8)
      for (int v = 0; v < N; ++v) key[v] = first_of(d, load(d, keys[v] + k * kPage, kLanes));
      add_products(d, q + k, size, key, sums);
      HWY_UNROLL(8)
      for (int v = 0; v < N; ++v) key[v] = second_of(d, load(d, keys[v] + k * kPage, kLanes));
      add_products(d, q + k + 1, size, key, sums);
    }
  }
  for (int m = 0; m < M; ++m) {
    for (int v = 0; v < N; ++v) {
      hn::StoreU(sums[m][v], d, scores + m * kBlock + first + v * kLanes);
    }
  }
}

/// outputs[m, c] += Σj weights[m, j] · values[j, c] for N vectors of columns from `column` on and
/// the keys from `begin` to `end`; the last vector has `some` columns.
template <int M, int N, class T>
HWY_INLINE HWY_ATTR void add_values(Tile& tile, const Block<T>& block, std::int64_t row,
                                    const float* weights, std::int64_t column, std::size_t some,
                                    std::int64_t begin, std::int64_t end) {
  const Floats d;
  constexpr int kNumbers = kOfOne<T>;
  float* const outputs = tile.outputs.data() + row * tile.stride + column;
  FloatVector sums[M][N];
  for (int m = 0; m < M; ++m) {
    for (int v = 0; v < N; ++v) sums[m][v] = hn::LoadU(d, outputs + m * tile.stride + v * kLanes);
  }
  for (std::int64_t j = begin / kNumbers * kNumbers; j < end; j += kNumbers) {
    const std::int64_t at = j % kPage * tile.head_size + column * kNumbers;
    const T* const values = block.values[j / kPage] + at;
    if (block.prefetch) {
      const T* const next = block.next_keys[j / kPage] + at;
      for (int v = 0; v < N; ++v) hwy::Prefetch(next + v * kLanes * kNumbers);
    }
    FloatVector value[N];
    if constexpr (kNumbers == 1) {
      HWY_UNROLL(8)
      for (int v = 0; v < N; ++v) value[v] = load(d, values + v * kLanes, some);
      add_products(d, weights + j, kBlock, value, sums);
    } else {
      if (j >= begin) {
        HWY_UNROLL(8)
        for (int v = 0; v < N; ++v) value[v] = first_of(d, load(d, values + 2 * v * kLanes, some));
        add_products(d, weights + j, kBlock, value, sums);
      }
      if (j + 1 < end) {
        HWY_UNROLL(8)
        for (int v = 0; v < N; ++v) value[v] = second_of(d, load(d, values + 2 * v * kLanes, some));
        add_products(d, weights + j + 1, kBlock, value, sums);
      }
    }
  }
  for (int m = 0; m < M; ++m) {
    for (int v = 0; v < N; ++v) hn::StoreU(sums[m][v], d, outputs + m * tile.stride + v * kLanes);
  }
}

template <int M, class T>
HWY_ATTR void add_values(Tile& tile, const Block<T>& block, std::int64_t row, const float* weights,
                         std::int64_t begin, std::int64_t end) {
  constexpr int vectors = M == 1 ? 4 : kVectors;
  std::int64_t column = 0;
  for (; column + vectors * kLanes <= tile.head_size; column += vectors * kLanes) {
    add_values<M, vectors>(tile, block, row, weights, column, kLanes, begin, end);
  }
  for (; column + kLanes <= tile.head_size; column += kLanes) {
    add_values<M, 1>(tile, block, row, weights, column, kLanes, begin, end);
  }
  if (column < tile.head_size) {
    const auto some = static_cast<std::size_t>(tile.head_size - column);
    add_values<M, 1>(tile, block, row, weights, column, some, begin, end);
  }
}

/// Turns M rows' scores of a block into weights relative to each row's maximum so far, and brings
/// what a row has summed to that maximum. `end`: where no row sees further keys. What a row does
/// not see has weight 0, so that its sum has one order whatever the rows beside it see.
template <int M>
HWY_INLINE HWY_ATTR void weigh(const PagedAttention& args, Tile& tile, std::int64_t first,
                               std::int64_t block_begin, std::int64_t end, float* scores) {
  const Floats d;
  Row* const rows = tile.rows.data() + first;
  const std::int64_t numbers = (end + kLanes - 1) / kLanes * kLanes;
  for (int m = 0; m < M; ++m) {
    const Row& row = rows[m];
    float* const own = scores + m * kBlock;
    std::fill(own, own + std::min(row.begin, numbers), kNone);
    std::fill(own + std::min(row.end, numbers), own + numbers, kNone);
    if (!row.bias) continue;
    const std::int64_t back = row.query->position - block_begin;
    for (std::int64_t j = row.begin; j < row.end; ++j) {
      const std::int64_t distance = std::clamp<std::int64_t>(back - j, 0, args.distances - 1);
      own[j] += row.bias[distance] * std::numbers::log2e_v<float>;
    }
  }
  // Row by row these would be chains of operations that wait for one another.
  FloatVector most[M], shift[M], sum[M];
  for (auto& own : most) own = hn::Set(d, kNone);
  for (std::int64_t j = 0; j < numbers; j += kLanes) {
    HWY_UNROLL(8)
    for (int m = 0; m < M; ++m) most[m] = hn::Max(most[m], hn::LoadU(d, scores + m * kBlock + j));
  }
  float before[M];
  HWY_UNROLL(8)
  for (int m = 0; m < M; ++m) {
    before[m] = rows[m].largest;
    rows[m].largest = std::max(before[m], hn::GetLane(hn::MaxOfLanes(d, most[m])));
    shift[m] = hn::Set(d, rows[m].largest == kNone ? 0.0f : rows[m].largest);
    sum[m] = hn::Zero(d);
  }
  for (std::int64_t j = 0; j < numbers; j += kLanes) {
    HWY_UNROLL(8)
    for (int m = 0; m < M; ++m) {
      float* const own = scores + m * kBlock + j;
      const auto weight = power_of_two(d, hn::Sub(hn::LoadU(d, own), shift[m]));
      hn::StoreU(weight, d, own);
      sum[m] = hn::Add(sum[m], weight);
    }
  }
  HWY_UNROLL(8)
  for (int m = 0; m < M; ++m) {
    if (before[m] != rows[m].largest && before[m] != kNone) {
      const auto factor = power_of_two(d, hn::Sub(hn::Set(d, before[m]), shift[m]));
      rows[m].sum *= hn::GetLane(factor);
      float* const outputs = tile.outputs.data() + (first + m) * tile.stride;
      for (std::int64_t c = 0; c < tile.stride; c += kLanes) {
        hn::StoreU(hn::Mul(hn::LoadU(d, outputs + c), factor), d, outputs + c);
      }
    }
    rows[m].sum += hn::GetLane(hn::SumOfLanes(d, sum[m]));
  }
}

/// M rows from `first` on against one block of keys.
template <int M, class T>
HWY_ATTR void attend_rows(const PagedAttention& args, Tile& tile, const Block<T>& block,
                          std::int64_t first, std::int64_t block_begin) {
  const Row* const rows = tile.rows.data() + first;
  std::int64_t begin = kBlock, end = 0, common_begin = 0, common_end = kBlock;
  for (int m = 0; m < M; ++m) {
    common_begin = std::max(common_begin, rows[m].begin);
    common_end = std::min(common_end, rows[m].end);
    if (rows[m].begin == rows[m].end) continue;
    begin = std::min(begin, rows[m].begin);
    end = std::max(end, rows[m].end);
  }
  if (begin >= end) return;
  float* const scores = tile.scores.data();
  std::uint32_t* const pairs = tile.weight_pairs.data();
  PairBlock words = {};
  if constexpr (kOfOne<T> == 2) {
    words = {tile.head_size, block.keys, block.values, block.next_keys, block.prefetch};
  }
  constexpr int vectors = M == 1 ? 4 : kVectors;
  constexpr std::int64_t strip = vectors * kLanes;
  if (tile.in_pairs) {
    const std::uint32_t* const q = tile.query_pairs.data() + first * tile.head_size / 2;
    score_pairs(M, words, q, begin, end, scores);
  } else {
    for (std::int64_t j = begin / strip * strip; j < end; j += strip) {
      score_strip<M, vectors>(tile, block, first, j, scores);
    }
  }
  weigh<M>(args, tile, first, block_begin, end, scores);
  if (tile.in_pairs) x86_round_to_bf16(scores, M * kBlock, reinterpret_cast<std::byte*>(pairs));
  const auto add_one = [&](int m, std::int64_t from, std::int64_t to) HWY_ATTR {
    if (tile.in_pairs) {
      float* const outputs = tile.outputs.data() + (first + m) * tile.stride;
      add_value_pairs(1, words, pairs + m * kBlock / 2, from, to, outputs, tile.stride);
    } else {
      add_values<1>(tile, block, first + m, scores + m * kBlock, from, to);
    }
  };
  // A row must not meet values that it does not see, not even with weight 0: they may be infinite.
  // Two keys of which a row sees both are added at once, whatever the rows beside it see.
  if (tile.in_pairs) common_begin += common_begin % 2, common_end -= common_end % 2;
  if (M == 1 || common_begin >= common_end) common_begin = common_end = kBlock;
  for (int m = 0; m < M; ++m) add_one(m, rows[m].begin, std::min(rows[m].end, common_begin));
  if (common_begin == common_end) return;
  if (tile.in_pairs) {
    float* const outputs = tile.outputs.data() + first * tile.stride;
    add_value_pairs(M, words, pairs, common_begin, common_end, outputs, tile.stride);
  } else {
    add_values<M>(tile, block, first, scores, common_begin, common_end);
  }
  for (int m = 0; m < M; ++m) add_one(m, common_end, rows[m].end);
}

template <class T>
HWY_ATTR void attend_block(const PagedAttention& args, Tile& tile, const Block<T>& block,
                           std::int64_t block_begin) {
  for (std::int64_t row = 0; row < tile.count; row += kMaxRows) {
    switch (std::min<std::int64_t>(kMaxRows, tile.count - row)) {
      case 1:
        attend_rows<1>(args, tile, block, row, block_begin);
        break;
      case 2:
        attend_rows<2>(args, tile, block, row, block_begin);
        break;
      case 3:
        attend_rows<3>(args, tile, block, row, block_begin);
        break;
      case 4:
        attend_rows<4>(args, tile, block, row, block_begin);
        break;
      case 5:
        attend_rows<5>(args, tile, block, row, block_begin);
        break;
      default:
        attend_rows<6>(args, tile, block, row, block_begin);
        break;
    }
  }
}

/// The pages of the block at `begin`; those that no row sees are replaced by one that a row does.
/// False when there is none.
template <class T>
HWY_ATTR bool find_pages(const PagedCache& cache, const Tile& tile, std::int64_t head,
                         std::int64_t begin, Block<T>& block) {
  const std::int64_t size = kPage * tile.head_size;
  int some = -1;
  bool seen[kBlockPages];
  for (int p = 0; p < kBlockPages; ++p) {
    const std::int64_t at = begin + p * kPage;
    seen[p] = false;
    for (std::int64_t r = 0; r < tile.count && !seen[p]; ++r) {
      const PagedQuery& query = *tile.rows[static_cast<std::size_t>(r)].query;
      seen[p] = query.begin < query.end && query.begin < at + kPage && query.end > at;
    }
    if (!seen[p]) continue;
    some = p;
    const std::int64_t page = tile.rows.front().query->pages[at / kPage];
    block.keys[p] = static_cast<const T*>(cache.keys) + (page * cache.kv_heads + head) * size;
    block.values[p] = static_cast<const T*>(cache.values) + (page * cache.kv_heads + head) * size;
  }
  if (some < 0) return false;
  for (int p = 0; p < kBlockPages; ++p) {
    if (!seen[p]) block.keys[p] = block.keys[some], block.values[p] = block.values[some];
  }
  return true;
}

/// The tile's rows against all that they see.
template <class T>
HWY_ATTR void attend_tile(const PagedAttention& args, Tile& tile, std::int64_t head) {
  std::int64_t begin = std::numeric_limits<std::int64_t>::max(), end = 0;
  for (std::int64_t r = 0; r < tile.count; ++r) {
    const PagedQuery& query = *tile.rows[static_cast<std::size_t>(r)].query;
    if (query.begin >= query.end) continue;
    begin = std::min(begin, query.begin);
    end = std::max(end, query.end);
  }
  if (begin >= end) return;
  std::int64_t at = begin / kBlock * kBlock;
  Block<T> block, next;
  bool seen = find_pages(args.cache, tile, head, at, block);
  for (; at < end; at += kBlock) {
    const bool next_seen = find_pages(args.cache, tile, head, at + kBlock, next);
    if (seen) {
      block.prefetch = tile.count <= kMaxRows;
      std::copy_n(next_seen ? next.keys : block.keys, kBlockPages, block.next_keys);
      for (std::int64_t r = 0; r < tile.count; ++r) {
        Row& row = tile.rows[static_cast<std::size_t>(r)];
        row.begin = std::clamp<std::int64_t>(row.query->begin - at, 0, kBlock);
        row.end = std::clamp<std::int64_t>(row.query->end - at, row.begin, kBlock);
      }
      attend_block(args, tile, block, at);
    }
    block = next;
    seen = next_seen;
  }
}

HWY_ATTR void attend(const PagedAttention& args, const float* q, const PagedQuery* queries,
                     std::int64_t n, std::int64_t first_head, std::int64_t last_head, float* out) {
  static thread_local Tile tile;
  const std::int64_t size = args.cache.head_size, group = args.heads / args.cache.kv_heads;
  const std::int64_t stride = (size + kLanes - 1) / kLanes * kLanes;
  const auto numbers = [](std::int64_t count) { return static_cast<std::size_t>(count); };
  tile.head_size = size;
  tile.stride = stride;
  tile.rows.resize(numbers(kAttentionRows));
  tile.queries.resize(numbers(kAttentionRows * size));
  tile.outputs.resize(numbers(kAttentionRows * stride));
  tile.scores.resize(numbers(kMaxRows * kBlock));
  tile.in_pairs =
      args.cache.bf16 && HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3 && has_avx512_products(Form::kBf16);
  if (tile.in_pairs) {
    tile.query_pairs.resize(numbers(kAttentionRows * size / 2 + 15));  // rounded by 16 words
    tile.weight_pairs.resize(numbers(kMaxRows * kBlock / 2));
  }
  const float scale = args.scale * std::numbers::log2e_v<float>;
  for (std::int64_t head = first_head; head < last_head; ++head) {
    // Row i of the list is head i % group of query i / group.
    for (std::int64_t at = 0; at < n * group; at += tile.count) {
      const std::int32_t* const pages = queries[at / group].pages;
      tile.count = 0;
      for (std::int64_t i = at; i < n * group && tile.count < kAttentionRows; ++i, ++tile.count) {
        const PagedQuery& query = queries[i / group];
        if (query.pages != pages) break;
        const std::int64_t own_head = head * group + i % group;
        const float* const from = q + (i / group * args.heads + own_head) * size;
        float* const to = tile.queries.data() + tile.count * size;
        for_each(size, [&](auto d, std::int64_t k) HWY_ATTR {
          hn::StoreU(hn::Mul(hn::LoadU(d, from + k), hn::Set(d, scale)), d, to + k);
        });
        const float* const bias =
            args.distance_bias ? args.distance_bias + own_head * args.distances : nullptr;
        tile.rows[numbers(tile.count)] = {bias, &query, kNone, 0, 0, 0};
      }
      if (tile.in_pairs) {
        x86_round_to_bf16(tile.queries.data(), tile.count * size,
                          reinterpret_cast<std::byte*>(tile.query_pairs.data()));
      }
      std::fill_n(tile.outputs.begin(), tile.count * stride, 0.0f);
      if (args.cache.bf16) {
        attend_tile<std::uint16_t>(args, tile, head);
      } else {
        attend_tile<float>(args, tile, head);
      }
      for (std::int64_t r = 0; r < tile.count; ++r) {
        const std::int64_t i = at + r;
        const float sum = tile.rows[numbers(r)].sum;
        const float factor = sum == 0 ? 0.0f : 1.0f / sum;
        const float* const from = tile.outputs.data() + r * stride;
        float* const to = out + (i / group * args.heads + head * group + i % group) * size;
        for_each(size, [&](auto d, std::int64_t k) HWY_ATTR {
          hn::StoreU(hn::Mul(hn::LoadU(d, from + k), hn::Set(d, factor)), d, to + k);
        });
      }
    }
  }
}

/// One number of each lane, rounded to the nearest, ties to even; what is not a number stays so.
template <class D>
HWY_INLINE HWY_ATTR void put(D d, hn::Vec<D> x, float* to) {
  hn::StoreU(x, d, to);
}
template <class D>
HWY_INLINE HWY_ATTR void put(D /*d*/, hn::Vec<D> x, std::uint16_t* to) {
  const hn::RebindToUnsigned<D> wide;
  const hn::Rebind<std::uint16_t, D> half;
  const auto bits = hn::BitCast(wide, x);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(wide, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(wide, 0x7fff)));
  const auto kept = hn::Or(bits, hn::Set(wide, 0x400000));
  const auto nan = hn::RebindMask(wide, hn::IsNaN(x));
  hn::StoreU(hn::TruncateTo(half, hn::ShiftRight<16>(hn::IfThenElse(nan, kept, rounded))), half,
             to);
}

template <class T>
HWY_ATTR void store_heads(const PagedCache& cache, const float* keys, const float* values,
                          const PagedSlot* slots, std::int64_t n, std::int64_t first_head,
                          std::int64_t last_head) {
  constexpr int kNumbers = kOfOne<T>;
  const std::int64_t size = cache.head_size;
  std::vector<T> key(static_cast<std::size_t>(size)), value(key);
  for (std::int64_t head = first_head; head < last_head; ++head) {
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t from = (i * cache.kv_heads + head) * size;
      const std::int64_t page = (slots[i].page * cache.kv_heads + head) * kPage * size;
      for_each(size, [&](auto d, std::int64_t k) HWY_ATTR {
        put(d, hn::LoadU(d, keys + from + k), key.data() + k);
        put(d, hn::LoadU(d, values + from + k), value.data() + k);
      });
      const std::int64_t offset = slots[i].offset;
      T* const column = static_cast<T*>(cache.keys) + page + offset * kNumbers;
      for (std::int64_t k = 0; k < size; k += kNumbers) {
        std::copy_n(key.data() + k, kNumbers, column + k * kPage);
      }
      T* const line = static_cast<T*>(cache.values) + page + offset / kNumbers * kNumbers * size +
                      offset % kNumbers;
      for (std::int64_t k = 0; k < size; ++k)
        line[k * kNumbers] = value[static_cast<std::size_t>(k)];
    }
  }
}

HWY_ATTR void store(const PagedCache& cache, const float* keys, const float* values,
                    const PagedSlot* slots, std::int64_t n, std::int64_t first_head,
                    std::int64_t last_head) {
  if (cache.bf16) {
    store_heads<std::uint16_t>(cache, keys, values, slots, n, first_head, last_head);
  } else {
    store_heads<float>(cache, keys, values, slots, n, first_head, last_head);
  }
}

}  // namespace llmctl::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace llmctl::kernels {
HWY_EXPORT(store);

void store_paged(const PagedCache& cache, const float* keys, const float* values,
                 const PagedSlot* slots, std::int64_t n, std::int64_t first_head,
                 std::int64_t last_head) {
  HWY_DYNAMIC_DISPATCH(store)(cache, keys, values, slots, n, first_head, last_head);
}

HWY_EXPORT(attend);

void paged_attention(const PagedAttention& args, const float* q, const PagedQuery* queries,
                     std::int64_t n, std::int64_t first_head, std::int64_t last_head, float* out) {
  HWY_DYNAMIC_DISPATCH(attend)(args, q, queries, n, first_head, last_head, out);
}

}  // namespace llmctl::kernels
#endif
