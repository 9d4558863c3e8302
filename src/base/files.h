// Files: reading whole or mapped, and writing so that a file or directory appears complete or not
// at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace llmctl {

namespace fs = std::filesystem;

/// The whole of a regular file. Throws kMissing when it is absent or unreadable (a directory, FIFO
/// or device is refused too), kData when it is larger than `max_bytes`.
std::string read_file(const fs::path& path, std::uint64_t max_bytes = std::uint64_t{1} << 32);

/// Calls `chunk` with the bytes of a regular file, a megabyte at most at a time; stops early when
/// it returns false. Throws as read_file does, and kIo when reading fails half-way.
void for_each_chunk(const fs::path& path, const std::function<bool(std::string_view)>& chunk);

/// A read-only memory map of a regular file; move-only. Throws as read_file does.
class MappedFile {
 public:
  MappedFile() = default;
  explicit MappedFile(const fs::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::string_view view() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Writes a file through a sibling temporary name (NAME.tmp.HOST.PID): commit() flushes, fsyncs and
/// renames; without commit() the destructor removes the temporary. A symbolic link's target is what
/// is replaced; a device or FIFO (/dev/stdout) is written directly. Every write is checked:
/// kCannotCreate when the file cannot be opened, kIo when a write fails (the message carries
/// errno's text, and "disk full" for ENOSPC and EDQUOT).
class AtomicFile {
 public:
  explicit AtomicFile(fs::path path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(const void* data, std::size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// Overwrites `size` bytes at `offset` (already written) once what is buffered has been flushed.
  void write_at(std::uint64_t offset, const void* data, std::size_t size);
  std::uint64_t written() const noexcept { return written_; }
  void flush();  ///< what was written leaves this process: a device or FIFO has it
  void commit();

 private:
  fs::path path_, temporary_;  // no temporary: written directly
  int fd_ = -1;
  std::uint64_t written_ = 0;
  std::string buffer_;
};

/// The text becomes the file's content, atomically.
void write_file(const fs::path& path, std::string_view text);

/// Appends whole lines; what a failed write leaves behind, or a killed writer left without its end
/// of line, is cut off again, so that a reader never meets half a line. (Logs and metrics: append()
/// reports failure by its result instead of throwing, so that a full disk stops no run.)
class AppendFile {
 public:
  AppendFile() = default;
  explicit AppendFile(const fs::path& path);  // throws kCannotCreate
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&& other) noexcept;
  ~AppendFile();
  bool is_open() const noexcept { return fd_ >= 0; }
  bool append(std::string_view text) noexcept;
  /// What was appended reaches the disk.
  bool sync() noexcept;

 private:
  int fd_ = -1;
};

/// Creates the directory and its parents. Throws kCannotCreate, kIo (disk full).
void make_directories(const fs::path& path);

/// A directory built beside its destination (whose parents are made) and renamed into place by
/// commit(); removed when not committed.
class AtomicDirectory {
 public:
  explicit AtomicDirectory(fs::path path);
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;
  ~AtomicDirectory();
  const fs::path& path() const noexcept { return temporary_; }  ///< where to write until commit()
  /// fsyncs every file and directory below, renames to the destination (kCannotCreate when
  /// something other than an empty directory is there, unless it `replaces` the directory) and
  /// fsyncs the parent.
  void commit(bool replaces = false);

 private:
  fs::path path_, temporary_;
};

/// The file or directory `from`, already synced, takes the name `to` in the same directory, which
/// is synced. kCannotCreate, kIo.
void rename_synced(const fs::path& from, const fs::path& to);

/// The finished directory `fresh` takes the place of the directory `path`, whose content is
/// removed: in one step where the file system exchanges names, so that one of the two is always
/// there.
void replace_directory(const fs::path& fresh, const fs::path& path);

/// Removes what crashed writers left in `directory`: names ending in ".tmp.HOST.PID" of this host
/// whose process is gone.
void remove_stale_temporaries(const fs::path& directory);

/// Points the symbolic link `link` at the relative `target`, atomically.
void replace_symlink(const fs::path& link, const fs::path& target);

/// Calls `line(number from 1, text without its end of line)` for each line of a file read in
/// bounded memory; CRLF is taken as LF, a UTF-8 byte order mark is dropped. Stops early when `line`
/// returns false. kData for a line longer than 256 MiB.
void for_each_line(const fs::path& path,
                   const std::function<bool(std::uint64_t, std::string_view)>& line);

}  // namespace llmctl
