// The text as a SentencePiece model sees it, and where each byte of that came from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/piece_trie.h"
#include "text/segmenter.h"
#include "text/sentencepiece_model.h"

namespace llmctl {

struct NormalizedText {
  std::string text;
  /// For each byte of `text`, and for its end, the byte of the original text; empty unless asked
  /// for.
  std::vector<std::uint32_t> origin;
};

/// Replacements of the model's table, spaces spelled as U+2581, extra ones dropped and one put
/// before the text as the model asks. User-defined pieces are taken as they stand.
class SentencePieceNormalizer {
 public:
  /// `model` must outlive the normaliser.
  explicit SentencePieceNormalizer(const SentencePieceModel& model)
      : model_(model), user_pieces_(user_piece_trie(model)) {}

  /// `prefix` false: without the space before the text, for a part that does not begin one.
  NormalizedText normalize(std::string_view text, bool prefix, bool with_origin) const;

 private:
  /// What the text begins with, and what becomes of it.
  Charsmap::Match next(std::string_view text) const;

  const SentencePieceModel& model_;
  PieceTrie user_pieces_;
};

}  // namespace llmctl
