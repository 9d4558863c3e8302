// An exclusive lock among the processes of one machine.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace llmctl {

/// Holds a lock file while it lives, by flock(2): a killed holder holds nothing. The holder removes
/// the file in the end, so whoever opened it before looks again whether the name still means the
/// file that it has locked. Where the file system has no locks it is none.
class FileLock {
 public:
  /// What a process that finds the lock held is told: the content of the file. It throws, or
  /// returns to wait.
  using Held = std::function<void(std::string_view content)>;

  /// Waits for the lock; without `held` silently, until a signal asks to stop (the caller looks).
  /// kCannotCreate when the file cannot be opened.
  explicit FileLock(std::filesystem::path path, const Held& held = {});
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

  const std::filesystem::path& path() const { return path_; }
  void leave_file() { mine_ = false; }   ///< it stays: another machine's process holds it
  std::string read() const;              ///< what the file says
  void write(std::string_view content);  ///< kCannotCreate

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  bool mine_ = true;  ///< to be removed in the end
};

}  // namespace llmctl
