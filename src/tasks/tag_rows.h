// Texts with tagged words as rows of a model: words aligned to tokens, long texts in windows, the
// loss and the predictions. B rows, T tokens, D model.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/world.h"
#include "models/model.h"
#include "tasks/labelled_spans.h"
#include "tasks/tagged_texts.h"
#include "text/tokenizer.h"
#include "train/interfaces.h"

namespace llmctl {

/// What is labelled of a text: its words, each by its first token. Words that begin in one token
/// are one unit; words without a token (control characters, which some tokenizers drop) are none.
struct TextUnits {
  std::vector<ByteSpan> spans;      ///< in bytes of the text, from left to right
  std::vector<std::size_t> tokens;  ///< first token of each
};
TextUnits align_words(std::span<const ByteSpan> words, std::span<const ByteSpan> tokens);

/// Entities in units; those whose beginning and end are those of units are `exact`, the others are
/// given as the units that they touch.
struct UnitEntities {
  std::vector<Entity> entities;  ///< [begin, end) in units, not overlapping
  std::size_t exact = 0;
};
UnitEntities entities_in_units(std::span<const Entity> entities, const TextUnits& units);

struct TagRowOptions {
  std::int64_t sequence_length = 384;  ///< most tokens of a row
  std::int64_t stride = 64;  ///< tokens that neighbouring windows share, at most half a window
};

/// A window of a text.
struct TagRow {
  std::size_t text = 0;
  std::size_t begin = 0, count = 0;  ///< tokens of the text that it shows
  std::size_t first = 0, last = 0;   ///< units that it labels, [first, last)
};

/// All windows of some texts, each text tokenized once.
class TagRows {
 public:
  /// kConfig when sequence_length leaves no room for a word.
  TagRows(const std::vector<TaggedText>& texts, const Tokenizer& tokenizer,
          const TagRowOptions& options);

  std::size_t texts() const { return units_.size(); }
  const TextUnits& units(std::size_t text) const { return units_[text]; }
  const std::vector<TagRow>& rows() const { return rows_; }
  std::vector<std::int32_t> lengths() const;
  /// Token ids of a row, and token types if `types` is not null.
  std::vector<TokenId> ids(const TagRow& row, std::vector<TokenId>* types) const;
  /// Where in the row the first token of a unit stands.
  std::size_t position(const TagRow& row, std::size_t unit) const {
    return before_ + units_[row.text].tokens[unit] - row.begin;
  }
  /// The batch of some rows; its labels are those of the units, [text][unit] (kIgnoreLabel: none).
  Batch batch(std::span<const std::int64_t> rows,
              const std::vector<std::vector<std::int64_t>>& labels) const;

 private:
  void add_rows(std::size_t text, std::size_t room, std::size_t shared);

  const Tokenizer& tokenizer_;
  std::size_t before_ = 0, special_ = 0;  // special tokens before a text, and all of them
  std::vector<std::vector<TokenId>> tokens_;
  std::vector<TextUnits> units_;
  std::vector<TagRow> rows_;
};

/// Cross-entropy of the tags of the labelled tokens: one term "loss", counted in them.
class TagLoss : public Loss {
 public:
  explicit TagLoss(Model& model) : model_(model) {}
  std::vector<std::pair<std::string, double>> counts(const Batch& batch) const override;
  std::vector<LossTerm> terms(const Batch& batch, const Context& context) override;
  double tokens(const Batch& batch) const override;

 private:
  Model& model_;
};

/// The likeliest tag of a unit.
struct UnitTag {
  std::size_t label = 0;
  float probability = 0;
};

struct TagPredictions {
  std::vector<std::vector<UnitTag>> texts;  ///< of the units of each text
  double loss = 0, labelled = 0;  ///< summed over the units that have a label, and their number
};

/// Predicts the texts i with i % world.size() == world.rank(); those of the others stay empty.
/// `labels` as TagRows::batch() takes them.
TagPredictions predict_tags(Model& model, const TagRows& rows,
                            const std::vector<std::vector<std::int64_t>>& labels,
                            std::int64_t batch_size, const Context& context, const World& world);

/// The entities that predicted tags spell.
std::vector<PredictedEntity> predicted_entities(const std::vector<UnitTag>& tags,
                                                const TextUnits& units,
                                                std::span<const std::string> names);

}  // namespace llmctl
