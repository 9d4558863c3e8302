// Number formats of ggml, the library under llama.cpp, as its files store them: block types hold
// groups of values of a row with a shared scale.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace llmctl {

/// The types whose values are read and written here, with ggml's numbers.
enum class GgmlType : std::uint32_t { kF32 = 0, kF16 = 1, kQ4_0 = 2, kQ8_0 = 8, kBF16 = 30 };

/// What is known of any type.
struct GgmlTypeInfo {
  std::uint32_t number;
  const char* name;            ///< "F16", "Q4_K", …
  std::uint64_t block_values;  ///< a row is a multiple of so many values
  std::uint64_t block_bytes;   ///< that take so many bytes
  bool readable;               ///< one of GgmlType
};

/// nullptr for a number that no type has.
const GgmlTypeInfo* find_ggml_type(std::uint32_t number);
const GgmlTypeInfo& ggml_type_info(GgmlType type);
/// By its name in any case: "q8_0".
std::optional<GgmlType> ggml_type_named(std::string_view name);

/// IEEE 754 binary16 and bfloat16, to the nearest, ties to even; NaN stays NaN.
std::uint16_t half_of(float value);
float float_of_half(std::uint16_t half);
std::uint16_t bfloat16_of(float value);
float float_of_bfloat16(std::uint16_t value);

/// `count` values, a multiple of the type's block, to and from the bytes of a file. Blocks are
/// quantised as ggml's reference does: q8_0 32 values as d·q, q in -127 … 127, d = max|x|/127 in
/// fp16; q4_0 32 values as d·(q - 8), q in 0 … 15, d = x/-8 for the x of the largest magnitude.
/// Returned is how many values the type cannot hold: finite ones beyond its range, and the blocks
/// that have such a scale or something that is no number.
std::size_t encode_ggml(GgmlType type, const float* values, std::size_t count, std::byte* bytes);
void decode_ggml(GgmlType type, const std::byte* bytes, std::size_t count, float* values);

}  // namespace llmctl
