// The files that a command is asked to write (-o, --save-predictions): what may be written where,
// decided before any work.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llmctl {

/// "-", or another name of this process's standard output (/dev/stdout, /proc/self/fd/1).
bool is_standard_output(const std::filesystem::path& path);

/// A device, FIFO or socket, or a link to one: written to as it is and never replaced.
bool is_special_file(const std::filesystem::path& path);

/// Refuses (kCannotCreate) a name that write_output() could not or should not write: a directory,
/// one of the command's `inputs` under whatever name, a file with content unless `overwrite`, a
/// place without the right to write there. Inputs that are no files are passed over. Standard
/// output and special files are always right.
void check_output_file(const std::filesystem::path& path, bool overwrite,
                       const std::vector<std::filesystem::path>& inputs = {});

/// Refuses (kCannotCreate) a directory to be made where something other than an empty directory is
/// or no right to write; `hint` says what to do about the former.
void check_output_directory(const std::filesystem::path& path, const char* hint);

/// Where in the directory something lies, under whatever name ("." is the directory itself);
/// nothing for what lies elsewhere.
std::optional<std::filesystem::path> place_inside(const std::filesystem::path& directory,
                                                  const std::filesystem::path& path);

/// Refuses (kCannotCreate) a directory that --overwrite replaces as a whole while one of the
/// command's `inputs` lies in it, under whatever name.
void check_replaced_directory(const std::filesystem::path& path,
                              const std::vector<std::filesystem::path>& inputs);

/// The text becomes the file's content (atomically, a link's target), or goes to standard output or
/// the special file.
void write_output(const std::filesystem::path& path, std::string_view text);

}  // namespace llmctl
