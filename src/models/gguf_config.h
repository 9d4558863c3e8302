// A model's configuration as GGUF's metadata and as Hugging Face's config.json.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/json.h"
#include "io/gguf.h"
#include "models/adapter.h"

namespace llmctl {

using GgufMetadata = std::vector<std::pair<std::string, GgufValue>>;

/// config.json of the model in a file. kData, naming the key, for kinds that are not supported and
/// for what would change the mathematics.
Json config_of_gguf(const GgufFile& file);

/// The keys of a model that has this plan. kData, naming the reason, when llama.cpp would compute
/// something else.
GgufMetadata gguf_metadata(const ModelPlan& plan);

/// What llama.cpp divides rotary frequencies by, for Llama 3's scaling (K/2 values); else empty.
std::vector<float> rope_factors(const ModelPlan& plan);
/// The name of the tensor that holds them.
inline constexpr char kRopeFactors[] = "rope_freqs.weight";

}  // namespace llmctl
