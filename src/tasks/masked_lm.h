// Masked language modelling: some tokens are hidden and predicted from all others (Devlin et al.,
// 2019).
#pragma once

#include <memory>
#include <span>
#include <string>

#include "data/collate.h"
#include "data/masking.h"
#include "data/row_plan.h"
#include "prompt/fill_masks.h"
#include "tasks/text_task.h"

namespace llmctl {

/// Section "task" of type masked_lm.
struct MaskedLmConfig {
  std::string type = "masked_lm";
  double mask_probability = MaskingOptions{}.probability;
  bool whole_word = MaskingOptions{}.whole_word;
  bool chinese_words = false;
  double mask_share = MaskingOptions{}.mask_share;
  double random_share = MaskingOptions{}.random_share;
  bool pseudo_perplexity = false;
  std::int64_t pseudo_perplexity_tokens = 20'000;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("type", self.type, "Predict hidden tokens from all others.", OneOf{{"masked_lm"}});
    visit("mask_probability", self.mask_probability, "Share of the tokens to predict.",
          Range<double>{0.001, 1});
    visit("whole_word", self.whole_word,
          "Choose whole words instead of tokens; Chinese characters are words of their own.");
    visit("chinese_words", self.chinese_words,
          "With whole_word: Chinese words as ICU's dictionary cuts them, instead of characters.");
    visit("mask_share", self.mask_share, "Share of the chosen tokens that become [MASK].",
          Range<double>{0, 1});
    visit("random_share", self.random_share,
          "Share of the chosen tokens that become any token; the rest stay as they are.",
          Range<double>{0, 1});
    visit("pseudo_perplexity", self.pseudo_perplexity,
          "eval: mask each token in turn, too (Salazar et al., 2020).");
    visit("pseudo_perplexity_tokens", self.pseudo_perplexity_tokens,
          "Tokens scored for it at most.", Range<std::int64_t>{1, std::int64_t{1} << 40});
  }
  void validate(const ConfigNode& node) const;
};

/// [CLS] and [SEP] of a masked language model's tokenizer; kConfig when it lacks one.
struct Brackets {
  std::int64_t cls = 0, sep = 0;
};
Brackets brackets_of(const Tokenizer& tokenizer);

/// Two special tokens around each piece, which itself leaves out the document's end token.
inline constexpr RowFormat kMaskedFormat{2, true};

/// [CLS] piece [SEP] for each piece, nothing masked yet. With `joined` (packing concat) all pieces
/// are one such sequence, else each is a document with positions of its own.
TokenRow bracketed_row(const Shards& shards, std::span<const RowPiece> pieces, bool joined,
                       const Brackets& brackets);

/// The words that a model finds most likely for each mask of a text.
class MaskAnswer : public Answer {
 public:
  explicit MaskAnswer(FilledMasks filled) : filled_(std::move(filled)) {}
  const FilledMasks& filled() const { return filled_; }
  /// "filled", and "masks": for each mask a list of {"word", "probability"}.
  Json record() const override;
  std::string text() const override;

 private:
  FilledMasks filled_;
};

std::unique_ptr<TextTask> make_masked_lm(const MaskedLmConfig& config,
                                         std::shared_ptr<const Tokenizer> tokenizer);

}  // namespace llmctl
