#include "io/ggml_type.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/threads.h"

namespace llmctl {
namespace {

constexpr std::size_t kBlock = 32;  // values of q8_0 and q4_0
constexpr std::size_t kQ8Bytes = 2 + kBlock, kQ4Bytes = 2 + kBlock / 2;

constexpr std::array kTypes = {
    GgmlTypeInfo{0, "F32", 1, 4, true},          GgmlTypeInfo{1, "F16", 1, 2, true},
    GgmlTypeInfo{2, "Q4_0", 32, 18, true},       GgmlTypeInfo{3, "Q4_1", 32, 20, false},
    GgmlTypeInfo{6, "Q5_0", 32, 22, false},      GgmlTypeInfo{7, "Q5_1", 32, 24, false},
    GgmlTypeInfo{8, "Q8_0", 32, 34, true},       GgmlTypeInfo{41, "Q1_0", 128, 18, false},
    GgmlTypeInfo{10, "Q2_K", 256, 84, false},    GgmlTypeInfo{11, "Q3_K", 256, 110, false},
    GgmlTypeInfo{12, "Q4_K", 256, 144, false},   GgmlTypeInfo{13, "Q5_K", 256, 176, false},
    GgmlTypeInfo{14, "Q6_K", 256, 210, false},   GgmlTypeInfo{40, "NVFP4", 64, 36, false},
    GgmlTypeInfo{16, "IQ2_XXS", 256, 66, false}, GgmlTypeInfo{17, "IQ2_XS", 256, 74, false},
    GgmlTypeInfo{18, "IQ3_XXS", 256, 98, false}, GgmlTypeInfo{19, "IQ1_S", 256, 50, false},
    GgmlTypeInfo{20, "IQ4_NL", 32, 18, false},   GgmlTypeInfo{21, "IQ3_S", 256, 110, false},
    GgmlTypeInfo{22, "IQ2_S", 256, 82, false},   GgmlTypeInfo{23, "IQ4_XS", 256, 136, false},
    GgmlTypeInfo{24, "I8", 1, 1, false},         GgmlTypeInfo{25, "I16", 1, 2, false},
    GgmlTypeInfo{26, "I32", 1, 4, false},        GgmlTypeInfo{27, "I64", 1, 8, false},
    GgmlTypeInfo{28, "F64", 1, 8, false},        GgmlTypeInfo{29, "IQ1_M", 256, 56, false},
    GgmlTypeInfo{30, "BF16", 1, 2, true},        GgmlTypeInfo{34, "TQ1_0", 256, 54, false},
    GgmlTypeInfo{35, "TQ2_0", 256, 66, false},   GgmlTypeInfo{39, "MXFP4", 32, 17, false}};

template <class T>
void put(std::byte* bytes, T value) {
  std::memcpy(bytes, &value, sizeof value);
}

template <class T>
T get(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

bool is_infinite_half(std::uint16_t half) {
  return (half & 0x7fff) == 0x7c00;
}

/// A block that holds no numbers, or whose scale fp16 cannot hold, is lost as a whole.
bool is_lost(float scale, const float* x) {
  return is_infinite_half(half_of(scale)) ||
         !std::all_of(x, x + kBlock, [](float value) { return std::isfinite(value); });
}

std::size_t encode_q8_0(const float* x, std::byte* bytes) {
  float most = 0;
  for (std::size_t i = 0; i < kBlock; ++i) most = std::max(most, std::fabs(x[i]));
  const float scale = most / 127;
  if (is_lost(scale, x)) return kBlock;
  put(bytes, half_of(scale));
  const float inverse = scale != 0 ? 1 / scale : 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    bytes[2 + i] = static_cast<std::byte>(static_cast<std::int8_t>(std::round(x[i] * inverse)));
  }
  return 0;
}

std::size_t encode_q4_0(const float* x, std::byte* bytes) {
  float most = 0, signed_most = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    if (std::fabs(x[i]) <= most) continue;
    most = std::fabs(x[i]);
    signed_most = x[i];
  }
  const float scale = signed_most / -8;
  if (is_lost(scale, x)) return kBlock;
  put(bytes, half_of(scale));
  const float inverse = scale != 0 ? 1 / scale : 0;
  const auto quantised = [&](float value) {
    return static_cast<unsigned>(std::min(15, static_cast<int>(value * inverse + 8.5F)));
  };
  // The first half of the block in the low four bits of its bytes, the second in the high ones.
  for (std::size_t i = 0; i < kBlock / 2; ++i) {
    bytes[2 + i] = static_cast<std::byte>(quantised(x[i]) | quantised(x[i + kBlock / 2]) << 4);
  }
  return 0;
}

}  // namespace

const GgmlTypeInfo* find_ggml_type(std::uint32_t number) {
  const auto found = std::find_if(kTypes.begin(), kTypes.end(),
                                  [&](const GgmlTypeInfo& type) { return type.number == number; });
  return found == kTypes.end() ? nullptr : &*found;
}

const GgmlTypeInfo& ggml_type_info(GgmlType type) {
  return *find_ggml_type(static_cast<std::uint32_t>(type));
}

std::optional<GgmlType> ggml_type_named(std::string_view name) {
  const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; };
  for (const GgmlTypeInfo& type : kTypes) {
    if (type.readable &&
        std::equal(name.begin(), name.end(), type.name, type.name + std::strlen(type.name),
                   [&](char a, char b) { return upper(a) == b; })) {
      return static_cast<GgmlType>(type.number);
    }
  }
  return std::nullopt;
}

