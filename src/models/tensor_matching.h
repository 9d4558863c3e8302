// Which tensor of a directory's files is which of a model's: other spellings of names, tensors that
// are there twice, what is missing and what is left over.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "models/adapter.h"
#include "models/weight_files.h"

namespace llmctl {

/// Where files keep a tensor: under its name, without or with the body's prefix (files of bare
/// bodies), or with the norms' old "gamma" and "beta".
class FileNames {
 public:
  FileNames(const WeightFiles& files, const ModelPlan& plan);
  /// The files' name for `name`, or nothing.
  std::optional<std::string> find(const std::string& name, bool in_body) const;

 private:
  std::optional<std::string> with_old_norms(const std::string& name) const;

  const WeightFiles& files_;
  std::set<std::string> prefixes_;
  std::string own_prefix_;
};

/// The rule of the plan's token embeddings.
const TensorRule& embedding_rule(const ModelPlan& plan);

/// Whether the output matrix should be the embedding table, where the files contradict the plan:
/// false when they have a matrix of its own that differs from the table, true when they have none.
/// Says so. Nothing when they agree.
std::optional<bool> tied_by_files(const ModelPlan& plan, const WeightFiles& files,
                                  const std::filesystem::path& directory);

/// For each rule of the plan the name in the files; "" for a head's tensor that is not there or,
/// where labels are asked for, has another number of classes. Fills the report's missing and
/// unexpected. kData for missing tensors of the body, other shapes and dtypes, and copies that
/// differ.
std::vector<std::string> match_tensors(const ModelPlan& plan, const WeightFiles& files,
                                       const std::filesystem::path& directory,
                                       const ModelRequest& request, LoadReport& report);

/// One line about what a directory lacks and what of it is not used, if there is any.
void say(const LoadReport& report, const std::filesystem::path& directory);

}  // namespace llmctl
