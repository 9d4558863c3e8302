// The gradients of one training step.
#pragma once

#include <cstdint>
#include <vector>

#include "data/batch.h"
#include "optim/optimizer.h"
#include "train/loop.h"
#include "train/meters.h"

namespace llmctl {

/// What a step found, over all micro-batches and ranks.
struct StepResult {
  std::vector<TermSum> terms;
  double tokens = 0;
  double gradient_norm = 0;  ///< before clipping
  bool finite = true;        ///< loss and norm, on every rank
};

/// Forward and backward of this rank's micro-batches: the parameters' gradients become those of the
/// global batch's loss, Σ coefficient · sum / count, where each count is that of the whole global
/// batch. `compute` is the dtype of matrix products.
StepResult compute_gradients(const TrainingRun& run, const NamedTensors& parameters,
                             at::ScalarType compute, std::int64_t step,
                             const std::vector<Batch>& batches);

}  // namespace llmctl
