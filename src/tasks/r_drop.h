// R-Drop (Liang et al., 2021): each row passes twice, and what two draws of dropout make of it is
// drawn together.
#pragma once

#include <memory>

#include "models/model.h"
#include "train/interfaces.h"

namespace llmctl {

/// Terms "loss", the mean of the cross-entropies of both passes, and "r_drop", the mean of
/// KL(P1 ‖ P2) and KL(P2 ‖ P1) with the coefficient alpha / 2: together half of the paper's
/// L_NLL + alpha · L_KL, so that a learning rate means what it does without it. Both are counted in
/// labels; batches are those of make_lm_loss(), of which each forward pass has twice the rows.
std::unique_ptr<Loss> make_r_drop_loss(Model& model, double alpha, double label_smoothing);

}  // namespace llmctl
