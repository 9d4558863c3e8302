// The configuration of a command, from files, JSON text and single keys; later ones win.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

namespace llmctl {

/// A value; copies share nothing. Errors are kConfig, with file:line:column, and kMissing.
///
///   llmctl::Configuration config;
///   config.merge_file("pretrain.json").set("train.steps", "100");
class Configuration {
 public:
  Configuration();
  ~Configuration();
  Configuration(const Configuration& other);
  Configuration& operator=(const Configuration& other);

  /// JSON with comments; "extends" is resolved.
  Configuration& merge_file(const std::filesystem::path& path);
  Configuration& merge_json(const std::string& text);
  /// As --set KEY.PATH=VALUE: the value is parsed as JSON, else taken as text.
  Configuration& set(const std::string& key, const std::string& value);

  /// Every key of `command` ("pretrain", "finetune", "generate", "eval") with its value, defaults
  /// included, as JSON.
  std::string resolved(const std::string& command) const;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// JSON Schema (draft-07) of a command's configuration.
std::string configuration_schema(const std::string& command);

}  // namespace llmctl
