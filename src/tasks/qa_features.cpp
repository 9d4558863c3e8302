#include "tasks/qa_features.h"

#include <algorithm>
#include <atomic>

#include "base/error.h"
#include "base/threads.h"
#include "tasks/shortened.h"
#include "text/truncate.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

constexpr std::size_t kLeastWindow = 4;  // tokens of a passage that a row must have room for

/// First and last token that share a byte with `span`; nothing if none does.
std::optional<std::pair<std::size_t, std::size_t>> tokens_of(const Encoding& encoding,
                                                             const ByteSpan& span) {
  std::optional<std::pair<std::size_t, std::size_t>> found;
  for (std::size_t i = 0; i < encoding.offsets.size(); ++i) {
    const ByteSpan& token = encoding.offsets[i];
    if (token.begin == token.end || token.end <= span.begin) continue;
    if (token.begin >= span.end) break;
    if (!found) found.emplace(i, i);
    found->second = i;
  }
  return found;
}

}  // namespace

PairLayout::PairLayout(const Tokenizer& tokenizer) {
  // Two ordinary tokens show where the parts go.
  std::vector<TokenId> probes;
  for (TokenId id = 0; id < tokenizer.vocab_size() && probes.size() < 2; ++id) {
    if (!tokenizer.is_special(id)) probes.push_back(id);
  }
  require(probes.size() == 2, ErrorCode::kData, "tokenizer: fewer than two ordinary tokens");
  const std::vector<TokenId> second = {probes[1]};
  const std::vector<TokenId> row = tokenizer.with_special(std::span(probes).first(1), &second);
  const auto first_at = std::find(row.begin(), row.end(), probes[0]) - row.begin();
  const auto second_at = std::find(row.begin(), row.end(), probes[1]) - row.begin();
  before = static_cast<std::size_t>(first_at);
  between = static_cast<std::size_t>(second_at - first_at - 1);
  after = row.size() - static_cast<std::size_t>(second_at) - 1;
}

QaFeatures::QaFeatures(const QaData& data, const Tokenizer& tokenizer,
                       const QaFeatureOptions& options)
    : data_(data),
      tokenizer_(tokenizer),
      layout_(tokenizer),
      contexts_(data.contexts.size()),
      questions_(data.items.size()) {
  require(
      options.sequence_length >= static_cast<std::int64_t>(layout_.special() + 2 * kLeastWindow),
      ErrorCode::kConfig, "data.sequence_length: ", options.sequence_length,
      " tokens leave no room for a question and its passage; give at least ",
      layout_.special() + 2 * kLeastWindow);
  parallel_for(contexts_.size(), [&](std::size_t i) {
    contexts_[i] = tokenizer.encode_with_offsets(data.contexts[i]);
  });
  const std::size_t longest =
      std::min(static_cast<std::size_t>(options.max_question_tokens),
               (static_cast<std::size_t>(options.sequence_length) - layout_.special()) / 2);
  std::atomic<std::size_t> shortened = 0;
  parallel_for(questions_.size(), [&](std::size_t i) {
    questions_[i] = tokenizer.encode(data.items[i].question);
    shortened += questions_[i].size() > longest;
    truncate(questions_[i], longest, TruncationSide::kRight);
  });
  shortened_ = {shortened, questions_.size(), longest};
  for (std::size_t i = 0; i < data.items.size(); ++i) add_windows(i, options);
}

std::string ShortenedQuestions::note() const {
  return shortened_note({count, questions, static_cast<std::int64_t>(most)}, "question", "end",
                        "task.max_question_tokens");
}

void QaFeatures::add_windows(std::size_t item, const QaFeatureOptions& options) {
  const Encoding& context = contexts_[data_.items[item].context];
  const std::size_t fixed = layout_.special() + questions_[item].size();
  const std::size_t room = static_cast<std::size_t>(options.sequence_length) - fixed;
  const std::size_t step = room - std::min(static_cast<std::size_t>(options.stride), room / 2);
  const auto gold =
      data_.items[item].span ? tokens_of(context, *data_.items[item].span) : std::nullopt;
  for (std::size_t begin = 0;; begin += step) {
    QaWindow window;
    window.item = item;
    window.begin = begin;
    window.count = std::min(room, context.ids.size() - begin);
    window.offset = layout_.before + questions_[item].size() + layout_.between;
    window.length = fixed + window.count;
    if (gold && gold->first >= begin && gold->second < begin + window.count) {
      window.start = window.offset + gold->first - begin;
      window.end = window.offset + gold->second - begin;
    }
    windows_.push_back(window);
    if (begin + window.count >= context.ids.size()) break;
  }
}

std::vector<TokenId> QaFeatures::row(const QaWindow& window, std::vector<TokenId>* types) const {
  const auto& ids = contexts_[data_.items[window.item].context].ids;
  const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(window.begin);
  const std::vector<TokenId> passage(begin, begin + static_cast<std::ptrdiff_t>(window.count));
  return tokenizer_.with_special(questions_[window.item], &passage, types);
}

ByteSpan QaFeatures::text_span(const QaWindow& window, std::size_t first, std::size_t last) const {
  const std::size_t index = data_.items[window.item].context;
  const auto& offsets = contexts_[index].offsets;
  const std::size_t begin = offsets[window.begin + first - window.offset].begin;
  const std::size_t end = std::max(begin, offsets[window.begin + last - window.offset].end);
  const std::string_view text(data_.contexts[index]);
  const std::string_view cut = trim(text.substr(begin, end - begin));
  if (cut.empty()) return {begin, begin};
  const auto at = static_cast<std::size_t>(cut.data() - text.data());
  return {at, at + cut.size()};
}

}  // namespace llmctl
