// PEFT adapters beside a model's weights, chosen for each token of a pass.
#pragma once

#include <cstddef>
#include <filesystem>

#include "models/model.h"

namespace llmctl {

/// Puts the low-rank maps of a PEFT directory beside the model's linear layers and gives their
/// number for AdapterUse: they add nothing where Context::adapters does not select them. `base`:
/// the model's own directory; that the adapter was trained on other weights is logged. kData for an
/// adapter that also keeps whole layers (export merges such a one), that does not fit the model,
/// and for models without linear layers of ours.
std::size_t add_adapter(Model& model, const std::filesystem::path& directory,
                        const std::filesystem::path& base);

}  // namespace llmctl
