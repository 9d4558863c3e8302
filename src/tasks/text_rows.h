// Texts as rows that a model classifies, and its outputs for them.
// B rows, T tokens.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/world.h"
#include "models/model.h"
#include "tasks/labelled_texts.h"
#include "tasks/word_noise.h"
#include "text/tokenizer.h"
#include "text/truncate.h"

namespace llmctl {

/// How long rows may be, and what longer texts lose.
struct RowLength {
  std::int64_t sequence_length = 0;  ///< most tokens of a row
  TruncationSide side = TruncationSide::kRight;
};

/// Rows of texts, as the model sees them.
struct TextRows {
  std::vector<std::vector<TokenId>> ids, types;
  std::size_t shortened = 0;  ///< texts that lost tokens

  std::vector<std::int32_t> lengths() const;
  Batch batch(std::span<const std::int64_t> rows, TokenId pad) const;
  Batch batch_of_all(TokenId pad) const;
  /// These rows with noise, which is drawn by the noise's seed and step and each row's number.
  TextRows noisy(std::span<const std::int64_t> rows, const Tokenizer& tokenizer,
                 const WordNoise& noise) const;
};

/// [CLS] text [SEP], or [CLS] text [SEP] pair [SEP]; of a pair that is too long the longer part
/// loses tokens first. kConfig when the length has no room for any text.
TextRows tokenize_texts(const std::vector<LabelledText>& texts, const Tokenizer& tokenizer,
                        const RowLength& length);

/// "70 of 6213 texts have more than 256 tokens and lose their end (task.truncation_side)"; empty
/// where none is shortened.
std::string shortened_note(std::size_t shortened, std::size_t texts, const RowLength& length);

/// How rows are predicted.
struct PredictRows {
  TokenId pad = 0;
  std::int64_t batch_size = 32;
  Context context;
};

/// Logits of the classes of each row i with i % world.size() == world.rank(), empty for the others.
std::vector<std::vector<float>> predict_logits(Model& model, const TextRows& rows,
                                               const PredictRows& how, const World& world);
/// Of all rows, on every rank.
std::vector<std::vector<float>> predict_all_logits(Model& model, const TextRows& rows,
                                                   const PredictRows& how, World& world);

}  // namespace llmctl
