// A directory that lives as long as the object: where a test writes.
#pragma once

#include <filesystem>
#include <string>

namespace llmctl::test {

/// A fresh directory under the system's temporary directory (TMPDIR), removed with everything in it
/// by the destructor, read-only subdirectories too. LLMCTL_KEEP_TEMP=1 keeps it and prints its
/// name.
class TempDir {
 public:
  TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();

  const std::filesystem::path& path() const noexcept { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }
  /// Writes `content` to `name` in the directory (parents are made) and returns its path.
  std::filesystem::path write(const std::filesystem::path& name, const std::string& content) const;

 private:
  std::filesystem::path path_;
};

/// The whole of a file; throws std::runtime_error when it cannot be read.
std::string slurp(const std::filesystem::path& path);

}  // namespace llmctl::test
