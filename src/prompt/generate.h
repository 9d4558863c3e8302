// Text in, text out over infer/: prompts of a file in batches, stop strings, streaming, filled
// masks.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "infer/engine.h"
#include "text/tokenizer.h"

namespace llmctl {

struct GeneratedText {
  std::string text;  ///< the continuation, stop string cut off
  std::vector<TokenId> ids;
  std::vector<float> logprobs;
  std::string finish_reason;  ///< "stop" or "length"
};

/// Continues prompts: result[i][s] is sample s of prompt i. `on_text` (row, piece of text) streams
/// complete characters. The model's eos ids and generation_config.json's defaults are the caller's
/// to resolve into `config`.
std::vector<std::vector<GeneratedText>> generate_texts(
    Model& model, const std::shared_ptr<const Tokenizer>& tokenizer,
    const std::vector<std::string>& prompts, const GenerationConfig& config, const Context& context,
    const std::function<void(std::size_t, const std::string&)>& on_text = {});

struct MaskChoice {
  std::string word;
  TokenId id;
  double probability;
};

/// One text with "[MASK]" (or the tokenizer's mask piece) in it, each mask with its best `top`
/// words; `filled` has the best.
struct FilledMasks {
  std::vector<std::vector<MaskChoice>> choices;
  std::string filled;
};

std::vector<FilledMasks> fill_masks(Model& model, const std::shared_ptr<const Tokenizer>& tokenizer,
                                    const std::vector<std::string>& texts, std::int64_t top,
                                    std::int64_t batch_size, const Context& context);

}  // namespace llmctl
