#include "tasks/adapter_set.h"

#include <cmath>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "config/fields.h"
#include "models/adapters.h"

namespace llmctl {
namespace {

/// The directory and the scale; a directory whose name has an "=" is taken as it is.
std::pair<std::filesystem::path, double> parse_name(const std::string& name) {
  const std::filesystem::path whole = expand_home(name);
  const std::size_t equals = name.rfind('=');
  if (equals == name.npos || std::filesystem::is_directory(whole)) return {whole, 1.0};
  const auto scale = parse_number(std::string_view(name).substr(equals + 1));
  require(scale && std::isfinite(*scale), ErrorCode::kConfig, name,
          ": expected a number behind the \"=\", got '", name.substr(equals + 1), "'");
  return {expand_home(name.substr(0, equals)), *scale};
}

}  // namespace

std::filesystem::path adapter_directory(const std::string& name) {
  return parse_name(name).first;
}

std::vector<AdapterChoice> AdapterSet::choose(const std::vector<std::string>& names) {
  std::vector<AdapterChoice> choices;
  for (const std::string& name : names) {
    const auto [path, scale] = parse_name(name);
    const std::filesystem::path directory =
        std::filesystem::weakly_canonical(find_ ? find_(path.string()) : path);
    auto found = numbers_.find(directory);
    if (found == numbers_.end())
      found = numbers_.emplace(directory, add_adapter(model_, directory, base_)).first;
    choices.push_back({found->second, scale});
  }
  return choices;
}

Json AdapterSet::files() const {
  Json files = Json::object();
  for (const auto& [directory, number] : numbers_) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      if (!entry.is_regular_file()) continue;
      files[entry.path().string()] = {entry.file_size(),
                                      entry.last_write_time().time_since_epoch().count()};
    }
  }
  return files;
}

}  // namespace llmctl
