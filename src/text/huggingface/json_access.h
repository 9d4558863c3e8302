// Members of tokenizer.json and its neighbours, with errors that name the place.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/json.h"

namespace llmctl {

/// A value of a file and where it stands there: "tokenizer.json: model.vocab".
class JsonAccess {
 public:
  JsonAccess(const Json& json, std::string file, std::string path = "")
      : json_(json), file_(std::move(file)), path_(std::move(path)) {}

  const Json& json() const { return json_; }
  std::string place() const { return path_.empty() ? file_ : file_ + ": " + path_; }
  /// True where the member is there and not null.
  bool has(const char* name) const {
    return json_.is_object() && json_.contains(name) && !json_[name].is_null();
  }
  /// kData when it is missing.
  JsonAccess operator[](const char* name) const;
  JsonAccess operator[](std::size_t index) const;
  /// Elements of a list; kData for anything else.
  std::size_t size() const;

  std::string string() const;
  bool boolean() const;
  /// An integer of [min, max].
  std::int64_t integer(std::int64_t min, std::int64_t max) const;
  double number() const;

  std::string string_or(const char* name, const std::string& otherwise) const;
  bool boolean_or(const char* name, bool otherwise) const;
  std::int64_t integer_or(const char* name, std::int64_t otherwise, std::int64_t min,
                          std::int64_t max) const;

  /// The member "type" of a component.
  std::string type() const { return (*this)["type"].string(); }
  /// kData: "PLACE: what".
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    llmctl::fail(ErrorCode::kData, place(), ": ", parts...);
  }
  /// kData for a component that is not supported, by its name.
  [[noreturn]] void refuse_type(const char* what, const char* supported) const;

 private:
  const Json& json_;
  std::string file_, path_;
};

}  // namespace llmctl
