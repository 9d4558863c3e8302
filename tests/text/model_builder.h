// Serialized SentencePiece models for tests, right or wrong as asked.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/sentencepiece_model.h"

namespace llmctl::test {

inline std::string wire_varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
inline std::string wire_integer(int field, std::uint64_t value) {
  return wire_varint(static_cast<std::uint64_t>(field) << 3) + wire_varint(value);
}
inline std::string wire_bytes(int field, std::string_view bytes) {
  return wire_varint(static_cast<std::uint64_t>(field) << 3 | 2) + wire_varint(bytes.size()) +
         std::string(bytes);
}
inline std::string wire_float(int field, float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  std::string bytes = wire_varint(static_cast<std::uint64_t>(field) << 3 | 5);
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(bits >> (8 * i));
  return bytes;
}

/// Builds a model piece by piece; what is not set is as the format's defaults have it.
class ModelBuilder {
 public:
  using Type = SentencePieceModel::PieceType;
  using Kind = SentencePieceModel::Kind;

  ModelBuilder& piece(std::string_view text, float score = 0, Type type = Type::kNormal) {
    pieces_ += wire_bytes(1, wire_bytes(1, text) + wire_float(2, score) +
                                 wire_integer(3, static_cast<std::uint64_t>(type)));
    return *this;
  }
  /// <unk>, <s>, </s>.
  ModelBuilder& specials() {
    return piece("<unk>", 0, Type::kUnknown)
        .piece("<s>", 0, Type::kControl)
        .piece("</s>", 0, Type::kControl);
  }
  ModelBuilder& bytes() {
    constexpr char kHex[] = "0123456789ABCDEF";
    for (int i = 0; i < 256; ++i) {
      piece(std::string("<0x") + kHex[i >> 4] + kHex[i & 15] + ">", 0, Type::kByte);
    }
    trainer_ += wire_integer(35, 1);
    return *this;
  }
  ModelBuilder& kind(Kind kind) {
    return trainer(wire_integer(3, static_cast<std::uint64_t>(kind)));
  }
  ModelBuilder& trainer(std::string_view field) {
    trainer_ += field;
    return *this;
  }
  ModelBuilder& normalizer(std::string_view field) {
    normalizer_ += field;
    return *this;
  }
  /// No dummy prefix, spaces kept.
  ModelBuilder& plain() { return normalizer(wire_integer(3, 0) + wire_integer(4, 0)); }
  /// A dummy prefix, spaces kept.
  ModelBuilder& prefixed() { return normalizer(wire_integer(3, 1) + wire_integer(4, 0)); }

  std::string serialized() const {
    return pieces_ + wire_bytes(2, trainer_) + wire_bytes(3, normalizer_);
  }
  SentencePieceModel build() const { return parse_sentencepiece_model(serialized(), "test.model"); }

 private:
  std::string pieces_, trainer_, normalizer_;
};

}  // namespace llmctl::test
