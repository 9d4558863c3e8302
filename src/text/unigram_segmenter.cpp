// The most probable segmentation under a unigram model (Kudo, 2018) by Viterbi's algorithm.
#include <algorithm>
#include <limits>

#include "text/piece_trie.h"
#include "text/segmenter.h"

namespace llmctl {
namespace {

constexpr float kUnknownPenalty = 10;

class UnigramSegmenter : public Segmenter {
 public:
  explicit UnigramSegmenter(const SentencePieceModel& model) : model_(model) {
    using Type = SentencePieceModel::PieceType;
    float lowest = std::numeric_limits<float>::max();
    // As the library has it: where all scores are negative this stays next to 0.
    float highest = std::numeric_limits<float>::min();
    PieceTrie::Entries pieces;
    for (std::size_t i = 0; i < model.pieces.size(); ++i) {
      const auto& piece = model.pieces[i];
      if (piece.type == Type::kNormal) {
        lowest = std::min(lowest, piece.score);
        highest = std::max(highest, piece.score);
      }
      if (piece.type == Type::kNormal || piece.type == Type::kUser) {
        pieces.emplace_back(piece.text, static_cast<std::int32_t>(i));
      }
    }
    trie_ = PieceTrie(std::move(pieces));
    unknown_score_ = lowest - kUnknownPenalty;
    scores_.reserve(model.pieces.size());
    for (const auto& piece : model.pieces) {
      const bool user = piece.type == Type::kUser;
      const auto length = static_cast<float>(piece.text.size());
      scores_.push_back(user ? length * highest - 0.1f : piece.score);
    }
  }

  void segment(std::string_view text, std::vector<Segment>& out) const override {
    constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();
    struct Step {  // the best way to a place
      float score = 0;
      std::int32_t id = -1;
      std::size_t begin = kNowhere;
    };
    std::vector<Step> best(text.size() + 1);
    for (std::size_t begin = 0; begin < text.size();) {
      const float so_far = best[begin].score;
      const auto offer = [&](std::size_t length, std::int32_t id, float score) {
        Step& step = best[begin + length];
        if (step.begin == kNowhere || so_far + score > step.score) {
          step = {so_far + score, id, begin};
        }
      };
      const std::size_t character = character_length(text, begin);
      bool has_character = false;
      trie_.for_each_prefix(text.substr(begin), [&](std::size_t length, std::int32_t id) {
        offer(length, id, scores_[static_cast<std::size_t>(id)]);
        has_character = has_character || length == character;
      });
      if (!has_character) offer(character, model_.unknown, unknown_score_);
      begin += character;
    }
    const std::size_t first = out.size();
    for (std::size_t end = text.size(); end > 0; end = best[end].begin) {
      out.push_back({best[end].begin, end, best[end].id});
    }
    std::reverse(out.begin() + static_cast<std::ptrdiff_t>(first), out.end());
  }

 private:
  const SentencePieceModel& model_;
  PieceTrie trie_;
  std::vector<float> scores_;
  float unknown_score_ = 0;
};

}  // namespace

std::unique_ptr<Segmenter> make_unigram_segmenter(const SentencePieceModel& model) {
  return std::make_unique<UnigramSegmenter>(model);
}

}  // namespace llmctl
