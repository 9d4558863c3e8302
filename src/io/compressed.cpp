// for_each_block: plain and compressed files as a stream of bytes.
#include <archive.h>

#include <array>
#include <fstream>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "io/text_source.h"

namespace llmctl {

namespace {

constexpr std::size_t kBlock = std::size_t{1} << 18;

/// Name of the compression whose magic bytes a file begins with, or null.
const char* compression_of(std::string_view head) {
  using namespace std::string_view_literals;
  if (head.starts_with("\x1f\x8b\x08"sv)) return "gzip";
  if (head.starts_with("BZh"sv) && head.size() >= 10 &&
      (head.substr(4).starts_with("\x31\x41\x59\x26\x53\x59"sv) ||
       head.substr(4).starts_with("\x17\x72\x45\x38\x50\x90"sv))) {
    return "bzip2";
  }
  if (head.starts_with("\xfd\x37zXZ\0"sv)) return "xz";
  if (head.starts_with("\x28\xb5\x2f\xfd"sv)) return "zstd";
  return nullptr;
}

/// CRC-32 of gzip (RFC 1952, section 8).
class Crc32 {
 public:
  Crc32() {
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? 0xedb88320u : 0);
      table_[i] = value;
    }
  }
  void update(std::string_view bytes) {
    for (const char byte : bytes) {
      state_ = (state_ >> 8) ^ table_[(state_ ^ static_cast<unsigned char>(byte)) & 0xff];
    }
  }
  std::uint32_t value() const { return ~state_; }

 private:
  std::array<std::uint32_t, 256> table_;
  std::uint32_t state_ = 0xffffffffu;
};

/// libarchive does not compare gzip's checksum. The trailer is the last member's, so a file of
/// several members (whose total is not the trailer's length) is left to the decoder's own checks.
void check_gzip_trailer(const std::filesystem::path& path, const Crc32& crc, std::uint64_t total) {
  std::uint32_t trailer[2] = {};
  std::ifstream file(path, std::ios::binary);
  file.seekg(-static_cast<std::streamoff>(sizeof trailer), std::ios::end);
  file.read(reinterpret_cast<char*>(trailer), sizeof trailer);
  require(!file || trailer[1] != static_cast<std::uint32_t>(total) || trailer[0] == crc.value(),
          ErrorCode::kData, path, ": damaged gzip data: the checksum does not match");
}

struct ArchiveCloser {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

void decompress(const std::filesystem::path& path, const char* kind,
                const std::function<bool(std::string_view)>& block) {
  const auto damaged = [&](archive* reader) {
    const char* what = archive_error_string(reader);
    fail(ErrorCode::kData, path, ": damaged or cut off ", kind, " data",
         what ? concat(": ", what) : "");
  };
  const std::unique_ptr<archive, ArchiveCloser> reader(archive_read_new());
  require(reader != nullptr, ErrorCode::kInternal, path, ": out of memory");
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_bzip2(reader.get());
  archive_read_support_filter_xz(reader.get());
  archive_read_support_filter_zstd(reader.get());
  archive_read_support_format_raw(reader.get());
  archive_read_support_format_empty(reader.get());
  archive_entry* entry = nullptr;
  if (archive_read_open_filename(reader.get(), path.c_str(), kBlock) != ARCHIVE_OK)
    damaged(reader.get());
  const int opened = archive_read_next_header(reader.get(), &entry);
  if (opened == ARCHIVE_EOF) return;
  // Too short for the decoder to recognise it: it would be passed on as it is.
  const bool recognised = archive_filter_code(reader.get(), 0) != ARCHIVE_FILTER_NONE;
  if (opened != ARCHIVE_OK || !recognised) damaged(reader.get());

  const bool gzip = std::string_view(kind) == "gzip";
  Crc32 crc;
  std::uint64_t total = 0;
  std::string buffer(kBlock, '\0');
  while (true) {
    const la_ssize_t got = archive_read_data(reader.get(), buffer.data(), buffer.size());
    if (got < 0) damaged(reader.get());
    if (got == 0) break;
    const std::string_view piece(buffer.data(), static_cast<std::size_t>(got));
    total += piece.size();
    if (gzip) crc.update(piece);
    if (!block(piece)) return;
  }
  if (gzip) check_gzip_trailer(path, crc, total);
}

}  // namespace

void for_each_block(const std::filesystem::path& path,
                    const std::function<bool(std::string_view)>& block) {
  const char* kind = nullptr;
  bool first = true;
  for_each_chunk(path, [&](std::string_view chunk) {
    if (first) kind = compression_of(chunk);
    first = false;
    return kind == nullptr && block(chunk);
  });
  if (kind != nullptr) decompress(path, kind, block);
}

}  // namespace llmctl
