// Reading the protocol-buffer wire format (proto2) without trust: every length and varint is
// checked against the bytes that are there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace llmctl {

/// Where a message stands in a file, for errors: "tokenizer.model: pieces[7]".
struct WirePlace {
  std::string_view source;  ///< the file
  std::string_view name;    ///< the field; empty for the outermost message
  std::int64_t index = -1;  ///< of a repeated field

  std::string describe() const;
  /// "SOURCE: NAME[INDEX].FIELD: message", as kData.
  [[noreturn]] void fail(std::string_view field, const std::string& message) const;
};

/// One field as it stands in the bytes.
struct WireField {
  enum class Type { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
  std::uint32_t number = 0;
  Type type = Type::kVarint;
  std::uint64_t value = 0;  ///< of a varint, or the bits of a fixed number
  std::string_view bytes;   ///< of kBytes
};

/// Goes through the fields of one message. Groups, which proto2 deprecated, are refused.
class WireReader {
 public:
  WireReader(std::string_view message, WirePlace place) : rest_(message), place_(place) {}

  /// The next field, or false at the end. Errors are kData.
  bool next(WireField& field);

  /// The field's value, which must be of the type asked for; `name` is for the error.
  std::string_view bytes(const WireField& field, std::string_view name) const;
  std::uint64_t varint(const WireField& field, std::string_view name) const;
  float number(const WireField& field, std::string_view name) const;
  bool flag(const WireField& field, std::string_view name) const {
    return varint(field, name) != 0;
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const;
  std::uint64_t take_varint();
  std::string_view take(std::uint64_t size);

  std::string_view rest_;
  WirePlace place_;
  std::uint64_t number_ = 0;  // of the field being read
};

}  // namespace llmctl
