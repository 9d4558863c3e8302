// ZIP archives of stored (uncompressed) members, memory-mapped: what torch.save writes.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "base/files.h"

namespace llmctl {

/// The members of an archive by name, ZIP64 included (APPNOTE 6.3.10, section 4.3). The central
/// directory is checked whole on opening. kMissing, kData.
class ZipArchive {
 public:
  explicit ZipArchive(const std::filesystem::path& path);
  const std::filesystem::path& path() const { return path_; }
  struct Member {
    std::size_t offset = 0, size = 0;  ///< of its bytes in the file
    bool stored = true;                ///< not compressed
  };
  const std::map<std::string, Member>& members() const { return members_; }
  bool contains(const std::string& name) const { return members_.contains(name); }
  /// A member's bytes, valid while this object lives; kData when it is absent or compressed.
  std::span<const std::byte> bytes(const std::string& name) const;

 private:
  std::filesystem::path path_;
  MappedFile file_;
  std::map<std::string, Member> members_;
};

}  // namespace llmctl
