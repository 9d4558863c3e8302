// Rotary embeddings as config.json writes them: "rope_theta" and "rope_scaling" (transformers 4) or
// "rope_parameters" (5).
#pragma once

#include "config/fields.h"
#include "nn/rope.h"

namespace llmctl {

/// Reads "rope_parameters" of the node where it is there, else "rope_scaling" with `theta`.
RopeConfig read_rope(const ConfigNode& config, double theta, std::int64_t max_positions);

/// The other spelling's keys become "rope_theta" and "rope_scaling", which both versions read.
void write_rope(Json& config);

}  // namespace llmctl
