#include "io/event_file.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>

#include "base/error.h"
#include "base/host.h"

namespace llmctl {
namespace {

// Wire types of protocol buffers.
constexpr std::uint64_t kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5;

template <class Unsigned>
void append_little_endian(std::string& out, Unsigned value) {
  for (std::size_t i = 0; i < sizeof value; ++i) {
    out += static_cast<char>(static_cast<unsigned char>(value >> (8 * i)));
  }
}

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7f) | 0x80);
  out += static_cast<char>(value);
}

void append_key(std::string& out, std::uint64_t field, std::uint64_t type) {
  append_varint(out, field << 3 | type);
}

void append_bytes(std::string& out, std::uint64_t field, std::string_view bytes) {
  append_key(out, field, kBytes);
  append_varint(out, bytes.size());
  out += bytes;
}

/// Event {1: wall_time, 2: step, and what follows}.
std::string begin_event(std::int64_t step, double time) {
  std::string event;
  append_key(event, 1, kFixed64);
  append_little_endian(event, std::bit_cast<std::uint64_t>(time));
  append_key(event, 2, kVarint);
  append_varint(event, static_cast<std::uint64_t>(step));
  return event;
}

/// Rotated and offset, since a checksum of data that holds checksums is weak.
std::uint32_t masked_crc(std::string_view data) {
  const std::uint32_t crc = crc32c(data);
  return std::rotr(crc, 15) + 0xa282ead8u;
}

/// TFRecord: length, its checksum, data, its checksum.
std::string frame(std::string_view data) {
  std::string record;
  append_little_endian(record, std::uint64_t{data.size()});
  append_little_endian(record, masked_crc(record));
  record += data;
  append_little_endian(record, masked_crc(data));
  return record;
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// A name that sorts by time and that no other process uses.
fs::path new_name(const fs::path& directory, double time) {
  const std::string base = concat("events.out.tfevents.", static_cast<std::int64_t>(time), ".",
                                  host_name(), ".", getpid());
  for (int n = 0;; ++n) {
    const fs::path path = directory / concat(base, ".", n);
    if (!fs::exists(path)) return path;
  }
}

}  // namespace

std::uint32_t crc32c(std::string_view data) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0u);
      made[i] = value;
    }
    return made;
  }();
  std::uint32_t crc = ~0u;
  for (const char c : data) crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xff] ^ crc >> 8;
  return ~crc;
}

EventFile::EventFile(const fs::path& directory) {
  make_directories(directory);
  const double time = now();
  file_ = AppendFile(new_name(directory, time));
  std::string event = begin_event(0, time);
  append_bytes(event, 3, "brain.Event:2");  // file_version
  file_.append(frame(event));
}

bool EventFile::scalars(std::int64_t step, double time,
                        const std::vector<std::pair<std::string, double>>& values) {
  if (!file_.is_open()) return true;
  std::string summary;
  for (const auto& [name, value] : values) {
    std::string scalar;  // Value {1: tag, 2: simple_value}
    append_bytes(scalar, 1, name);
    append_key(scalar, 2, kFixed32);
    append_little_endian(scalar, std::bit_cast<std::uint32_t>(static_cast<float>(value)));
    append_bytes(summary, 1, scalar);
  }
  std::string event = begin_event(step, time);
  append_bytes(event, 5, summary);
  return file_.append(frame(event));
}

}  // namespace llmctl
