// The adapters that inputs name, loaded once each.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "config/json.h"
#include "infer/request.h"
#include "models/model.h"

namespace llmctl {

/// The directory in "DIR" or "DIR=SCALE". kConfig for a scale that is no number.
std::filesystem::path adapter_directory(const std::string& name);

class AdapterSet {
 public:
  /// For a model that outlives it, and its directory. `find`: AnswerOptions::find_model.
  AdapterSet(Model& model, std::filesystem::path base, FindModel find)
      : model_(model), base_(std::move(base)), find_(std::move(find)) {}

  /// Of "DIR" or "DIR=SCALE" each: kMissing, kData as add_adapter(), kConfig for a scale that is no
  /// number.
  std::vector<AdapterChoice> choose(const std::vector<std::string>& names);
  /// What was loaded, each file with its size and time, for digests: changed files answer
  /// otherwise.
  Json files() const;

 private:
  Model& model_;
  std::filesystem::path base_;
  FindModel find_;
  std::map<std::filesystem::path, std::size_t> numbers_;  // by canonical path
};

}  // namespace llmctl
