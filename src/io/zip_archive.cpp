#include "io/zip_archive.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/error.h"

namespace llmctl {
namespace {

constexpr std::uint32_t kEnd = 0x06054b50, kEnd64 = 0x06064b50, kLocator64 = 0x07064b50,
                        kEntry = 0x02014b50, kLocal = 0x04034b50;
constexpr std::size_t kEndSize = 22, kLocatorSize = 20, kEnd64Size = 56, kEntrySize = 46,
                      kLocalSize = 30;
constexpr std::uint64_t kIn64 = 0xffffffff;  // the ZIP64 field has the value

/// Little-endian numbers of a mapped file, every one within its bounds.
class Bytes {
 public:
  Bytes(std::string_view data, const std::filesystem::path& path) : data_(data), path_(path) {}

  template <class Number>
  Number get(std::uint64_t at) const {
    check(at, sizeof(Number));
    Number number;
    std::memcpy(&number, data_.data() + at, sizeof number);
    return number;
  }
  std::string_view text(std::uint64_t at, std::uint64_t size) const {
    check(at, size);
    return data_.substr(at, size);
  }
  void check(std::uint64_t at, std::uint64_t size) const {
    require(at <= data_.size() && size <= data_.size() - at, ErrorCode::kData, path_,
            ": the archive is cut off");
  }

 private:
  std::string_view data_;
  const std::filesystem::path& path_;
};

struct Directory {
  std::uint64_t offset = 0, entries = 0;
};

Directory find_directory(const Bytes& bytes, std::string_view data,
                         const std::filesystem::path& path) {
  const std::string_view mark("PK\x05\x06", 4);
  const std::size_t tail = data.size() - std::min<std::size_t>(data.size(), kEndSize + 65535);
  const std::size_t found = data.substr(tail).rfind(mark);
  require(found != std::string_view::npos, ErrorCode::kData, path,
          ": the archive's directory is missing; the file is cut off");
  const std::uint64_t end = tail + found;
  Directory directory{bytes.get<std::uint32_t>(end + 16), bytes.get<std::uint16_t>(end + 10)};
  if (end >= kLocatorSize && bytes.get<std::uint32_t>(end - kLocatorSize) == kLocator64) {
    const auto end64 = bytes.get<std::uint64_t>(end - kLocatorSize + 8);
    bytes.check(end64, kEnd64Size);
    require(bytes.get<std::uint32_t>(end64) == kEnd64, ErrorCode::kData, path,
            ": the archive's 64-bit directory is not where it should be");
    directory = {bytes.get<std::uint64_t>(end64 + 48), bytes.get<std::uint64_t>(end64 + 32)};
  }
  return directory;
}

/// Numbers that did not fit into the entry, from its ZIP64 field, in their fixed order.
void read_zip64(const Bytes& bytes, std::uint64_t at, std::uint64_t size,
                std::initializer_list<std::uint64_t*> numbers) {
  const std::uint64_t end = at + size;
  while (at + 4 <= end) {
    const auto id = bytes.get<std::uint16_t>(at), length = bytes.get<std::uint16_t>(at + 2);
    at += 4;
    if (id != 1) {
      at += length;
      continue;
    }
    for (std::uint64_t* number : numbers) {
      if (*number != kIn64) continue;
      *number = bytes.get<std::uint64_t>(at);
      at += 8;
    }
    return;
  }
}

}  // namespace

ZipArchive::ZipArchive(const std::filesystem::path& path) : path_(path), file_(path) {
  const Bytes bytes(file_.view(), path_);
  const Directory directory = find_directory(bytes, file_.view(), path_);
  std::uint64_t at = directory.offset;
  for (std::uint64_t i = 0; i < directory.entries; ++i) {
    bytes.check(at, kEntrySize);
    require(bytes.get<std::uint32_t>(at) == kEntry, ErrorCode::kData, path_, ": entry ", i,
            " of the archive's directory is damaged");
    const auto method = bytes.get<std::uint16_t>(at + 10);
    std::uint64_t packed = bytes.get<std::uint32_t>(at + 20),
                  size = bytes.get<std::uint32_t>(at + 24),
                  local = bytes.get<std::uint32_t>(at + 42);
    const std::uint64_t name_size = bytes.get<std::uint16_t>(at + 28),
                        extra_size = bytes.get<std::uint16_t>(at + 30),
                        comment_size = bytes.get<std::uint16_t>(at + 32);
    const std::string name(bytes.text(at + kEntrySize, name_size));
    read_zip64(bytes, at + kEntrySize + name_size, extra_size, {&size, &packed, &local});
    at += kEntrySize + name_size + extra_size + comment_size;

    bytes.check(local, kLocalSize);
    require(bytes.get<std::uint32_t>(local) == kLocal, ErrorCode::kData, path_, ": member ", name,
            " is not where the directory says");
    const std::uint64_t begin = local + kLocalSize + bytes.get<std::uint16_t>(local + 26) +
                                bytes.get<std::uint16_t>(local + 28);
    bytes.check(begin, packed);
    const bool stored = method == 0;
    require(!stored || size == packed, ErrorCode::kData, path_, ": member ", name,
            " has two sizes, ", size, " and ", packed);
    require(members_.emplace(name, Member{begin, packed, stored}).second, ErrorCode::kData, path_,
            ": two members are called ", name);
  }
}

std::span<const std::byte> ZipArchive::bytes(const std::string& name) const {
  const auto found = members_.find(name);
  require(found != members_.end(), ErrorCode::kData, path_, ": no member ", name);
  require(found->second.stored, ErrorCode::kData, path_, ": member ", name,
          " is compressed, which torch.save never does; load the file in Python and save it again");
  return {file_.data() + found->second.offset, found->second.size};
}

}  // namespace llmctl
