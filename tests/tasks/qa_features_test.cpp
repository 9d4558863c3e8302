#include "tasks/qa_features.h"

#include <gtest/gtest.h>

#include "base/utf8.h"
#include "io/text_source.h"
#include "support/byte_tokenizer.h"
#include "support/expect_error.h"
#include "support/paths.h"
#include "support/temp_dir.h"
#include "text/train.h"

namespace llmctl {
namespace {

using test::ByteTokenizer;

const ByteTokenizer kBytes(ByteTokenizer::Kind::kMasked);

/// One passage with one question whose answer is its first occurrence.
QaData one(const std::string& context, const std::string& answer,
           const std::string& question = "q?") {
  QaData data;
  data.contexts = {context};
  QaItem item;
  item.question = question;
  if (!answer.empty()) {
    item.answers = {answer};
    const std::size_t at = context.find(answer);
    if (at != std::string::npos) item.span = ByteSpan{at, at + answer.size()};
  }
  data.items = {item};
  return data;
}

std::string text_of(const QaFeatures& features, const QaWindow& window, std::size_t first,
                    std::size_t last) {
  const ByteSpan span = features.text_span(window, first, last);
  return features.data().contexts[features.data().items[window.item].context].substr(
      span.begin, span.end - span.begin);
}

TEST(QaFeatures, LayoutOfARow) {
  const QaData data = one("abc", "b", "xy");
  const QaFeatures features(data, kBytes, {64, 16, 16});
  ASSERT_EQ(features.windows().size(), 1u);
  const QaWindow& window = features.windows()[0];
  std::vector<TokenId> types;
  EXPECT_EQ(features.row(window, &types),
            (std::vector<TokenId>{258, 'x', 'y', 259, 'a', 'b', 'c', 259}));
  EXPECT_EQ(types, (std::vector<TokenId>{0, 0, 0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(window.offset, 4u);
  EXPECT_EQ(window.count, 3u);
  EXPECT_EQ(window.length, 8u);
  EXPECT_EQ(window.start, 5u);
  EXPECT_EQ(window.end, 5u);
}

TEST(QaFeatures, LayoutFollowsTheTokenizersRule) {
  const PairLayout masked(kBytes), causal(ByteTokenizer(ByteTokenizer::Kind::kCausal)),
      plain(ByteTokenizer(ByteTokenizer::Kind::kPlain));
  EXPECT_EQ(masked.before, 1u);
  EXPECT_EQ(masked.between, 1u);
  EXPECT_EQ(masked.after, 1u);
  EXPECT_EQ(causal.before, 1u);
  EXPECT_EQ(causal.special(), 1u);
  EXPECT_EQ(plain.special(), 0u);
}

TEST(QaFeatures, SpansAreExactInAnyScript) {
  const std::string context =
      "The fox🦊 lives in 北京市，它今年3岁。 Ça va — naïve café! \u3000末尾";
  for (const std::string answer :
       {"fox🦊", "🦊", "北京市", "3岁", "它今年3岁", "Ça va", "café", "末尾", "The"}) {
    const QaData data = one(context, answer);
    const QaFeatures features(data, kBytes, {256, 16, 16});
    const QaWindow& window = features.windows()[0];
    ASSERT_NE(window.start, 0u) << answer;
    EXPECT_EQ(text_of(features, window, window.start, window.end), answer);
  }
}

TEST(QaFeatures, WhiteSpaceAtTheEndsIsCut) {
  const QaData data = one("a  b ", "");
  const QaFeatures features(data, kBytes, {64, 16, 16});
  const QaWindow& window = features.windows()[0];
  EXPECT_EQ(text_of(features, window, window.offset, window.offset + 4), "a  b");
  EXPECT_EQ(text_of(features, window, window.offset + 1, window.offset + 3), "b");
  EXPECT_EQ(text_of(features, window, window.offset + 1, window.offset + 2), "");
}

TEST(QaFeatures, WindowsCoverThePassageAndOverlap) {
  const std::string context = "abcdefghijklmnopqrstuvwmnopqr3456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const QaData data = one(context, "mnopqr");
  const QaFeatures features(data, kBytes, {25, 8, 16});  // room for 20 tokens of the passage
  std::string covered;
  std::size_t with_answer = 0;
  const auto& windows = features.windows();
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const QaWindow& window = windows[i];
    EXPECT_LE(window.length, 25u);
    EXPECT_EQ(features.row(window, nullptr).size(), window.length);
    if (i > 0) EXPECT_EQ(windows[i - 1].begin + windows[i - 1].count - window.begin, 8u);
    covered.resize(window.begin);
    covered += context.substr(window.begin, window.count);
    if (window.start == 0) {
      EXPECT_EQ(window.end, 0u);
      continue;
    }
    ++with_answer;
    EXPECT_EQ(text_of(features, window, window.start, window.end), "mnopqr");
  }
  EXPECT_EQ(covered, context);
  EXPECT_EQ(windows.size(), 5u);
  EXPECT_EQ(with_answer, 2u) << "the answer stands in the overlap of two windows";
}

TEST(QaFeatures, StrideIsAtMostHalfAWindow) {
  const QaData data = one(std::string(100, 'a'), "");
  const QaFeatures features(data, kBytes, {25, 1000, 16});
  for (std::size_t i = 1; i < features.windows().size(); ++i) {
    EXPECT_EQ(features.windows()[i].begin - features.windows()[i - 1].begin, 10u);
  }
}

TEST(QaFeatures, LongQuestionsAreCut) {
  const QaData data = one("abcdef", "c", std::string(100, 'q'));
  const QaFeatures features(data, kBytes, {64, 16, 10});
  EXPECT_EQ(features.windows()[0].offset, 12u);
  const QaFeatures narrow(data, kBytes, {13, 16, 50});
  EXPECT_EQ(narrow.windows()[0].offset, 7u) << "at most half the row";
  EXPECT_EQ(features.shortened().note(),
            "1 of 1 question has more than 10 tokens and loses its end (task.max_question_tokens)");
  ShortenedQuestions all = narrow.shortened();
  EXPECT_EQ(all.most, 5u);
  all.add(features.shortened());
  EXPECT_EQ(all.note(),
            "2 of 2 questions have more than 10 tokens and lose their end "
            "(task.max_question_tokens)");
  EXPECT_EQ(QaFeatures(one("abcdef", "c", "q"), kBytes, {64, 16, 10}).shortened().note(), "");
}

TEST(QaFeatures, EmptyPassage) {
  const QaData data = one("", "");
  const QaFeatures features(data, kBytes, {64, 16, 16});
  ASSERT_EQ(features.windows().size(), 1u);
  EXPECT_EQ(features.windows()[0].count, 0u);
}

TEST(QaFeatures, TooShortARow) {
  const QaData data = one("abc", "b");
  test::expect_error(
      ErrorCode::kConfig,
      "data.sequence_length: 10 tokens leave no room for a question and its passage; "
      "give at least 11",
      [&] {
        QaFeatures(data, kBytes, {10, 4, 4});
      });
}

std::shared_ptr<const Tokenizer> trained_tokenizer(const std::filesystem::path& directory) {
  TokenizerTrainConfig config;
  config.recipe = "masked";
  config.vocab_size = 6000;
  const std::filesystem::path corpus = test::source_dir() / "data" / "corpus";
  train_tokenizer(
      config,
      [&](const std::function<bool(std::string_view)>& document) {
        for (const char* name : {"en.txt", "zh.txt"}) {
          for_each_document(corpus / name, DocumentSplit::kBlankLine,
                            [&](std::uint64_t, std::string_view text) { return document(text); });
        }
      },
      directory);
  return load_tokenizer(directory);
}

TEST(QaFeatures, GoldSpansOfTheBundledQuestionsAreExact) {
  const test::TempDir directory;
  const auto tokenizer = trained_tokenizer(directory / "tokenizer");
  for (const char* name : {"en-train", "zh-train", "en-valid", "zh-valid"}) {
    QaData data;
    BadRows bad(false);
    read_qa_file(test::source_dir() / "data" / "qa" / (std::string(name) + ".json"), bad, data);
    EXPECT_EQ(data.moved, 0u) << name;
    EXPECT_GT(data.items.size(), 400u);
    for (std::int64_t length : {384, 64}) {
      const QaFeatures features(data, *tokenizer, {length, 24, 40});
      std::vector<int> found(data.items.size());
      for (const QaWindow& window : features.windows()) {
        if (window.start == 0) continue;
        ++found[window.item];
        EXPECT_EQ(text_of(features, window, window.start, window.end),
                  data.items[window.item].answers[0]);
      }
      EXPECT_EQ(std::count(found.begin(), found.end(), 0), 0) << name << " at length " << length;
    }
  }
}

}  // namespace
}  // namespace llmctl
