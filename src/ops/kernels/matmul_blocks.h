// What the kernels of matrix products share. Private to this folder.
#pragma once

#include <algorithm>
#include <cstring>

#include "ops/kernels/matmul.h"

namespace llmctl::kernels {

/// Inputs that share one scale when they are rounded to eight bits.
inline constexpr std::int64_t kBlock = 128;

/// Bytes of the weight that are asked for ahead of their use.
inline constexpr std::uintptr_t kFetchAhead = 8 << 10;

/// The address there, which may lie outside the weight: it is not read.
inline const void* ahead_of(const void* from) {
  return reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(from) + kFetchAhead);
}

/// Where a row of inputs rounded to eight bits keeps what: values [blocks, 128] (0 behind the last
/// input), sums [blocks, 16] and scales [blocks].
struct RoundedRow {
  explicit RoundedRow(std::int64_t inputs) : blocks((inputs + kBlock - 1) / kBlock) {}
  std::size_t bytes() const {
    return (static_cast<std::size_t>(blocks) * (kBlock + kSumBytes + sizeof(float)) + 63) / 64 * 64;
  }
  std::int8_t* values(std::byte* row) const { return reinterpret_cast<std::int8_t*>(row); }
  const std::int8_t* values(const std::byte* row) const {
    return reinterpret_cast<const std::int8_t*>(row);
  }
  /// What the accumulators of a block begin with where the weight's numbers are taken as unsigned.
  std::int32_t* sums(std::byte* row) const {
    return reinterpret_cast<std::int32_t*>(row + blocks * kBlock);
  }
  const std::int32_t* sums(const std::byte* row) const {
    return reinterpret_cast<const std::int32_t*>(row + blocks * kBlock);
  }
  float* scales(std::byte* row) const {
    return reinterpret_cast<float*>(row + blocks * (kBlock + std::int64_t{kSumBytes}));
  }
  const float* scales(const std::byte* row) const {
    return reinterpret_cast<const float*>(row + blocks * (kBlock + std::int64_t{kSumBytes}));
  }

  static constexpr std::size_t kSumBytes = 64;
  std::int64_t blocks;
};

template <class T>
T load_unaligned(const void* from, std::int64_t index) {
  T value;
  std::memcpy(&value, static_cast<const std::byte*>(from) + index * std::int64_t{sizeof(T)},
              sizeof value);
  return value;
}

inline float widen_bf16(std::uint16_t bits) {
  const std::uint32_t wide = std::uint32_t{bits} << 16;
  float value;
  std::memcpy(&value, &wide, sizeof value);
  return value;
}

/// A row of the weight; as bytes, since it need not be aligned.
inline const std::byte* weight_row(const Product& product, std::int64_t output) {
  return static_cast<const std::byte*>(product.weight.values) +
         output * static_cast<std::int64_t>(product.weight.row_bytes());
}

/// A row of the inputs, prepared or not.
inline const std::byte* input_row(const Product& product, std::int64_t row) {
  return product.x + row * static_cast<std::int64_t>(product.x_stride);
}

/// The last block of a row of integers, which the row does not fill: `from`, since what lies behind
/// the row meets inputs of zero, or where nothing lies there a copy in `rest`.
template <std::size_t kBytes>
const std::byte* last_block(const WeightView& weight, const std::byte* from, std::int64_t output,
                            std::byte (&rest)[kBytes]) {
  const std::byte* const row = static_cast<const std::byte*>(weight.values) +
                               output * static_cast<std::int64_t>(weight.row_bytes());
  const std::byte* const end = static_cast<const std::byte*>(weight.values) +
                               weight.outputs * static_cast<std::int64_t>(weight.row_bytes());
  if (end - from >= static_cast<std::ptrdiff_t>(kBytes)) return from;
  std::memset(rest, 0, kBytes);
  std::copy(from, row + weight.row_bytes(), rest);
  return rest;
}

/// The bf16 scales of a row's groups in kInt4.
template <int kGroup>
const std::byte* row_scales(const WeightView& weight, std::int64_t output) {
  return static_cast<const std::byte*>(weight.scales) + output * (weight.inputs / kGroup) * 2;
}

