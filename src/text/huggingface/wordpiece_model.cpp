#include "base/utf8.h"
#include "text/huggingface/models.h"
#include "text/piece_trie.h"

namespace llmctl {
namespace {

class WordPieceSegmenter : public Segmenter {
 public:
  WordPieceSegmenter(const Vocabulary& vocabulary, TokenId unknown, const std::string& continuing,
                     std::size_t max_characters)
      : unknown_(unknown), max_characters_(max_characters) {
    PieceTrie::Entries first, next;
    for (TokenId id = 0; id < vocabulary.size(); ++id) {
      const std::string_view name = vocabulary.name(id);
      if (name.empty()) continue;
      first.emplace_back(name, id);
      if (name.size() > continuing.size() && name.starts_with(continuing)) {
        next.emplace_back(name.substr(continuing.size()), id);
      }
    }
    first_ = PieceTrie(std::move(first));
    next_ = PieceTrie(std::move(next));
  }

  void segment(std::string_view word, std::vector<Segment>& out) const override {
    const std::size_t before = out.size();
    if (word.size() > max_characters_ && count_code_points(word) > max_characters_) {
      out.push_back({0, word.size(), unknown_});
      return;
    }
    for (std::size_t begin = 0; begin < word.size();) {
      Segment segment{begin, begin, unknown_};
      const auto longest = [&](std::size_t length, std::int32_t id) {
        segment.end = begin + length;
        segment.id = id;
      };
      (begin == 0 ? first_ : next_).for_each_prefix(word.substr(begin), longest);
      if (segment.end == begin) {
        out.resize(before);
        out.push_back({0, word.size(), unknown_});
        return;
      }
      out.push_back(segment);
      begin = segment.end;
    }
  }

 private:
  PieceTrie first_, next_;
  TokenId unknown_;
  std::size_t max_characters_;
};

}  // namespace

std::unique_ptr<Segmenter> make_wordpiece_segmenter(const Vocabulary& vocabulary, TokenId unknown,
                                                    const std::string& continuing,
                                                    std::size_t max_characters) {
  return std::make_unique<WordPieceSegmenter>(vocabulary, unknown, continuing, max_characters);
}

}  // namespace llmctl
