// `finetune` with a section "self_training": the best model so far labels texts for the next
// training, as long as validation gains by it.
//
//   RUN/run.json             the whole configuration
//   RUN/rounds/0, 1, …       run directories, round 0 on the labelled data alone
//   RUN/taught/1.jsonl, …    the records that a round learns from beside the labelled ones
//   RUN/self_training.json   {"rounds": [{"round", "seen", "taught", "counts", "scores", …}],
//                             "best_round", "stopped"}
//   RUN/best, RUN/last       the best round's best checkpoint, the last round's last one
#pragma once

#include <string>

#include "runs/training.h"

namespace llmctl {

/// Trains the rounds. What a stopped command has done stands; the same command goes on behind it.
TrainingReport self_train(const std::string& command, const JsonDocument& document,
                          const RunOptions& options);

}  // namespace llmctl
