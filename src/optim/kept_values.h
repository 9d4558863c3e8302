// Parameters that no model directory holds, kept with the optimiser's state.
#pragma once

#include <memory>

#include "optim/optimizer.h"

namespace llmctl {

/// `inner`, whose state() has one tensor more for each of `values`, "value.NAME": what is in the
/// parameter at the time. load_state() puts it back before the inner optimiser takes its own. kData
/// where one is missing or has another shape.
std::unique_ptr<Optimizer> with_values(std::unique_ptr<Optimizer> inner, NamedTensors values);

}  // namespace llmctl
