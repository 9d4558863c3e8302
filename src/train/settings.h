// Sections of a run that its training loop follows: "train", "eval", "checkpoint" and "log".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/fields.h"

namespace llmctl {

/// What names a validation's score in records and keys: "valid/loss".
inline constexpr const char* kValidPrefix = "valid/";

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

}  // namespace llmctl
