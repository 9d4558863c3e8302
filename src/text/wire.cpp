#include "text/wire.h"

#include <bit>

namespace llmctl {
namespace {

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return value;
}

}  // namespace

std::string WirePlace::describe() const {
  std::string text(source);
  if (!name.empty()) text += concat(": ", name);
  if (index >= 0) text += concat("[", index, "]");
  return text;
}

void WirePlace::fail(std::string_view field, const std::string& message) const {
  const char* joint = field.empty() ? "" : name.empty() ? ": " : ".";
  llmctl::fail(ErrorCode::kData, describe(), joint, field, ": ", message);
}

void WireReader::refuse(const std::string& what) const {
  place_.fail("", concat("field ", number_, ": ", what, ": damaged, or not a SentencePiece model"));
}

std::uint64_t WireReader::take_varint() {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < 10; ++i) {
    if (i >= rest_.size()) refuse("ends inside a number");
    const auto byte = static_cast<unsigned char>(rest_[i]);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << (7 * i);
    if (byte < 0x80) {
      rest_.remove_prefix(i + 1);
      return value;
    }
  }
  refuse("a number of more than 10 bytes");
}

std::string_view WireReader::take(std::uint64_t size) {
  if (size > rest_.size()) {
    refuse(concat(size, " bytes where ", rest_.size(), " are left"));
  }
  const std::string_view taken = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return taken;
}

bool WireReader::next(WireField& field) {
  if (rest_.empty()) return false;
  number_ = 0;
  const std::uint64_t key = take_varint();
  number_ = key >> 3;
  if (number_ == 0 || number_ >= 1u << 29) refuse("a number that no field has");
  field = {};
  field.number = static_cast<std::uint32_t>(number_);
  switch (key & 7) {
    case 0:
      field.type = WireField::Type::kVarint;
      field.value = take_varint();
      return true;
    case 1:
      field.type = WireField::Type::kFixed64;
      field.value = little_endian(take(8));
      return true;
    case 2:
      field.type = WireField::Type::kBytes;
      field.bytes = take(take_varint());
      return true;
    case 5:
      field.type = WireField::Type::kFixed32;
      field.value = little_endian(take(4));
      return true;
    default:
      refuse(concat("wire type ", key & 7));
  }
}

std::string_view WireReader::bytes(const WireField& field, std::string_view name) const {
  if (field.type != WireField::Type::kBytes) place_.fail(name, "not a string");
  return field.bytes;
}

std::uint64_t WireReader::varint(const WireField& field, std::string_view name) const {
  if (field.type != WireField::Type::kVarint) place_.fail(name, "not an integer");
  return field.value;
}

float WireReader::number(const WireField& field, std::string_view name) const {
  if (field.type != WireField::Type::kFixed32) place_.fail(name, "not a number");
  return std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
}

}  // namespace llmctl
