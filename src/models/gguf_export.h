// Models as GGUF files for llama.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "io/ggml_type.h"
#include "models/model.h"
#include "text/ggml_vocabulary.h"

namespace llmctl {

struct GgufOptions {
  GgmlType type = GgmlType::kF16;
  std::string name = {};           ///< "general.name"
  std::vector<TokenId> ends = {};  ///< of the model's generation_config.json
  bool dry_run = false;            ///< everything is checked, nothing written
};

struct GgufSummary {
  std::uint64_t bytes = 0;                    ///< of the tensors
  std::map<std::string, std::int64_t> types;  ///< "Q8_0" → tensors
  std::vector<std::string> notes;             ///< what llama.cpp will do another way
};

/// Writes `file` atomically. Vectors, and GPT-2's positions, are F32 whatever the type; matrices
/// whose rows are no blocks of a quantised type are F16; with q4_0 the output matrix (or the
/// embedding table that serves as it) is Q8_0. kData, naming the reason, for what llama.cpp would
/// not compute the same way, and naming the tensor for values that the type cannot hold;
/// kCannotCreate, kIo.
GgufSummary write_gguf_model(const std::filesystem::path& file, const Model& model,
                             const Tokenizer& tokenizer, const std::string& chat_template,
                             const GgufOptions& options);

}  // namespace llmctl
