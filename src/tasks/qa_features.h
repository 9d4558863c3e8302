// From questions and passages to rows that a model sees: [CLS] question [SEP] passage [SEP], long
// passages in overlapping windows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tasks/qa_data.h"
#include "text/tokenizer.h"

namespace llmctl {

/// Where a tokenizer's rule for pairs puts the two parts.
struct PairLayout {
  std::size_t before = 0;   ///< special tokens before the first part
  std::size_t between = 0;  ///< between the two
  std::size_t after = 0;    ///< behind the second
  explicit PairLayout(const Tokenizer& tokenizer);
  std::size_t special() const { return before + between + after; }
};

struct QaFeatureOptions {
  std::int64_t sequence_length = 384;  ///< most tokens of a row
  std::int64_t stride = 128;  ///< tokens that neighbouring windows share, at most half a window
  std::int64_t max_question_tokens = 64;  ///< longer questions are cut
};

/// Questions that lost their end.
struct ShortenedQuestions {
  std::size_t count = 0, questions = 0;  ///< so many of so many
  std::size_t most = 0;                  ///< tokens that a question may have
  /// "3 of 500 questions have more than 64 tokens and lose their end (task.max_question_tokens)";
  /// empty where none did.
  std::string note() const;
  void add(const ShortenedQuestions& more) {
    count += more.count;
    questions += more.questions;
    most = more.most;
  }
};

/// One row.
struct QaWindow {
  std::size_t item = 0;
  std::size_t begin = 0, count = 0;  ///< tokens of the passage that it shows
  std::size_t offset = 0;            ///< position of the first of them in the row
  std::size_t length = 0;            ///< tokens of the row
  /// Positions in the row of the first and last token of the gold answer; both 0 when the window
  /// does not hold all of it.
  std::size_t start = 0, end = 0;
};

/// All windows of a data set, each passage tokenized once.
class QaFeatures {
 public:
  /// `data` and `tokenizer` outlive it. kConfig when sequence_length leaves no room for a passage.
  QaFeatures(const QaData& data, const Tokenizer& tokenizer, const QaFeatureOptions& options);

  const QaData& data() const { return data_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }
  const std::vector<QaWindow>& windows() const { return windows_; }
  const ShortenedQuestions& shortened() const { return shortened_; }
  /// Token ids of a row, and token types if `types` is not null.
  std::vector<TokenId> row(const QaWindow& window, std::vector<TokenId>* types) const;
  /// The passage's text from row position `first` to `last` (inclusive, both of the passage),
  /// without white space at its ends, in bytes of the passage.
  ByteSpan text_span(const QaWindow& window, std::size_t first, std::size_t last) const;
  /// Where each of the window's tokens of the passage stands, in bytes of the passage.
  std::span<const ByteSpan> offsets(const QaWindow& window) const {
    return std::span(contexts_[data_.items[window.item].context].offsets)
        .subspan(window.begin, window.count);
  }

 private:
  void add_windows(std::size_t item, const QaFeatureOptions& options);

  const QaData& data_;
  const Tokenizer& tokenizer_;
  PairLayout layout_;
  std::vector<Encoding> contexts_;
  std::vector<std::vector<TokenId>> questions_;
  std::vector<QaWindow> windows_;
  ShortenedQuestions shortened_;
};

}  // namespace llmctl
