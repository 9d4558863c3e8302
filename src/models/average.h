// The mean of several models' weights, as of the last checkpoints of a run (Vaswani et al., 2017).
#pragma once

#include <filesystem>
#include <vector>

#include "models/model.h"

namespace llmctl {

/// Sets the model's parameters to their means over the directories, computed in fp64. kData where a
/// directory's model has other parameters; kUsage for directories of adapters.
void average_weights(Model& model, const std::vector<std::filesystem::path>& directories);

}  // namespace llmctl
