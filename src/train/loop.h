// The one training loop: steps, accumulation, clipping, schedule, validation, checkpoints, resume,
// early stop, signals.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/world.h"
#include "config/fields.h"
#include "models/model.h"
#include "optim/optimizer.h"
#include "train/interfaces.h"
#include "train/run_lock.h"

namespace llmctl {

/// Section "train".
struct TrainConfig {
  std::optional<std::int64_t> steps;
  std::optional<std::int64_t> epochs;
  std::int64_t batch_size = 32;
  std::int64_t micro_batch_size = 0;
  std::int64_t batch_tokens = 0, micro_batch_tokens = 0;
  std::string precision = "auto";
  std::string device = "auto";
  bool deterministic = true;
  std::int64_t threads = 0;
  std::int64_t patience = 0;
  std::int64_t max_skipped = 10;
  bool activation_checkpointing = false;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("steps", self.steps, "Length in optimiser steps (exactly one of steps and epochs).",
          Range<std::int64_t>{1, 1'000'000'000}, Change::kOnRequest);
    visit("epochs", self.epochs, "Length in passes over the training data.",
          Range<std::int64_t>{1, 1'000'000}, Change::kOnRequest);
    visit("batch_size", self.batch_size, "Sequences per optimiser step, over all processes.",
          Range<std::int64_t>{1, 1'000'000}, Change::kOnRequest);
    visit("micro_batch_size", self.micro_batch_size,
          "Sequences per forward pass; 0: batch_size. Lower it when memory runs out.",
          Range<std::int64_t>{0, 1'000'000}, Change::kFree);
    visit("batch_tokens", self.batch_tokens,
          "Labelled records: in place of batch_size, sequences of like length, as many as have "
          "this many tokens with their padding (of pairs those of the longer side); 0: batch_size.",
          Range<std::int64_t>{0, 100'000'000});
    visit("micro_batch_tokens", self.micro_batch_tokens,
          "Of batch_tokens in a forward pass; 0: all. Lower it when memory runs out.",
          Range<std::int64_t>{0, 100'000'000}, Change::kFree);
    visit("activation_checkpointing", self.activation_checkpointing,
          "Keep only what enters each block and compute the rest again in the backward pass: less "
          "memory, a third more work.",
          Change::kFree);
    visit("precision", self.precision,
          "Matrix products in fp32 or bf16; weights are kept in fp32. auto: bf16 where the "
          "hardware multiplies it faster.",
          OneOf{{"auto", "fp32", "bf16"}}, Change::kOnRequest);
    visit("device", self.device, "auto, cpu, cuda or cuda:N.", Change::kFree);
    visit("deterministic", self.deterministic,
          "Equal runs bit for bit on one build, device and thread count.", Change::kFree);
    visit("threads", self.threads, "Threads for computing; 0: the cores that this process may use.",
          Range<std::int64_t>{0, 1024}, Change::kFree);
    visit("patience", self.patience,
          "Stop after this many validations in a row without a better score; 0: never.",
          Range<std::int64_t>{0, 1'000'000}, Change::kFree);
    visit("max_skipped", self.max_skipped,
          "Stop with exit 70 after this many steps in a row with a loss or gradient that is not "
          "finite.",
          Range<std::int64_t>{1, 1'000'000}, Change::kFree);
  }
  /// Exactly one of steps and epochs; micro-batches that fill the batch.
  void validate(const ConfigNode& node) const;
};

/// Section "eval" of a training run.
struct EvalScheduleConfig {
  std::int64_t every = 0;
  bool at_end = true;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("every", self.every,
          "Steps between validations; 0: once per epoch when the length is in epochs, else only at "
          "the end.",
          Range<std::int64_t>{0, 1'000'000'000});
    visit("at_end", self.at_end, "Validate after the last step too.");
  }
};

/// Section "checkpoint".
struct CheckpointConfig {
  std::int64_t every = 0;
  std::int64_t keep_last = 2;
  std::string keep_best;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("every", self.every,
          "Steps between checkpoints; 0: only with a better score and at the end.",
          Range<std::int64_t>{0, 1'000'000'000});
    visit("keep_last", self.keep_last, "Newest checkpoints kept.",
          Range<std::int64_t>{1, 1'000'000});
    visit(
        "keep_best", self.keep_best,
        "Score whose best checkpoint is kept too (\"valid/loss\"); empty: the task's own. Between "
        "equal scores the lower loss decides, then the later step.");
  }
};

/// Section "log".
struct LogConfig {
  std::int64_t every = 10;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("every", self.every, "Steps between records of the training loss.",
          Range<std::int64_t>{1, 1'000'000'000});
  }
};

/// The validation score that decides which checkpoint is best, without "valid/": keep_best, else
/// `own`. kConfig.
std::string best_score_of(const CheckpointConfig& checkpoint, const std::string& own);

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
