#include "base/output.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/files.h"
#include "base/terminal.h"

namespace llmctl {
namespace {

bool same_file(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// The directory that a new entry `path` needs must be there and writable; of those to be made, the
/// nearest one that exists.
void check_place(const fs::path& path, bool make_parents) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  fs::path parent = (whole.has_filename() ? whole : whole.parent_path()).parent_path();
  struct stat status = {};
  while (make_parents && ::stat(parent.c_str(), &status) != 0 && errno == ENOENT &&
         parent.has_relative_path()) {
    parent = parent.parent_path();
  }
  if (::stat(parent.c_str(), &status) != 0) {
    fail(ErrorCode::kCannotCreate, path, ": cannot be created: ",
         errno == ENOENT ? "its directory does not exist" : std::strerror(errno));
  }
  require(S_ISDIR(status.st_mode), ErrorCode::kCannotCreate, path, ": cannot be created: ", parent,
          " is no directory");
  require(::access(parent.c_str(), W_OK | X_OK) == 0, ErrorCode::kCannotCreate, path,
          ": cannot be created: ", parent, ": ", std::strerror(errno));
}

}  // namespace

bool is_standard_output(const fs::path& path) {
  if (path == "-") return true;
  struct stat own = {}, named = {}, link = {};
  if (::lstat(path.c_str(), &link) != 0 || ::stat(path.c_str(), &named) != 0 ||
      ::fstat(STDOUT_FILENO, &own) != 0 || !same_file(own, named)) {
    return false;
  }
  // A file that standard output was sent to is a file; the names of descriptors are links.
  return S_ISLNK(link.st_mode) &&
         (path.native().starts_with("/dev/") || path.native().starts_with("/proc/"));
}

bool is_special_file(const fs::path& path) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

void check_output_file(const fs::path& path, bool overwrite, const std::vector<fs::path>& inputs) {
  if (is_standard_output(path) || is_special_file(path)) return;
  require(!path.empty(), ErrorCode::kUsage, "an empty name is no output file");
  struct stat status = {};
  if (::stat(path.c_str(), &status) == 0) {
    require(!S_ISDIR(status.st_mode), ErrorCode::kCannotCreate, path,
            ": is a directory, expected a file");
    for (const fs::path& input : inputs) {
      struct stat other = {};
      require(::stat(input.c_str(), &other) != 0 || !same_file(status, other),
              ErrorCode::kCannotCreate, path, ": is an input of this command",
              path == input ? "" : concat(" (", input, ")"), "; choose another name");
    }
    require(overwrite || status.st_size == 0, ErrorCode::kCannotCreate, path,
            ": exists; choose another name, or replace it with --overwrite");
    require(::access(path.c_str(), W_OK) == 0, ErrorCode::kCannotCreate, path,
            ": cannot be replaced: ", std::strerror(errno));
  }
  std::error_code error;
  const fs::path target = fs::is_symlink(path, error) ? fs::weakly_canonical(path, error) : path;
  check_place(error ? path : target, false);
}

void check_output_directory(const fs::path& path, const char* hint) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(path, error))) {
    require(fs::is_directory(path, error), ErrorCode::kCannotCreate, path,
            ": exists and is no directory");
    require(fs::is_empty(path, error), ErrorCode::kCannotCreate, path, ": is not empty; ", hint);
  }
  check_place(path, true);
}

std::optional<fs::path> place_inside(const fs::path& directory, const fs::path& path) {
  std::error_code ignored;
  fs::path place = fs::weakly_canonical(path, ignored)
                       .lexically_relative(fs::weakly_canonical(directory, ignored));
  if (place.empty() || *place.begin() == "..") return std::nullopt;
  return place;
}

void check_replaced_directory(const fs::path& path, const std::vector<fs::path>& inputs) {
  std::error_code ignored;
  for (const fs::path& input : inputs) {
    require(!fs::exists(input, ignored) || !place_inside(path, input), ErrorCode::kCannotCreate,
            path, ": --overwrite would remove an input of this command (", input,
            "); choose another directory");
  }
}

void write_output(const fs::path& path, std::string_view text) {
  if (is_standard_output(path)) {
    write_stdout(text);
  } else {
    write_file(path, text);
  }
}

}  // namespace llmctl
