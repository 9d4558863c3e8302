// Filling masks: the words that a masked language model finds most likely.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/model.h"
#include "text/tokenizer.h"

namespace llmctl {

struct MaskChoice {
  std::string word;  ///< as it would be read, without the space before it
  TokenId id;
  double probability;  ///< among the whole vocabulary
};

/// One text with masks: for each, from left to right, its best words; `filled` has the best of
/// each.
struct FilledMasks {
  std::vector<std::vector<MaskChoice>> choices;
  std::string filled;
};

/// Fills "[MASK]" (or the tokenizer's own mask piece) in each text, `batch_size` texts at a time,
/// with the `top` best words; special tokens are no words. kData, naming the text: not UTF-8, no
/// mask, or longer than the model takes.
std::vector<FilledMasks> fill_masks(Model& model, const std::shared_ptr<const Tokenizer>& tokenizer,
                                    const std::vector<std::string>& texts, std::int64_t top,
                                    std::int64_t batch_size, const Context& context);

}  // namespace llmctl
