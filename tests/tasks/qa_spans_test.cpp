#include "tasks/qa_spans.h"

#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/byte_tokenizer.h"
#include "support/fake_model.h"

namespace llmctl {
namespace {

using test::ByteTokenizer;
using test::FakeModel;

const ByteTokenizer kBytes(ByteTokenizer::Kind::kMasked);
constexpr TokenId kCls = 258;

/// Start and end logits of a token, wherever it stands.
void set(FakeModel& model, TokenId token, double start, double end) {
  const c10::AutoGradMode no_grad(false);
  model.table()[token][0] = start;
  model.table()[token][1] = end;
}

FakeModel make_model() {
  return FakeModel(kBytes.vocab_size(), HeadKind::kSpan, 2);
}

QaData passages(const std::vector<std::pair<std::string, std::string>>& passage_and_answer) {
  QaData data;
  for (const auto& [passage, answer] : passage_and_answer) {
    QaItem item;
    item.question = "Q";
    item.context = data.contexts.size();
    data.contexts.push_back(passage);
    if (!answer.empty()) {
      item.answers = {answer};
      item.span = ByteSpan{passage.find(answer), passage.find(answer) + answer.size()};
    }
    data.items.push_back(item);
  }
  return data;
}

SpanPredictions predict(Model& model, const QaFeatures& features, const SpanOptions& options,
                        std::int64_t batch_size = 3) {
  return predict_spans(model, features, options, batch_size, Context{}, *make_local_world());
}

TEST(CollateWindows, AllowedPositionsAndGold) {
  const QaData data = passages({{"abc", "bc"}, {"x", ""}});
  const QaFeatures features(data, kBytes, {32, 8, 8});
  const Batch batch = collate_windows(features, std::vector<std::int64_t>{0, 1});
  // [CLS] Q [SEP] a b c [SEP]
  EXPECT_TRUE(batch.extras.at("allowed").equal(
      at::tensor({1, 0, 0, 1, 1, 1, 0, 1, 0, 0, 1, 0, 0, 0}).to(at::kBool).reshape({2, 7})));
  EXPECT_TRUE(batch.extras.at("start").equal(at::tensor({4, 0}, at::kLong)));
  EXPECT_TRUE(batch.extras.at("end").equal(at::tensor({5, 0}, at::kLong)));
  EXPECT_EQ(batch.input.documents.ge(0).sum().item<std::int64_t>(), 12);
  FakeModel model = make_model();
  EXPECT_EQ(SpanLoss(model).tokens(batch), 12);
}

TEST(SpanLoss, ByHand) {
  const QaData data = passages({{"abc", "bc"}, {"x", ""}});
  const QaFeatures features(data, kBytes, {32, 8, 8});
  FakeModel model = make_model();
  set(model, 'a', 1, 0);
  set(model, 'b', 2, -1);
  set(model, 'c', 0, 3);
  set(model, 'x', -1, 1);
  set(model, kCls, 0.5, 0.25);
  set(model, 'Q', 50, 50);  // questions are not answers
  set(model, 259, 50, 50);  // neither are separators
  SpanLoss loss(model);
  const Batch batch = collate_windows(features, std::vector<std::int64_t>{0, 1});
  const auto terms = loss.terms(batch, Context{});
  const auto cross_entropy = [](double gold, std::vector<double> all) {
    double sum = 0;
    for (double logit : all) sum += std::exp(logit);
    return std::log(sum) - gold;
  };
  ASSERT_EQ(terms.size(), 2u);
  EXPECT_EQ(terms[0].name, "start");
  EXPECT_EQ(terms[1].name, "end");
  EXPECT_EQ(terms[0].coefficient, 0.5);
  EXPECT_EQ(terms[1].coefficient, 0.5);
  EXPECT_EQ(terms[0].count, 2);
  EXPECT_NEAR(terms[0].sum.item<double>(),
              cross_entropy(2, {0.5, 1, 2, 0}) + cross_entropy(0.5, {0.5, -1}), 1e-5);
  EXPECT_NEAR(terms[1].sum.item<double>(),
              cross_entropy(3, {0.25, 0, -1, 3}) + cross_entropy(0.25, {0.25, 1}), 1e-5);
  const auto counts = loss.counts(batch);
  EXPECT_EQ(counts, (std::vector<std::pair<std::string, double>>{{"start", 2}, {"end", 2}}));
  terms[0].sum.add(terms[1].sum).backward();
  EXPECT_TRUE(model.table().grad().isfinite().all().item<bool>());
  EXPECT_EQ(model.table().grad()[259].abs().sum().item<double>(), 0);

  // Prediction reports the same loss.
  const SpanPredictions predictions = predict(model, features, {}, 1);
  EXPECT_NEAR(predictions.loss, 0.5 * (terms[0].sum.item<double>() + terms[1].sum.item<double>()),
              1e-5);
  EXPECT_EQ(predictions.windows, 2);
}

TEST(PredictSpans, BestPairInOrder) {
  const QaData data = passages({{"dxbya", ""}, {"a-b", ""}});
  const QaFeatures features(data, kBytes, {32, 8, 8});
  FakeModel model = make_model();
  set(model, 'a', 9, 0.5);  // the best start stands at the end
  set(model, 'b', 5, 5);
  set(model, 'd', 4, 0);
  const SpanPredictions predictions = predict(model, features, {});
  EXPECT_EQ(predictions.answers[0].text, "b")
      << "5 + 5 against 9 + 0.5 for 'a', which no end follows";
  EXPECT_EQ(predictions.answers[1].text, "a-b");
  EXPECT_EQ(predictions.answers[1].span, (ByteSpan{0, 3}));
  EXPECT_GT(predictions.answers[1].probability, 0.9);
  EXPECT_LT(predictions.answers[0].probability, 0.6);
}

TEST(PredictSpans, LongestAnswer) {
  const QaData data = passages({{"axxxxxb", ""}});
  const QaFeatures features(data, kBytes, {32, 8, 8});
  FakeModel model = make_model();
  set(model, 'a', 9, 0);
  set(model, 'b', 0, 9);
  EXPECT_EQ(predict(model, features, {}).answers[0].text, "axxxxxb");
  SpanOptions options;
  options.max_answer_tokens = 3;
  EXPECT_EQ(predict(model, features, options).answers[0].text, "a");
}

TEST(PredictSpans, WindowsCompete) {
  std::string passage(60, 'x');
  passage[5] = 'a';
  passage[50] = 'b';
  const QaData data = passages({{passage, ""}});
  const QaFeatures features(data, kBytes, {24, 6, 8});
  EXPECT_GT(features.windows().size(), 3u);
  FakeModel model = make_model();
  set(model, 'a', 3, 3);
  set(model, 'b', 4, 4);
  const SpanPredictions predictions = predict(model, features, {});
  EXPECT_EQ(predictions.answers[0].span, (ByteSpan{50, 51}));
}

TEST(PredictSpans, TextComesFromThePassage) {
  const std::string passage = "它  今年3岁🦊了";
  const QaData data = passages({{passage, ""}});
  const QaFeatures features(data, kBytes, {64, 6, 8});
  FakeModel model = make_model();
  set(model, '3', 9, 0);
  set(model, static_cast<unsigned char>("🦊"[3]), 0, 9);
  EXPECT_EQ(predict(model, features, {}).answers[0].text, "3岁🦊");
}

TEST(PredictSpans, NoAnswer) {
  const QaData data = passages({{"ab", ""}});
  const QaFeatures features(data, kBytes, {32, 8, 8});
  FakeModel model = make_model();
  set(model, 'a', 2, 2);
  set(model, kCls, 3, 2);
  EXPECT_EQ(predict(model, features, {}).answers[0].text, "a") << "unless it is allowed";
  SpanOptions options;
  options.may_be_empty = true;
  const SpanPredictions none = predict(model, features, options);
  EXPECT_EQ(none.answers[0].text, "");
  EXPECT_EQ(none.answers[0].span, (ByteSpan{0, 0}));
  EXPECT_GT(none.answers[0].probability, 0.5);
  options.no_answer_margin = 1.5;
  EXPECT_EQ(predict(model, features, options).answers[0].text, "a");
}

TEST(PredictSpans, NothingButWhiteSpace) {
  const QaData data = passages({{"", ""}, {"   ", ""}});
  const QaFeatures features(data, kBytes, {32, 8, 8});
  FakeModel model = make_model();
  for (const SpanAnswer& answer : predict(model, features, {}).answers) {
    EXPECT_EQ(answer.text, "");
    EXPECT_EQ(answer.probability, 1);
  }
}

TEST(PredictSpans, BatchSizeChangesNothing) {
  std::vector<std::pair<std::string, std::string>> texts;
  for (int i = 0; i < 20; ++i)
    texts.emplace_back(std::string(static_cast<std::size_t>(i), 'x') + "ab" + std::string(30, 'y'),
                       "");
  const QaData data = passages(texts);
  const QaFeatures features(data, kBytes, {24, 6, 8});
  FakeModel model = make_model();
  set(model, 'a', 1, 0);
  set(model, 'b', 0, 1);
  const SpanPredictions one = predict(model, features, {}, 1),
                        many = predict(model, features, {}, 7);
  for (std::size_t i = 0; i < data.items.size(); ++i) {
    EXPECT_EQ(one.answers[i].text, "ab");
    EXPECT_EQ(many.answers[i].span, one.answers[i].span);
  }
  EXPECT_NEAR(one.loss, many.loss, 1e-3);
}

/// Rank `rank` of `size`, alone.
class FakeWorld : public World {
 public:
  FakeWorld(int rank, int size) : rank_(rank), size_(size) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void sum(std::span<double>) override {}
  void max(std::span<double>) override {}
  void broadcast(std::span<double>) override {}
  void barrier() override {}

 private:
  int rank_, size_;
};

TEST(PredictSpans, RanksShareTheItems) {
  const QaData data = passages({{"ab", ""}, {"ab", ""}, {"ab", ""}});
  const QaFeatures features(data, kBytes, {32, 8, 8});
  FakeModel model = make_model();
  set(model, 'a', 1, 1);
  const SpanPredictions first = predict_spans(model, features, {}, 4, Context{}, FakeWorld(0, 2));
  const SpanPredictions second = predict_spans(model, features, {}, 4, Context{}, FakeWorld(1, 2));
  EXPECT_EQ(first.windows, 2);
  EXPECT_EQ(second.windows, 1);
  EXPECT_EQ(first.answers[0].text + first.answers[1].text + first.answers[2].text, "aa");
  EXPECT_EQ(second.answers[1].text, "a");
}

}  // namespace
}  // namespace llmctl