/// Those of the last block, which the row does not fill, the first group's in the lowest bits.
/// Behind the row's last stands anything.
template <int kGroup>
std::uint64_t last_scales(const WeightView& weight, std::int64_t output) {
  constexpr std::ptrdiff_t kBytes = kBlock / kGroup * 2;
  const std::byte* const from =
      row_scales<kGroup>(weight, output) + weight.inputs / kBlock * kBytes;
  const std::ptrdiff_t left = row_scales<kGroup>(weight, weight.outputs) - from;
  std::uint64_t scales = 0;
  if (left >= kBytes) {
    std::memcpy(&scales, from, kBytes);
  } else {
    std::memcpy(&scales, from, static_cast<std::size_t>(left));
  }
  return scales;
}

/// What is multiplied next comes out of memory meanwhile, a few lines of a cache at a time.
class Ahead {
 public:
  Ahead() = default;
  Ahead(const std::byte* begin, const std::byte* end, std::int64_t times)
      : next_(begin), lines_((end - begin) / 64), portion_((lines_ + times - 1) / times) {}
  void fetch() {
    const std::int64_t count = std::min(portion_, lines_);
    for (std::int64_t i = 0; i < count; ++i) __builtin_prefetch(next_ + 64 * i, 0, 2);
    next_ += 64 * count;
    lines_ -= count;
  }

 private:
  const std::byte* next_ = nullptr;
  std::int64_t lines_ = 0, portion_ = 0;
};

/// Tiles of kOutputs × kRows, and of single outputs behind them.
template <class Kernel, int kOutputs, int kRows>
void multiply_strip(const Product& product, std::int64_t begin, std::int64_t end, std::int64_t row,
                    Ahead& ahead) {
  std::int64_t o = begin;
  for (; o + kOutputs <= end; o += kOutputs) {
    ahead.fetch();
    Kernel::template tile<kOutputs, kRows>(product, o, row);
  }
  for (; o < end; ++o) Kernel::template tile<1, kRows>(product, o, row);
}

template <class Kernel, int kOutputs, int kRows>
void multiply_rows(const Product& product, std::int64_t begin, std::int64_t end, std::int64_t row,
                   std::int64_t rows, Ahead& ahead) {
  if constexpr (kRows > 0) {
    if (rows == kRows) {
      return multiply_strip<Kernel, kOutputs, kRows>(product, begin, end, row, ahead);
    }
    multiply_rows<Kernel, kOutputs, kRows - 1>(product, begin, end, row, rows, ahead);
  }
}

/// Few rows, at most Kernel::kFew, and a weight that is large: it is read as it lies in memory,
/// which is what takes the time. Else tiles of 4 outputs and at most Kernel::kRows rows, which pass
/// over a block of the weight that stays in the near caches while the next one is fetched. The sums
/// are the same.
template <class Kernel>
void multiply_in_tiles(const Product& product, std::int64_t begin, std::int64_t end) {
  constexpr std::size_t kSmall = 512 << 10;  // most likely it is in a cache still
  const WeightView& weight = product.weight;
  const bool large = weight.row_bytes() * static_cast<std::size_t>(weight.outputs) > kSmall;
  Ahead nothing;
  if (product.rows <= Kernel::kFew && large) {
    return multiply_rows<Kernel, Kernel::kFewOutputs, Kernel::kFew>(product, begin, end, 0,
                                                                    product.rows, nothing);
  }
  constexpr std::size_t kNear = 20 << 10, kFar = 256 << 10;
  const std::size_t row_bytes = std::max<std::size_t>(weight.row_bytes(), 1);
  const bool rows_are_near = static_cast<std::size_t>(product.rows) * product.x_stride <= kNear;
  const auto fitting = static_cast<std::int64_t>((rows_are_near ? kNear : kFar) / row_bytes);
  const std::int64_t block = std::max<std::int64_t>(8, fitting / 8 * 8);
  const std::int64_t tiles = (product.rows + Kernel::kRows - 1) / Kernel::kRows;
  for (std::int64_t first = begin; first < end; first += block) {
    const std::int64_t last = std::min(first + block, end), after = std::min(last + block, end);
    // A single pass fetches what it reads.
    Ahead next = tiles == 1 ? nothing
                            : Ahead(weight_row(product, last), weight_row(product, after),
                                    tiles * ((last - first + 3) / 4));
    std::int64_t row = 0;
    for (std::int64_t tile = tiles; tile > 0; --tile) {
      const std::int64_t rows = (product.rows - row + tile - 1) / tile;
      multiply_rows<Kernel, 4, Kernel::kRows>(product, first, last, row, rows, next);
      row += rows;
    }
  }
}

}  // namespace llmctl::kernels
