#include "base/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/fault.h"

namespace llmctl {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 20;
constexpr std::size_t kLongestLine = std::size_t{256} << 20;

/// A file descriptor opened for reading, known to be a regular file's.
class Input {
 public:
  explicit Input(const fs::path& path) : path_(path) {
    do {
      // O_NONBLOCK: opening a FIFO without a writer must not wait for one.
      fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    } while (fd_ < 0 && errno == EINTR);
    if (fd_ < 0) refuse(errno == ENOENT ? "no such file" : std::strerror(errno));
    struct stat status = {};
    if (::fstat(fd_, &status) != 0) refuse(std::strerror(errno));
    if (S_ISDIR(status.st_mode)) refuse("is a directory, expected a file");
    if (!S_ISREG(status.st_mode)) refuse("is not a regular file");
    size_ = static_cast<std::uint64_t>(status.st_size);
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  ~Input() {
    if (fd_ >= 0) ::close(fd_);
  }

  int fd() const { return fd_; }
  std::uint64_t size() const { return size_; }

  /// Bytes read, 0 at the end of the file.
  std::size_t read(char* data, std::size_t size) {
    fault_point("read");
    ssize_t got = 0;
    do {
      got = ::read(fd_, data, size);
    } while (got < 0 && errno == EINTR);
    require(got >= 0, ErrorCode::kIo, path_, ": reading failed: ", std::strerror(errno));
    return static_cast<std::size_t>(got);
  }

 private:
  [[noreturn]] void refuse(const char* why) {
    const std::string message = concat(path_, ": ", why);
    if (fd_ >= 0) ::close(fd_);
    throw Error(ErrorCode::kMissing, message);
  }

  const fs::path& path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace

std::string read_file(const fs::path& path, std::uint64_t max_bytes) {
  Input input(path);
  const auto check = [&](std::uint64_t size) {
    require(size <= max_bytes, ErrorCode::kData, path, ": larger than ", max_bytes,
            " bytes, the limit for such a file");
  };
  check(input.size());
  // The size is a hint: it may change meanwhile, and files of /proc say 0.
  std::string text(static_cast<std::size_t>(input.size()) + 1, '\0');
  std::size_t filled = 0;
  while (const std::size_t got = input.read(text.data() + filled, text.size() - filled)) {
    filled += got;
    check(filled);
    if (filled == text.size()) text.resize(filled + std::max(filled / 2, kChunk / 16));
  }
  text.resize(filled);
  return text;
}

void for_each_chunk(const fs::path& path, const std::function<bool(std::string_view)>& chunk) {
  Input input(path);
  std::string buffer(kChunk, '\0');
  while (const std::size_t got = input.read(buffer.data(), buffer.size())) {
    if (!chunk({buffer.data(), got})) return;
  }
}

MappedFile::MappedFile(const fs::path& path) {
  fault_point("read");
  const Input input(path);
  size_ = static_cast<std::size_t>(input.size());
  if (size_ == 0) return;
  void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, input.fd(), 0);
  if (mapped == MAP_FAILED) {
    size_ = 0;
    fail(ErrorCode::kMissing, path, ": cannot be mapped into memory: ", std::strerror(errno));
  }
  data_ = static_cast<const std::byte*>(mapped);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void for_each_line(const fs::path& path,
                   const std::function<bool(std::uint64_t, std::string_view)>& line) {
  std::uint64_t number = 0;
  const auto give = [&](std::string_view text) {
    ++number;
    if (number == 1 && text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    if (text.ends_with('\r')) text.remove_suffix(1);
    return line(number, text);
  };
  std::string begun;  // of a line whose end is in a later chunk
  bool stopped = false;
  for_each_chunk(path, [&](std::string_view chunk) {
    while (!chunk.empty()) {
      const std::size_t end = chunk.find('\n');
      const std::string_view piece = chunk.substr(0, end);
      require(begun.size() + piece.size() <= kLongestLine, ErrorCode::kData, path, ":", number + 1,
              ": the line is longer than ", kLongestLine >> 20, " MiB");
      if (end == chunk.npos) {
        begun += piece;
        return true;
      }
      chunk.remove_prefix(end + 1);
      if (begun.empty()) {
        stopped = !give(piece);
      } else {
        begun += piece;
        stopped = !give(begun);
        begun.clear();
      }
      if (stopped) return false;
    }
    return true;
  });
  if (!stopped && !begun.empty()) give(begun);
}

}  // namespace llmctl
