// The loss of language models: cross-entropy at the labelled positions.
#pragma once

#include <memory>

#include "models/model.h"
#include "train/interfaces.h"

namespace llmctl {

/// One term, "loss", over the positions of batch.labels [B, T] that are not kIgnoreLabel; of an
/// encoder-decoder those of the target, whose tokens are then the ones that Loss::tokens() counts.
/// Only their hidden states reach the head; the extra kLabelRows (data/collate.h) says which they
/// are, and where it is absent they are looked for (which waits for a GPU). Labels are smoothed as
/// ops/cross_entropy.h says.
std::unique_ptr<Loss> make_lm_loss(Model& model, double label_smoothing = 0);

/// Hidden states and labels of the labelled positions.
struct LabelledRows {
  at::Tensor hidden;  ///< [N, D]
  at::Tensor labels;  ///< [N]
};

/// Runs the model's body on a batch that is on its device and gathers the labelled positions.
LabelledRows labelled_rows(Model& model, const Batch& batch, const Context& context);

}  // namespace llmctl
