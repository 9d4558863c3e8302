// Attention to bf16 keys and values by AVX512-BF16's products of pairs, where matmul_x86.h has
// those of bf16. Private to this folder.
#pragma once

#include <cstdint>

namespace llmctl::kernels {

/// Rows and keys of one step: at most 6 rows, whose queries [K] and weights [kPairBlock] are bf16
/// numbers, two by two in a word.
inline constexpr std::int64_t kPairBlock = 128;
struct PairBlock {
  std::int64_t head_size;            ///< K, even
  const std::uint16_t* const* keys;  ///< pages of the block; as PagedCache says
  const std::uint16_t* const* values;
  const std::uint16_t* const* next_keys;  ///< to be fetched while values are added
  bool prefetch;
};

/// scores[m, j] = queries[m] · keys[j] for the keys from `begin` to `end` and some beside them;
/// scores [rows, kPairBlock].
void score_pairs(int rows, const PairBlock& block, const std::uint32_t* queries, std::int64_t begin,
                 std::int64_t end, float* scores);
/// outputs[m] += Σ weights[m, j] · values[j] for the keys from `begin` to `end`; outputs [rows,
/// stride]. A pair of which only one key is meant does not touch the other one's value.
void add_value_pairs(int rows, const PairBlock& block, const std::uint32_t* weights,
                     std::int64_t begin, std::int64_t end, float* outputs, std::int64_t stride);

}  // namespace llmctl::kernels
