// The loss of language models: cross-entropy at the labelled positions.
#pragma once

#include <memory>

#include "models/model.h"
#include "train/interfaces.h"

namespace llmctl {

/// One term, "loss", over the positions of batch.labels [B, T] that are not kIgnoreLabel. Only
/// their hidden states reach the head; the extra kLabelRows (data/collate.h) says which they are,
/// and where it is absent they are looked for (which waits for a GPU).
std::unique_ptr<Loss> make_lm_loss(Model& model);

/// Hidden states and labels of the labelled positions.
struct LabelledRows {
  at::Tensor hidden;  ///< [N, D]
  at::Tensor labels;  ///< [N]
};

/// Runs the model's body on a batch that is on its device and gathers the labelled positions.
LabelledRows labelled_rows(Model& model, const Batch& batch, const Context& context);

}  // namespace llmctl
