// What differs between two configurations, and whether it may.
#include <algorithm>

#include "config/fields.h"

namespace llmctl {
namespace {

std::string below(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

void collect_differences(const Json& a, const Json& b, const std::string& path,
                         std::vector<std::string>& out) {
  if (a.is_object() && b.is_object()) {
    for (const auto& [key, value] : a.items()) {
      if (b.contains(key)) {
        collect_differences(value, b.at(key), below(path, key), out);
      } else {
        out.push_back(below(path, key));
      }
    }
    for (const auto& [key, value] : b.items()) {
      if (!a.contains(key)) out.push_back(below(path, key));
    }
  } else if (a.is_array() && b.is_array() && a.size() == b.size()) {
    for (std::size_t i = 0; i < a.size(); ++i)
      collect_differences(a[i], b[i], below(path, std::to_string(i)), out);
  } else if (a != b) {
    out.push_back(path);
  }
}

bool is_number(const std::string& part) {
  return !part.empty() &&
         std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t dot = std::min(path.find('.', begin), path.size());
    parts.push_back(path.substr(begin, dot - begin));
    begin = dot + 1;
  }
  return parts;
}

/// "data.train.0.path" as fields are named: "data.train[].path".
std::string field_name(const std::string& path) {
  std::string name;
  for (const std::string& part : parts_of(path)) {
    if (is_number(part)) {
      name += "[]";
    } else {
      name += (name.empty() ? "" : ".") + part;
    }
  }
  return name;
}

}  // namespace

std::vector<std::string> differing_keys(const Json& a, const Json& b) {
  std::vector<std::string> keys;
  collect_differences(a, b, "", keys);
  std::sort(keys.begin(), keys.end());
  return keys;
}

const Json* value_at(const Json& config, const std::string& path) {
  const Json* value = &config;
  for (const std::string& part : parts_of(path)) {
    if (value->is_array() && is_number(part) && std::stoull(part) < value->size()) {
      value = &(*value)[std::stoull(part)];
    } else if (value->is_object() && value->contains(part)) {
      value = &(*value)[part];
    } else {
      return nullptr;
    }
  }
  return value;
}

Change change_of(const std::vector<FieldDoc>& fields, const std::string& path) {
  for (std::string name = field_name(path); !name.empty();) {
    for (const FieldDoc& field : fields) {
      if (field.path == name || field.path + "[]" == name) return field.change;
    }
    const std::size_t dot = name.rfind('.');
    name.resize(dot == name.npos ? 0 : dot);
    if (name.ends_with("[]")) name.resize(name.size() - 2);
  }
  return Change::kNever;
}

}  // namespace llmctl
