// JSON as our users write it: comments allowed, positions kept, duplicates refused; and as files
// bring it: bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

namespace llmctl {

/// Objects keep the order of their keys. A look-up walks over them: go through a large object (a
/// vocabulary) once, with items(), instead of asking it for each key.
using Json = nlohmann::ordered_json;

/// Limits of a parse: what is beyond them is an error, found while reading, before anything is
/// built from it.
struct JsonLimits {
  bool comments = false;  ///< // and /* */ are allowed
  int max_depth = 64;
  std::uint64_t max_bytes = 256u << 20;
  ErrorCode code = ErrorCode::kData;  ///< of the Error thrown (kConfig for run configurations)
};

/// Parses one JSON value; errors read "SOURCE:LINE:COLUMN: what" (columns count characters from 1).
/// Refuses duplicate keys, depth, NaN, invalid UTF-8, numbers out of range and trailing text. A
/// byte order mark is skipped.
Json parse_json(std::string_view text, const std::string& source, const JsonLimits& limits = {});

/// read_file, then parse_json with the path as source.
Json load_json(const std::filesystem::path& path, const JsonLimits& limits = {});

/// A parsed document that remembers where each value stands, for errors of users' configurations.
struct JsonDocument {
  Json value;
  /// Path ("optim.lr", "data.train.0.path"; "" for the root) → "file:line:column" of the value, or
  /// "--set" and the like.
  std::map<std::string, std::string> places;
};

JsonDocument parse_json_document(std::string_view text, const std::string& source,
                                 const JsonLimits& limits = {});

/// Compact when indent < 0; floats keep a point or exponent; invalid UTF-8 in strings is replaced
/// by U+FFFD.
std::string dump_json(const Json& value, int indent = -1);

}  // namespace llmctl
