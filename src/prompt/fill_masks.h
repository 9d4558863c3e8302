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

struct MaskOptions {
  std::int64_t top = 5;          ///< words for each mask
  std::int64_t batch_size = 32;  ///< texts per forward pass
  Context context;
};

/// Fills "[MASK]" (or the tokenizer's own mask piece) in each text with the best words; special
/// tokens are no words. kData, naming the text by its place ("text N" where none is given): not
/// UTF-8, no mask, or longer than the model takes.
std::vector<FilledMasks> fill_masks(Model& model, const std::shared_ptr<const Tokenizer>& tokenizer,
                                    const std::vector<std::string>& texts,
                                    const MaskOptions& options,
                                    const std::vector<std::string>& places = {});

/// Refuses what fill_masks() would refuse, before any work.
void check_masks(const Model& model, const Tokenizer& tokenizer,
                 const std::vector<std::string>& texts,
                 const std::vector<std::string>& places = {});

}  // namespace llmctl
