// Pairs of texts as rows of token ids, in the form that the model learns from: two sequences of an
// encoder-decoder, or a prompt and its answer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "tasks/conversation_form.h"
#include "tasks/dialogue_rows.h"
#include "tasks/held_out_loss.h"
#include "tasks/labelled_row.h"
#include "tasks/parallel_texts.h"
#include "tasks/token_batches.h"
#include "text/tokenizer.h"

namespace llmctl {

/// One pair of an encoder-decoder.
struct PairRow {
  std::size_t prefix = 0;       ///< tokens of the source that stand for its direction
  std::vector<TokenId> source;  ///< as the tokenizer ends texts
  std::vector<TokenId> target;  ///< in the tokenizer's target vocabulary, with the end
};

/// How pairs become rows.
class TranslationForm {
 public:
  /// Two sequences; targets are read shifted right behind `decoder_start`. kConfig for a tokenizer
  /// that has no end token, or that spells a direction's prefix with its unknown token.
  static TranslationForm of_pairs(const TranslationConfig& config,
                                  std::shared_ptr<const Tokenizer> tokenizer,
                                  std::int64_t decoder_start);
  /// A causal model's prompt and answer, with the template that `described` (what a trained model's
  /// configuration says of the task; null: nothing) or the section has.
  static TranslationForm of_prompts(const TranslationConfig& config,
                                    std::shared_ptr<const Tokenizer> tokenizer,
                                    const Json& described);

  bool encoder_decoder() const { return !conversation_; }
  /// The template around prompts; null of two sequences.
  const ConversationForm* conversation() const { return conversation_ ? &*conversation_ : nullptr; }
  std::vector<TokenId> source_ids(const SourceText& source) const;
  PairRow pair_row(const TextPair& pair) const;
  /// In at most `length` tokens.
  DialogueRow dialogue_row(const TextPair& pair, std::size_t length) const;
  std::vector<TokenId> prompt(const SourceText& source) const;
  std::string source_text(const SourceText& source) const;

  TokenId pad() const;
  std::int64_t decoder_start() const { return decoder_start_; }
  const TranslationConfig& config() const { return config_; }
  const std::shared_ptr<const Tokenizer>& tokenizer() const { return tokenizer_; }

 private:
  TranslationForm(const TranslationConfig& config, std::shared_ptr<const Tokenizer> tokenizer);

  TranslationConfig config_;
  std::vector<TranslationDirection> directions_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::int64_t decoder_start_ = 0;
  std::optional<ConversationForm> conversation_;
};

/// Tokens that training makes unknown ones: shares of the source and of what the decoder reads. The
/// mark of a direction and the ends stay.
struct TokenNoise {
  double source = 0, target = 0;
  std::uint64_t seed = 0, step = 0;  ///< by which, with the row, the draws are keyed
};

/// Rows of pairs, of one of the two kinds.
class TranslationRows {
 public:
  /// Rows in at most `length` tokens a sequence. Of pairs that have more, their rows are cut where
  /// `cut`, else left out, and `kept` holds the indices of the others.
  TranslationRows(const TranslationForm& form, const std::vector<TextPair>& pairs,
                  std::int64_t length, bool cut);

  std::size_t size() const { return form_.encoder_decoder() ? pairs_.size() : dialogues_.size(); }
  const std::vector<std::size_t>& kept() const { return kept_; }
  /// Of a pair the target's tokens and the source's.
  RowLengths lengths() const;
  /// Of an encoder-decoder's rows the one of this number.
  const PairRow& pair(std::int64_t row) const { return pairs_[static_cast<std::size_t>(row)]; }
  Batch batch(std::span<const std::int64_t> rows, const TokenNoise& noise = {}) const;
  HeldOutRows held_out() const;
  /// What is learned of a row: all of an encoder-decoder's target.
  std::vector<LabelledPart> labelled_parts(std::size_t row) const;
  /// Adds what the rows hold to a digest.
  void add_to(const std::function<void(const void*, std::size_t)>& digest) const;

 private:
  TranslationForm form_;
  std::vector<std::size_t> kept_;
  std::vector<PairRow> pairs_;
  DialogueRows dialogues_;
};

}  // namespace llmctl