std::uint16_t half_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return static_cast<std::uint16_t>(sign | 0x7e00);  // NaN
  // From half of the step above the largest finite value on, infinity.
  if (magnitude >= 0x477ff000) return static_cast<std::uint16_t>(sign | 0x7c00);
  std::uint32_t half = 0;
  if (magnitude < 0x38800000) {
    // Subnormal: in units of 2^-24, rounded by the addition of a number whose last bit is worth
    // that.
    const float rounded = std::bit_cast<float>(magnitude) + 0.5F;
    half = std::bit_cast<std::uint32_t>(rounded) - std::bit_cast<std::uint32_t>(0.5F);
  } else {
    half = (magnitude + 0xfff + (magnitude >> 13 & 1) - (std::uint32_t{112} << 23)) >> 13;
  }
  return static_cast<std::uint16_t>(sign | half);
}

float float_of_half(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half} >> 15 << 31, exponent = half >> 10 & 31,
                      fraction = half & 0x3ff;
  if (exponent == 0) {
    const float value = static_cast<float>(fraction) * 0x1p-24F;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

std::uint16_t bfloat16_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<std::uint16_t>(bits >> 16 | 64);
  return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float float_of_bfloat16(std::uint16_t value) {
  return std::bit_cast<float>(std::uint32_t{value} << 16);
}

namespace {

std::size_t encode_part(GgmlType type, const float* values, std::size_t count, std::byte* bytes) {
  std::size_t lost = 0;
  switch (type) {
    case GgmlType::kF32:
      std::memcpy(bytes, values, count * sizeof(float));
      return 0;
    case GgmlType::kF16:
      for (std::size_t i = 0; i < count; ++i) {
        const std::uint16_t half = half_of(values[i]);
        lost += is_infinite_half(half) && std::isfinite(values[i]);
        put(bytes + 2 * i, half);
      }
      return lost;
    case GgmlType::kBF16:
      for (std::size_t i = 0; i < count; ++i) {
        const std::uint16_t narrow = bfloat16_of(values[i]);
        lost += std::isfinite(values[i]) && !std::isfinite(float_of_bfloat16(narrow));
        put(bytes + 2 * i, narrow);
      }
      return lost;
    case GgmlType::kQ8_0:
      for (std::size_t i = 0; i < count / kBlock; ++i) {
        lost += encode_q8_0(values + i * kBlock, bytes + i * kQ8Bytes);
      }
      return lost;
    case GgmlType::kQ4_0:
      for (std::size_t i = 0; i < count / kBlock; ++i) {
        lost += encode_q4_0(values + i * kBlock, bytes + i * kQ4Bytes);
      }
      return lost;
  }
  fail(ErrorCode::kInternal, "a ggml type without an encoder");
}

void decode_part(GgmlType type, const std::byte* bytes, std::size_t count, float* values) {
  switch (type) {
    case GgmlType::kF32:
      std::memcpy(values, bytes, count * sizeof(float));
      return;
    case GgmlType::kF16:
      for (std::size_t i = 0; i < count; ++i) {
        values[i] = float_of_half(get<std::uint16_t>(bytes + 2 * i));
      }
      return;
    case GgmlType::kBF16:
      for (std::size_t i = 0; i < count; ++i) {
        values[i] = float_of_bfloat16(get<std::uint16_t>(bytes + 2 * i));
      }
      return;
    case GgmlType::kQ8_0:
      for (std::size_t block = 0; block < count / kBlock; ++block, bytes += kQ8Bytes) {
        const float scale = float_of_half(get<std::uint16_t>(bytes));
        for (std::size_t i = 0; i < kBlock; ++i) {
          *values++ = scale * static_cast<float>(std::to_integer<std::int8_t>(bytes[2 + i]));
        }
      }
      return;
    case GgmlType::kQ4_0:
      for (std::size_t block = 0; block < count / kBlock; ++block, bytes += kQ4Bytes) {
        const float scale = float_of_half(get<std::uint16_t>(bytes));
        for (std::size_t i = 0; i < kBlock / 2; ++i) {
          const int pair = std::to_integer<int>(bytes[2 + i]);
          values[i] = scale * static_cast<float>((pair & 15) - 8);
          values[i + kBlock / 2] = scale * static_cast<float>((pair >> 4) - 8);
        }
        values += kBlock;
      }
      return;
  }
}

/// Calls part(first value, values, first byte) for parts of whole blocks, on several threads.
template <class Part>
void for_parts(GgmlType type, std::size_t count, const Part& part) {
  constexpr std::size_t kValues = std::size_t{1} << 18;
  const GgmlTypeInfo& info = ggml_type_info(type);
  parallel_for((count + kValues - 1) / kValues, [&](std::size_t i) {
    const std::size_t first = i * kValues;
    part(first, std::min(kValues, count - first), first / info.block_values * info.block_bytes);
  });
}

}  // namespace

std::size_t encode_ggml(GgmlType type, const float* values, std::size_t count, std::byte* bytes) {
  std::atomic<std::size_t> lost = 0;
  for_parts(type, count, [&](std::size_t first, std::size_t size, std::size_t at) {
    lost += encode_part(type, values + first, size, bytes + at);
  });
  return lost;
}

void decode_ggml(GgmlType type, const std::byte* bytes, std::size_t count, float* values) {
  for_parts(type, count, [&](std::size_t first, std::size_t size, std::size_t at) {
    decode_part(type, bytes + at, size, values + first);
  });
}

}  // namespace llmctl
