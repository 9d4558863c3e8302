// Cutting normalised text into the pieces of a SentencePiece model: the same pieces, in every
// version of the library, for the same model.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "text/piece_trie.h"
#include "text/sentencepiece_model.h"

namespace llmctl {

/// Bytes [begin, end) of the normalised text; `id` is that of the unknown piece where there is no
/// other.
struct Segment {
  std::size_t begin = 0, end = 0;
  std::int32_t id = 0;
};

/// Thread-safe.
class Segmenter {
 public:
  virtual ~Segmenter() = default;
  /// Appends the segments, which end to end are the text.
  virtual void segment(std::string_view text, std::vector<Segment>& out) const = 0;
};

/// Merges of byte pairs (Sennrich et al., 2016), a lattice of unigrams (Kudo, 2018), words or
/// characters, as the model's kind is. `model` must outlive the result.
std::unique_ptr<Segmenter> make_segmenter(const SentencePieceModel& model);
std::unique_ptr<Segmenter> make_bpe_segmenter(const SentencePieceModel& model);
std::unique_ptr<Segmenter> make_unigram_segmenter(const SentencePieceModel& model);

/// Pieces that text can match: control, unknown and byte pieces never do.
bool matches_text(SentencePieceModel::PieceType type);

/// The user-defined pieces: where a text has one it stays whole.
PieceTrie user_piece_trie(const SentencePieceModel& model);

/// Length in bytes of the character that starts at text[at]; a broken one counts as one byte.
std::size_t character_length(std::string_view text, std::size_t at);

}  // namespace llmctl
