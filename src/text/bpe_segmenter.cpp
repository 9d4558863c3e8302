// Byte-pair merging (Sennrich et al., 2016) in SentencePiece's form: the two neighbours whose
// concatenation is the piece of the highest score are merged, the leftmost first, until none are.
#include <algorithm>
#include <unordered_map>

#include "text/piece_table.h"
#include "text/segmenter.h"
#include "text/space_mark.h"

namespace llmctl {
namespace {

/// A run of the text that has become one; they are linked in the order of the text.
struct Symbol {
  std::uint32_t begin, end;  // begin == end: merged into its left neighbour
  std::int32_t previous, next;
  std::int32_t id;
  bool frozen;  // a user-defined piece
};

struct Merge {
  float score;
  std::int32_t left, right, id;
  std::uint32_t length;  // of both at the time: tells whether either has changed since

  /// The better merge comes last in a heap's order.
  bool operator<(const Merge& other) const {
    return score != other.score ? score < other.score : left > other.left;
  }
};

class BpeSegmenter : public Segmenter {
 public:
  explicit BpeSegmenter(const SentencePieceModel& model)
      : model_(model), pieces_(model), user_(user_piece_trie(model)) {
    using Type = SentencePieceModel::PieceType;
    for (const auto& piece : model.pieces) {
      if (piece.type == Type::kUnused) has_unused_ = true;
      if (!matches_text(piece.type)) continue;
      // The first character that is no space, and a space behind it.
      std::string_view rest = piece.text;
      while (rest.starts_with(kSpaceMark)) rest.remove_prefix(kSpaceMark.size());
      if (rest.find(kSpaceMark) != rest.npos) words_apart_ = false;
    }
  }

  void segment(std::string_view text, std::vector<Segment>& out) const override {
    Work work;
    // Where no piece goes on behind a space, no merge does: shorter texts have shorter heaps.
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = words_apart_ ? word_end(text, begin) : text.size();
      segment_word(text.substr(begin, end - begin), begin, work, out);
      begin = end;
    }
  }

 private:
  struct Parts {
    std::int32_t left, right;
    std::uint32_t left_length;
  };
  struct Work {
    std::vector<Symbol> symbols;
    std::vector<Merge> heap;
    std::unordered_map<std::int32_t, Parts> parts;  // of unused pieces
  };

  static std::size_t word_end(std::string_view text, std::size_t at) {
    while (text.substr(at).starts_with(kSpaceMark)) at += kSpaceMark.size();
    return std::min(text.find(kSpaceMark, at), text.size());
  }

  void segment_word(std::string_view word, std::size_t offset, Work& work,
                    std::vector<Segment>& out) const {
    make_symbols(word, work.symbols);
    auto& symbols = work.symbols;
    auto& heap = work.heap;
    heap.clear();
    work.parts.clear();
    const auto count = static_cast<std::int32_t>(symbols.size());
    for (std::int32_t i = 1; i < count; ++i) offer(word, i - 1, i, work);
    while (!heap.empty()) {
      const Merge merge = heap.front();
      std::pop_heap(heap.begin(), heap.end());
      heap.pop_back();
      Symbol& left = symbols[static_cast<std::size_t>(merge.left)];
      Symbol& right = symbols[static_cast<std::size_t>(merge.right)];
      if (left.begin == left.end || right.begin == right.end ||
          right.end - left.begin != merge.length) {
        continue;
      }
      left.end = right.end;
      left.id = merge.id;
      left.next = right.next;
      if (right.next >= 0) symbols[static_cast<std::size_t>(right.next)].previous = merge.left;
      right.end = right.begin;
      if (left.previous >= 0) offer(word, left.previous, merge.left, work);
      if (left.next >= 0) offer(word, merge.left, left.next, work);
    }
    for (std::int32_t i = count == 0 ? -1 : 0; i >= 0;) {
      const Symbol& symbol = symbols[static_cast<std::size_t>(i)];
      put(symbol.id, offset + symbol.begin, offset + symbol.end, work, out);
      i = symbol.next;
    }
  }

  /// Characters and user-defined pieces.
  void make_symbols(std::string_view word, std::vector<Symbol>& symbols) const {
    symbols.clear();
    for (std::size_t begin = 0; begin < word.size();) {
      std::size_t length = user_.longest_prefix(word.substr(begin));
      const bool frozen = length > 0;
      if (!frozen) length = character_length(word, begin);
      const auto index = static_cast<std::int32_t>(symbols.size());
      symbols.push_back({static_cast<std::uint32_t>(begin),
                         static_cast<std::uint32_t>(begin + length), index - 1, index + 1,
                         pieces_.find(word.substr(begin, length)), frozen});
      begin += length;
    }
    if (!symbols.empty()) symbols.back().next = -1;
  }

  /// A merge of two neighbours, if it makes a piece.
  void offer(std::string_view word, std::int32_t left_index, std::int32_t right_index,
             Work& work) const {
    const Symbol& left = work.symbols[static_cast<std::size_t>(left_index)];
    const Symbol& right = work.symbols[static_cast<std::size_t>(right_index)];
    if (left.frozen || right.frozen) return;
    const std::uint32_t length = right.end - left.begin;
    const std::int32_t id = pieces_.find(word.substr(left.begin, length));
    if (id < 0) return;
    const auto& piece = model_.pieces[static_cast<std::size_t>(id)];
    work.heap.push_back({piece.score, left_index, right_index, id, length});
    std::push_heap(work.heap.begin(), work.heap.end());
    if (has_unused_ && piece.type == SentencePieceModel::PieceType::kUnused) {
      work.parts[id] = {left.id, right.id, left.end - left.begin};
    }
  }

  /// An unused piece serves for merging only: it is taken apart again.
  void put(std::int32_t id, std::size_t begin, std::size_t end, const Work& work,
           std::vector<Segment>& out) const {
    if (has_unused_ && id >= 0) {
      const auto parts = work.parts.find(id);
      if (parts != work.parts.end()) {
        const auto [left, right, left_length] = parts->second;
        put(left, begin, begin + left_length, work, out);
        put(right, begin + left_length, end, work, out);
        return;
      }
    }
    out.push_back({begin, end, id >= 0 ? id : model_.unknown});
  }

  const SentencePieceModel& model_;
  PieceTable pieces_;
  PieceTrie user_;
  bool has_unused_ = false, words_apart_ = true;
};

}  // namespace

std::unique_ptr<Segmenter> make_bpe_segmenter(const SentencePieceModel& model) {
  return std::make_unique<BpeSegmenter>(model);
}

}  // namespace llmctl
