// The loss of language models on held-out rows.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/world.h"
#include "models/model.h"

namespace llmctl {

/// Held-out rows: tokens of each, and the batch of some.
struct HeldOutRows {
  std::vector<std::int32_t> lengths;
  std::function<Batch(std::span<const std::int64_t> indices)> collate;
};

/// Sum of the language model's loss and number of its labels over the rows of this rank.
std::array<double, 2> held_out_loss(Model& model, const HeldOutRows& rows, std::int64_t batch_size,
                                    const Context& context, const World& world);

}  // namespace llmctl
