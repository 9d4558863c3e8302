// `pretrain` and `finetune`: from a configuration to a run directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "models/model.h"
#include "runs/sections.h"
#include "train/loop.h"

namespace llmctl {

struct RunOptions {
  bool overwrite = false;                 ///< start anew in a directory that holds a run
  bool dry_run = false;                   ///< check everything, write nothing, return the plan
  std::vector<std::string> command_line;  ///< for environment.json
};

/// What a training command did, or (dry run) would do.
struct TrainingReport {
  std::string command;  ///< "pretrain" or "finetune"
  std::string kind;     ///< objective's or task's type
  std::filesystem::path directory;
  ModelFacts facts;
  std::int64_t parameters = 0;
  std::vector<std::pair<std::string, std::string>>
      plan;  ///< name and value, for people; only of a dry run
  TrainingOutcome outcome;
  Json to_json() const;
};

TrainingReport run_pretrain(const JsonDocument& document, const RunOptions& options);
TrainingReport run_finetune(const JsonDocument& document, const RunOptions& options);

}  // namespace llmctl
