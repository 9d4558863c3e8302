// The three things that a run brings to the training loop; tasks implement them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "data/batch.h"
#include "metrics/score.h"
#include "nn/context.h"

namespace llmctl {

/// One part of a loss over a batch: a sum, never a mean. The loop divides it by the count of the
/// whole global batch.
struct LossTerm {
  std::string name;  ///< "loss", "start", …
  at::Tensor sum;    ///< scalar, with gradient
  double count = 0;  ///< what it is summed over (tokens, rows)
  double coefficient = 1.0;
  /// Further sums over the same count, recorded as means ("accuracy": how many were right). The
  /// same keys in every batch.
  std::map<std::string, double> extras;
};

/// Where the rows of a step come from. Everything is a function of (seed, step); nothing is
/// remembered.
class Source {
 public:
  virtual ~Source() = default;
  /// Optimiser steps in one pass over the data (rounded up), for train.epochs and the epoch's
  /// records.
  virtual std::int64_t steps_per_epoch() const = 0;
  /// The micro-batches of a step that belong to this rank, in order. At least one on every rank,
  /// perhaps without a label; their number and shape may vary. Called from another thread than the
  /// rest of the loop, one step ahead.
  virtual std::vector<Batch> batches(std::int64_t step) const = 0;
  /// Of the data, how it is cut and how often each part is used; a resumed run must find the same.
  virtual std::string fingerprint() const = 0;
  /// Of the data and how it is cut alone.
  virtual std::string content() const { return fingerprint(); }
};

class Loss {
 public:
  virtual ~Loss() = default;
  /// Names and counts of the terms of a batch, from host tensors alone (the loop needs them before
  /// any backward pass).
  virtual std::vector<std::pair<std::string, double>> counts(const Batch& batch) const = 0;
  /// The terms, in the order of counts(). The batch is on the model's device.
  virtual std::vector<LossTerm> terms(const Batch& batch, const Context& context) = 0;
  /// What is trained beside the model's parameters and is no part of it: maps that training alone
  /// needs. A checkpoint keeps them beside the optimiser's state.
  virtual std::vector<std::pair<std::string, at::Tensor>> parameters() const { return {}; }
  /// Tokens of a batch for the throughput meter (padding not counted).
  virtual double tokens(const Batch& batch) const = 0;
};

/// Scores and a few samples.
struct ValidationResult {
  Scores scores;                     ///< kLossName, "exact_match", …: "valid/NAME" in the records
  std::vector<std::string> samples;  ///< lines worth reading
};

class Validator {
 public:
  virtual ~Validator() = default;
  virtual ValidationResult validate(const Context& context) = 0;
};

}  // namespace llmctl
