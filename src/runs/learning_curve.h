// `finetune` with a section "learning_curve": the same training on growing shares of the labels.
//
//   RUN/run.json              the whole configuration
//   RUN/shares/0.1, 1, …      run directories, each with its data.share
//   RUN/learning_curve.json   {"shares": [{"share", "records", "best_step", "scores", …}]}
//   RUN/best, RUN/last        checkpoints of the largest share
#pragma once

#include <string>

#include "runs/training.h"

namespace llmctl {

/// Trains on each share, the smallest first; what is held out is the same for all. What a stopped
/// command has done stands; the same command goes on behind it.
TrainingReport learning_curve(const std::string& command, const JsonDocument& document,
                              const RunOptions& options);

}  // namespace llmctl
