#include "text/segmenter.h"

#include <algorithm>

#include "base/utf8.h"
#include "text/piece_table.h"
#include "text/space_mark.h"

namespace llmctl {
namespace {

/// Every U+2581 begins a word.
class WordSegmenter : public Segmenter {
 public:
  explicit WordSegmenter(const SentencePieceModel& model) : model_(model), pieces_(model) {}

  void segment(std::string_view text, std::vector<Segment>& out) const override {
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find(kSpaceMark, begin + 1), text.size());
      const std::int32_t id = pieces_.find(text.substr(begin, end - begin));
      out.push_back({begin, end, id >= 0 ? id : model_.unknown});
      begin = end;
    }
  }

 private:
  const SentencePieceModel& model_;
  PieceTable pieces_;
};

class CharSegmenter : public Segmenter {
 public:
  explicit CharSegmenter(const SentencePieceModel& model)
      : model_(model), pieces_(model), user_(user_piece_trie(model)) {}

  void segment(std::string_view text, std::vector<Segment>& out) const override {
    for (std::size_t begin = 0; begin < text.size();) {
      std::size_t length = user_.longest_prefix(text.substr(begin));
      if (length == 0) length = character_length(text, begin);
      const std::int32_t id = pieces_.find(text.substr(begin, length));
      out.push_back({begin, begin + length, id >= 0 ? id : model_.unknown});
      begin += length;
    }
  }

 private:
  const SentencePieceModel& model_;
  PieceTable pieces_;
  PieceTrie user_;
};

}  // namespace

bool matches_text(SentencePieceModel::PieceType type) {
  using Type = SentencePieceModel::PieceType;
  return type == Type::kNormal || type == Type::kUser || type == Type::kUnused;
}

PieceTrie user_piece_trie(const SentencePieceModel& model) {
  PieceTrie::Entries user;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    if (model.pieces[i].type != SentencePieceModel::PieceType::kUser) continue;
    user.emplace_back(model.pieces[i].text, static_cast<std::int32_t>(i));
  }
  return PieceTrie(std::move(user));
}

std::size_t character_length(std::string_view text, std::size_t at) {
  const std::size_t begin = at;
  next_code_point(text, at);
  return at - begin;
}

std::unique_ptr<Segmenter> make_segmenter(const SentencePieceModel& model) {
  switch (model.kind) {
    case SentencePieceModel::Kind::kBpe:
      return make_bpe_segmenter(model);
    case SentencePieceModel::Kind::kUnigram:
      return make_unigram_segmenter(model);
    case SentencePieceModel::Kind::kWord:
      return std::make_unique<WordSegmenter>(model);
    case SentencePieceModel::Kind::kChar:
      return std::make_unique<CharSegmenter>(model);
  }
  return nullptr;
}

}  // namespace llmctl
