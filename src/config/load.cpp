#include "config/load.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "base/files.h"

namespace llmctl {
namespace {

constexpr JsonLimits kUserFile = {
    .comments = true, .max_depth = 64, .max_bytes = 64u << 20, .code = ErrorCode::kConfig};

std::string key_path(const std::string& path, const std::string& key) {
  return path.empty() ? key : concat(path, ".", key);
}

/// Forgets the places of the value at `path` and of everything in it.
void erase_places(JsonDocument& document, const std::string& path) {
  auto& places = document.places;
  places.erase(path);
  const std::string inside = path.empty() ? "" : path + ".";
  auto it = places.lower_bound(inside);
  while (it != places.end() && it->first.starts_with(inside)) it = places.erase(it);
}

void copy_places(JsonDocument& to, const JsonDocument& from, const std::string& path) {
  const auto place = from.places.find(path);
  if (place != from.places.end()) to.places[path] = place->second;
  const std::string inside = path.empty() ? "" : path + ".";
  for (auto it = from.places.lower_bound(inside);
       it != from.places.end() && it->first.starts_with(inside); ++it) {
    to.places[it->first] = it->second;
  }
}

/// What chooses the keys that a section takes: its "type" or "model_type", or that it is read from
/// a model directory; nothing for a section without choice.
std::optional<std::string> chosen_name(const Json& section) {
  if (section.contains("init_from")) return "init_from";
  for (const char* key : {"type", "model_type"}) {
    const auto found = section.find(key);
    if (found != section.end() && found->is_string()) return found->get<std::string>();
  }
  return std::nullopt;
}

bool starts_afresh(const Json& base, const Json& over) {
  const auto before = chosen_name(base), after = chosen_name(over);
  return before && after && *before != *after;
}

void merge_at(JsonDocument& document, Json& base, const JsonDocument& over_document,
              const Json& over, const std::string& path) {
  if (!base.is_object() || !over.is_object() || starts_afresh(base, over)) {
    base = over;
    erase_places(document, path);
    copy_places(document, over_document, path);
    return;
  }
  const auto place = over_document.places.find(path);
  if (place != over_document.places.end()) document.places[path] = place->second;
  for (const auto& member : over.items()) {
    merge_at(document, base[member.key()], over_document, member.value(),
             key_path(path, member.key()));
  }
}

class Loader {
 public:
  JsonDocument load(const fs::path& path) {
    std::error_code error;
    const fs::path identity = fs::weakly_canonical(path, error);
    const auto begun = std::find(stack_.begin(), stack_.end(), error ? path : identity);
    if (begun != stack_.end()) {
      fail(ErrorCode::kConfig, path, ": \"extends\" leads back to this file by way of ",
           stack_.back());
    }
    stack_.push_back(error ? path : identity);
    JsonDocument own = parse_json_document(read_file(path), path.string(), kUserFile);
    require(own.value.is_object(), ErrorCode::kConfig, own.places[""], ": expected an object");
    JsonDocument result;
    result.value = Json::object();
    for (const Base& base : bases(own)) {
      merge_config(result, load_base(path.parent_path() / base.path, base.place));
    }
    for (const char* key : {"$schema", "extends"}) {
      own.value.erase(key);
      erase_places(own, key);
    }
    merge_config(result, own);
    stack_.pop_back();
    return result;
  }

 private:
  struct Base {
    std::string path, place;
  };

  static std::vector<Base> bases(const JsonDocument& document) {
    const auto extends = document.value.find("extends");
    std::vector<Base> result;
    if (extends == document.value.end()) return result;
    const auto add = [&](const Json& value, const std::string& path) {
      const std::string& place = document.places.at(path);
      require(value.is_string(), ErrorCode::kConfig,
              "extends: expected a path or a list of paths, got ", dump_json(value), " (", place,
              ")");
      result.push_back({value.get<std::string>(), place});
    };
    if (extends->is_array()) {
      for (std::size_t i = 0; i < extends->size(); ++i) {
        add((*extends)[i], concat("extends.", i));
      }
    } else {
      add(*extends, "extends");
    }
    return result;
  }

  JsonDocument load_base(const fs::path& path, const std::string& place) {
    try {
      return load(path);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kMissing) throw;
      throw Error(error.code(), concat(error.what(), " (extended by ", place, ")"));
    }
  }

  std::vector<fs::path> stack_;
};

/// Where "key.path" leads: each part with what it means at its level.
std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (true) {
    const std::size_t dot = path.find('.', begin);
    parts.push_back(path.substr(begin, dot == path.npos ? dot : dot - begin));
    require(!parts.back().empty(), ErrorCode::kUsage, "'", path,
            "' is no path of a key: expected names between dots, as in train.steps");
    if (dot == path.npos) return parts;
    begin = dot + 1;
  }
}

std::optional<std::size_t> as_index(const std::string& part) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
  if (error != std::errc{} || end != part.data() + part.size()) return std::nullopt;
  return index;
}

/// The value as JSON, or else as the text that it is.
Json parse_value(const std::string& text) {
  try {
    return parse_json(text, "--set");
  } catch (const Error&) {
    return text;
  }
}

}  // namespace

JsonDocument load_config_file(const std::filesystem::path& path) {
  return Loader().load(path);
}

void merge_config(JsonDocument& base, const JsonDocument& over) {
  merge_at(base, base.value, over, over.value, "");
}

void set_config_value(JsonDocument& document, const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  require(equals != assignment.npos, ErrorCode::kUsage, "--set ", assignment,
          ": expected key.path=value");
  const std::string path = assignment.substr(0, equals);
  Json* value = &document.value;
  std::string walked;
  for (const std::string& part : split_path(path)) {
    if (value->is_array()) {
      const auto index = as_index(part);
      require(index && *index <= value->size(), ErrorCode::kConfig, "--set ", path, ": ", walked,
              " is a list of ", value->size(), ", so '", part, "' must be a number from 0 to ",
              value->size());
      if (*index == value->size()) value->push_back(nullptr);
      value = &(*value)[*index];
    } else {
      if (value->is_null()) *value = Json::object();
      require(value->is_object(), ErrorCode::kConfig, "--set ", path, ": ", walked, " is ",
              dump_json(*value), ", which holds no key '", part, "'");
      value = &(*value)[part];
    }
    walked = key_path(walked, part);
  }
  *value = parse_value(assignment.substr(equals + 1));
  erase_places(document, path);
  document.places[path] = "--set " + path;
}

void unset_config_value(JsonDocument& document, const std::string& path) {
  Json* value = &document.value;
  std::vector<std::string> parts = split_path(path);
  const std::string last = parts.back();
  parts.pop_back();
  std::string holder;
  for (const std::string& part : parts) {
    const auto index = as_index(part);
    if (value->is_array() && index && *index < value->size()) {
      value = &(*value)[*index];
    } else if (value->is_object() && value->contains(part)) {
      value = &(*value)[part];
    } else {
      return;
    }
    holder = key_path(holder, part);
  }
  if (value->is_object()) {
    value->erase(last);
    erase_places(document, path);
  } else if (const auto index = as_index(last);
             value->is_array() && index && *index < value->size()) {
    value->erase(*index);
    // The elements behind it have moved: they answer for the list's place from now on.
    const auto place = document.places.find(holder);
    const std::string kept = place == document.places.end() ? "" : place->second;
    erase_places(document, holder);
    if (!kept.empty()) document.places[holder] = kept;
  }
}

}  // namespace llmctl
