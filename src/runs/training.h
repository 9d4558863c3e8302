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
  bool change = false;                    ///< let keys change that may on request
  bool dry_run = false;                   ///< check everything, write nothing, return the plan
  std::vector<std::string> command_line;  ///< for environment.json
};

/// What a training command did, or (dry run) would do.
struct TrainingReport {
  std::string command;  ///< "pretrain" or "finetune"
  std::string kind;     ///< the task's type
  std::filesystem::path directory;
  ModelFacts facts;
  std::int64_t parameters = 0;
  std::string generate_flags;  ///< an input for `generate`, as its flags
  std::vector<std::pair<std::string, std::string>>
      plan;                 ///< name and value, for people; only of a dry run
  TrainingOutcome outcome;  ///< of self-training that of the best round
  Json self_training;       ///< its rounds, as self_training.json has them; null without
  Json learning_curve;      ///< its points, as learning_curve.json has them; null without
  std::size_t records = 0;  ///< labelled ones that are learnt from; 0 of raw text
  Json to_json() const;
};

/// Trains what the configuration says. `command` ("pretrain" or "finetune", two names of one
/// thing) is what reports call it.
TrainingReport train_from_config(const std::string& command, const JsonDocument& document,
                                 const RunOptions& options);

}  // namespace llmctl
