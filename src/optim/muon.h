// Muon: momentum, orthogonalised (Jordan et al., 2024, "Muon: an optimizer for hidden layers in
// neural networks"). Private to optim/.
#pragma once

#include <memory>

#include "optim/optimizer.h"

namespace llmctl {

/// True for what Muon updates: the matrices inside blocks. Hugging Face's names number the blocks
/// ("model.layers.3.…", "bert.encoder.layer.3.…"), so a name with a number in it is one of a
/// block's.
bool is_block_matrix(const std::string& name, const at::Tensor& tensor);

/// Five Newton-Schulz steps towards the nearest matrix with orthonormal rows (or columns): gradient
/// [I, O] → [I, O].
at::Tensor orthogonalize(const at::Tensor& gradient);

/// Muon for block matrices at muon_lr_ratio · lr, AdamW for all other parameters at lr.
std::unique_ptr<Optimizer> make_muon(const OptimConfig& config, const NamedTensors& parameters,
                                     const std::vector<ParameterPlan>& plans);

/// The fused Adam or AdamW that config.type names ("muon": AdamW).
std::unique_ptr<Optimizer> make_adam(const OptimConfig& config, const NamedTensors& parameters,
                                     const std::vector<ParameterPlan>& plans);

}  // namespace llmctl
