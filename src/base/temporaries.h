// The temporary files and directories that this process has open, so that a signal that ends it
// leaves none behind.
#pragma once

#include <filesystem>

namespace llmctl {

/// A sibling of `path` that no other writer uses (PATH.tmp.HOST.PID), known until
/// release_temporary().
std::filesystem::path claim_temporary(const std::filesystem::path& path);
void release_temporary(const std::filesystem::path& name);

/// True for a temporary of this process, not one of a dead process that had the same id.
bool is_live_temporary(const std::filesystem::path& name);

/// The process id of a name that ends in ".tmp.HOST.PID" or ".tmp.HOST.PID.N" of this host, or 0.
int temporary_writer(const std::string& name);

/// A file or directory with a name of its own that goes when the object or the process ends.
class TemporaryPath {
 public:
  explicit TemporaryPath(std::filesystem::path path);
  TemporaryPath(const TemporaryPath&) = delete;
  TemporaryPath& operator=(const TemporaryPath&) = delete;
  ~TemporaryPath();
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// Removes all of them; safe in a signal handler, after which the process must end.
void remove_temporaries() noexcept;

}  // namespace llmctl
