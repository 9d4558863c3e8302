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

/// Tiles of kOutputs × kRows, and of single outputs behind them.
template <class Kernel, int kOutputs, int kRows>
void multiply_strip(const Product& product, std::int64_t begin, std::int64_t end,
                    std::int64_t row) {
  std::int64_t o = begin;
  for (; o + kOutputs <= end; o += kOutputs) {
    Kernel::template tile<kOutputs, kRows>(product, o, row);
  }
  for (; o < end; ++o) Kernel::template tile<1, kRows>(product, o, row);
}

template <class Kernel, int kOutputs, int kRows>
void multiply_rows(const Product& product, std::int64_t begin, std::int64_t end, std::int64_t row,
                   std::int64_t rows) {
  if constexpr (kRows > 0) {
    if (rows == kRows) return multiply_strip<Kernel, kOutputs, kRows>(product, begin, end, row);
    multiply_rows<Kernel, kOutputs, kRows - 1>(product, begin, end, row, rows);
  }
}

/// Few rows: the weight is read as it lies in memory, which is what takes the time. More: tiles of
/// 4 outputs and at most Kernel::kRows rows, which pass over a block of the weight that stays in
/// the near caches.
template <class Kernel>
void multiply_in_tiles(const Product& product, std::int64_t begin, std::int64_t end) {
  constexpr int kFew = 8;
  if (product.rows <= kFew) {
    return multiply_rows<Kernel, Kernel::kFewOutputs, kFew>(product, begin, end, 0, product.rows);
  }
  constexpr std::size_t kNear = 20 << 10, kFar = 256 << 10;
  const std::size_t row_bytes = std::max<std::size_t>(product.weight.row_bytes(), 1);
  const bool rows_are_near = static_cast<std::size_t>(product.rows) * product.x_stride <= kNear;
  const auto fitting = static_cast<std::int64_t>((rows_are_near ? kNear : kFar) / row_bytes);
  const std::int64_t block = std::max<std::int64_t>(8, fitting / 8 * 8);
  const std::int64_t tiles = (product.rows + Kernel::kRows - 1) / Kernel::kRows;
  for (std::int64_t first = begin; first < end; first += block) {
    const std::int64_t last = std::min(first + block, end);
    std::int64_t row = 0;
    for (std::int64_t tile = tiles; tile > 0; --tile) {
      const std::int64_t rows = (product.rows - row + tile - 1) / tile;
      multiply_rows<Kernel, 4, Kernel::kRows>(product, first, last, row, rows);
      row += rows;
    }
  }
}

}  // namespace llmctl::kernels
