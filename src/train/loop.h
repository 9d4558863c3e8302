// The one training loop: steps, accumulation, clipping, schedule, validation, checkpoints, resume,
// early stop, signals.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/world.h"
#include "models/model.h"
#include "optim/optimizer.h"
#include "train/interfaces.h"
#include "train/run_lock.h"
#include "train/settings.h"

namespace llmctl {

/// What the loop works with; all references outlive it.
struct TrainingRun {
  Model& model;
  Source& source;
  Loss& loss;
  Validator* validator = nullptr;
  World& world;
  const OptimConfig& optim;
  const TrainConfig& train;
  const EvalScheduleConfig& eval;
  const CheckpointConfig& checkpoint;
  const LogConfig& log;
  std::uint64_t seed = 1234;
  std::filesystem::path directory;     ///< the run directory
  std::string best_score = kLossName;  ///< of the validator's scores, where keep_best is empty
  bool resume = true;  ///< go on from the newest good checkpoint; false: there must be none
  /// Writes what belongs beside the weights of a checkpoint (tokenizer files).
  std::function<void(const std::filesystem::path&)> save_extras;
  /// What the epochs of records have in addition to step / steps_per_epoch: a run whose batch size
  /// changed on the way has gone through more or less of the data.
  double epoch_offset = 0;
  /// The source deals the same data otherwise than before (weights changed): only what it holds
  /// must be the same.
  bool source_changed = false;
  /// Of what validation scores: where a resumed run has another, its best so far is scored anew.
  /// Empty: not known.
  std::string validation = {};
  /// Sums the gradients over the ranks, in place; empty with one process.
  std::function<void(const NamedTensors& parameters)> reduce_gradients;
  /// Held by the caller already; null: the loop takes the directory's lock itself.
  const RunLock* lock = nullptr;
};

struct TrainingOutcome {
  std::int64_t steps = 0;  ///< done in total
  std::int64_t skipped = 0;
  std::int64_t best_step = 0;      ///< 0: no validation gave a score
  std::string best_score;          ///< the score that decides, as "valid/loss"
  double best = 0;                 ///< its best value
  Scores scores;                   ///< of the last validation
  Scores best_scores;              ///< of the best one
  double seconds = 0, tokens = 0;  ///< over all parts of the run
  std::filesystem::path best_directory, last_directory;  ///< checkpoints; empty: none
  std::string stopped;  ///< "", "early stop", "SIGINT", "SIGTERM" or "disk full"
  int exit_status = 0;  ///< 130/143 after a signal, 74 when checkpoints failed
};

/// Trains from where the run directory stands to the run's end. Each step: the batches of the step;
/// every loss term divided by its count over the whole global batch; backward; the global gradient
/// norm; an update, unless loss or norm is not finite. On one build, device and thread count a run
/// that was killed and resumed ends with the weights of one that was not, bit for bit.
///
/// A checkpoint that cannot be written (disk full) costs a warning; three in a row, or the last one
/// of the run, end it with exit_status 74. Throws kConfig (what was resumed does not fit), kData
/// (checkpoints are there, and none is whole), kCannotCreate (directory not writable, or in use by
/// another run), kInternal (max_skipped).
TrainingOutcome run_training(const TrainingRun& run);

}  // namespace llmctl
