// Pretraining and fine-tuning: from a configuration to a run directory whose checkpoints are
// Hugging Face directories.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "llmctl/configuration.h"

namespace llmctl {

struct TrainingOptions {
  bool overwrite = false;  ///< start anew in a directory that holds a run
  bool change = false;     ///< let keys of the run change that may on request
  bool dry_run = false;    ///< check everything, write nothing
};

struct TrainingResult {
  std::filesystem::path directory;       ///< the run
  std::filesystem::path best, last;      ///< checkpoints; best is empty without validation
  std::int64_t steps = 0;                ///< done, over all parts of the run
  std::map<std::string, double> scores;  ///< of the best checkpoint; shares 0 to 100
  int exit_status = 0;  ///< 130 or 143 when a signal ended it, 74 when checkpoints failed
  std::string json;     ///< everything, as `llmctl --json` prints it
};

/// `llmctl pretrain`. An interrupted run goes on where it was.
TrainingResult pretrain(const Configuration& configuration, const TrainingOptions& options = {});

/// `llmctl finetune`.
TrainingResult finetune(const Configuration& configuration, const TrainingOptions& options = {});

}  // namespace llmctl
