// A run directory whose trainings are runs of their own inside it: rounds of self-training, points
// of a learning curve.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "runs/training.h"
#include "train/run_lock.h"

namespace llmctl {

class StagedRun {
 public:
  /// `section` of the configuration asks for it, `kind` names it in errors ("self-training"),
  /// SECTION.json is what it keeps of its trainings.
  StagedRun(std::filesystem::path directory, std::string section, std::string kind)
      : directory_(std::move(directory)),
        section_(std::move(section)),
        kind_(std::move(kind)),
        state_file_(section_ + ".json") {}

  const std::filesystem::path& directory() const { return directory_; }

  /// Claims the directory and goes on with what it holds of the same kind and configuration: keys
  /// that the document does not give keep the run's values and are added to it.
  /// kCannotCreate for a run of another kind, kConfig where keys differ that change results,
  /// kTemporary where another process has it.
  void open(JsonDocument& document, const RunOptions& options);

  /// What the state file says, {} at the beginning.
  Json& state() { return state_; }
  void write_state() const;

  /// Makes NAME in the directory a relative link to a directory inside; replaces one that is there.
  void point(const char* name, const std::filesystem::path& target) const;

 private:
  std::filesystem::path directory_;
  std::string section_, kind_, state_file_;
  std::unique_ptr<RunLock> lock_;
  Json state_ = Json::object();
};

}  // namespace llmctl
