// Pieces that text can match, by their whole spelling.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "text/segmenter.h"
#include "text/sentencepiece_model.h"

namespace llmctl {

/// A hash table with open addressing, at most half full. `model` must outlive it.
class PieceTable {
 public:
  explicit PieceTable(const SentencePieceModel& model) : model_(model) {
    std::size_t count = 0;
    for (const auto& piece : model.pieces) count += matches_text(piece.type);
    slots_.assign(std::bit_ceil(2 * count + 1), -1);
    for (std::size_t i = 0; i < model.pieces.size(); ++i) {
      const std::string_view text = model.pieces[i].text;
      if (!matches_text(model.pieces[i].type)) continue;
      std::size_t slot = first_slot(text);
      while (slots_[slot] >= 0) slot = (slot + 1) & (slots_.size() - 1);
      slots_[slot] = static_cast<std::int32_t>(i);
      longest_ = std::max(longest_, text.size());
    }
  }

  /// The piece's id, or -1.
  std::int32_t find(std::string_view text) const {
    if (text.size() > longest_) return -1;
    for (std::size_t slot = first_slot(text);; slot = (slot + 1) & (slots_.size() - 1)) {
      const std::int32_t id = slots_[slot];
      if (id < 0 || model_.pieces[static_cast<std::size_t>(id)].text == text) return id;
    }
  }

 private:
  std::size_t first_slot(std::string_view text) const {
    return std::hash<std::string_view>()(text) & (slots_.size() - 1);
  }

  const SentencePieceModel& model_;
  std::vector<std::int32_t> slots_;
  std::size_t longest_ = 0;
};

}  // namespace llmctl
