// Paths in configurations: the home directory, and the absolute form that runs keep.
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "config/fields.h"

namespace llmctl {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kGlobCharacters = "*?[]{}";

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

/// Whether the text is a name with a meaning of its own rather than a place.
bool is_name(const std::string& path) {
  return std::string_view("/.~").find(path[0]) == std::string_view::npos && !exists(path);
}

/// The working directory; before a pattern, with those characters escaped that would have a
/// meaning.
std::string working_directory(bool pattern) {
  const std::string directory = fs::current_path().string();
  if (!pattern) return directory;
  std::string escaped;
  for (const char c : directory) {
    if (kGlobCharacters.find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

/// Calls `use` with every string below `value` that the parts of a pattern ("train[]", "path")
/// lead to.
void for_each_at(Json& value, std::string_view pattern, const std::function<void(Json&)>& use) {
  if (value.is_array()) {
    for (Json& element : value) for_each_at(element, pattern, use);
    return;
  }
  if (pattern.empty()) {
    if (value.is_string()) use(value);
    return;
  }
  if (!value.is_object()) return;
  const std::size_t dot = pattern.find('.');
  std::string_view part = pattern.substr(0, dot);
  const std::string_view rest = dot == pattern.npos ? std::string_view() : pattern.substr(dot + 1);
  if (part.ends_with("[]")) part.remove_suffix(2);
  if (part == "NAME") {
    for (auto& member : value.items()) for_each_at(member.value(), rest, use);
  } else if (const auto found = value.find(std::string(part)); found != value.end()) {
    for_each_at(*found, rest, use);
  }
}

}  // namespace

std::string expand_home(const std::string& path) {
  if (path.empty() || path[0] != '~') return path;
  const std::size_t slash = path.find('/');
  if (path.substr(0, slash) != "~") {
    if (slash == path.npos || exists(path.substr(0, slash))) return path;
    fail(ErrorCode::kConfig, "'", path.substr(0, slash),
         "' is another user's home directory, which is not looked up; write the path out");
  }
  const char* home = std::getenv("HOME");
  require(home != nullptr && *home != '\0', ErrorCode::kConfig, "'", path,
          "' needs the home directory, and the variable HOME is not set");
  return home + path.substr(1);
}

std::string absolute_path(const std::string& path, PathKey rule) {
  if (path.empty() || path == "-" || (rule.or_name && is_name(path))) return path;
  const std::string expanded = expand_home(path);
  const bool pattern =
      expanded.find_first_of(kGlobCharacters) != std::string::npos && !exists(expanded);
  const fs::path full =
      expanded[0] == '/' ? fs::path(expanded) : fs::path(working_directory(pattern)) / expanded;
  std::string text = full.lexically_normal().string();
  if (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

void for_each_path(Json& config, const std::vector<FieldDoc>& fields,
                   const std::function<void(const FieldDoc& field, Json& path)>& use) {
  for (const FieldDoc& field : fields) {
    if (field.file) for_each_at(config, field.path, [&](Json& path) { use(field, path); });
  }
}

void make_paths_absolute(Json& config, const std::vector<FieldDoc>& fields) {
  for_each_path(config, fields, [](const FieldDoc& field, Json& path) {
    path = absolute_path(path.get<std::string>(), *field.file);
  });
}

}  // namespace llmctl
