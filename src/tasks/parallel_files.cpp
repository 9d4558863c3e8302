#include "tasks/parallel_files.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace llmctl {
namespace {

namespace fs = std::filesystem;

std::optional<fs::path> renamed(const fs::path& file, const std::string& language,
                                const std::string& wanted) {
  const std::string name = file.filename().string(), part = "." + language;
  for (std::size_t at = name.size(); at > 0 && (at = name.rfind(part, at - 1)) != name.npos;) {
    const std::size_t end = at + part.size();
    if (end < name.size() && name[end] != '.') continue;
    return file.parent_path() / (name.substr(0, at + 1) + wanted + name.substr(end));
  }
  return std::nullopt;
}

}  // namespace

std::vector<FileCouple> couples_of(const fs::path& file,
                                   const std::vector<TranslationDirection>& directions) {
  std::set<std::pair<std::string, std::string>> languages;
  for (const TranslationDirection& direction : directions)
    languages.insert(std::minmax(direction.source, direction.target));
  std::vector<FileCouple> couples;
  for (const auto& [one, other] : languages) {
    for (const auto& [own, wanted] : {std::pair{one, other}, {other, one}}) {
      if (const auto counterpart = renamed(file, own, wanted))
        couples.push_back({{file, own}, {*counterpart, wanted}});
    }
  }
  return couples;
}

}  // namespace llmctl
