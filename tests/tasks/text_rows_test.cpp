#include "tasks/text_rows.h"

#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/byte_tokenizer.h"
#include "support/expect_error.h"
#include "support/fake_model.h"
#include "tasks/classification_loss.h"

namespace llmctl {
namespace {

using test::ByteTokenizer;
using test::FakeModel;
using Ids = std::vector<TokenId>;

const ByteTokenizer kBytes(ByteTokenizer::Kind::kMasked);

LabelledText text(const std::string& first, std::optional<std::string> second = std::nullopt) {
  LabelledText out;
  out.text = first;
  out.pair = std::move(second);
  return out;
}

TEST(TextRows, SingleAndPair) {
  const TextRows rows = tokenize_texts({text("ab"), text("a", "bc"), text("")}, kBytes, {16});
  EXPECT_EQ(rows.ids[0], (Ids{258, 'a', 'b', 259}));
  EXPECT_EQ(rows.ids[1], (Ids{258, 'a', 259, 'b', 'c', 259}));
  EXPECT_EQ(rows.types[1], (Ids{0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(rows.ids[2], (Ids{258, 259}));
  EXPECT_EQ(rows.lengths(), (std::vector<std::int32_t>{4, 6, 2}));
  const Batch batch = rows.batch(std::vector<std::int64_t>{1, 0}, 256);
  EXPECT_EQ(batch.input.ids[1][5].item<std::int64_t>(), 256);
  EXPECT_EQ(batch.input.documents[1][5].item<std::int64_t>(), -1);
}

TEST(TextRows, TooLongTextsLoseTheirEnds) {
  const TextRows rows = tokenize_texts({text("abcdefgh"), text("abcdefgh", "xy"),
                                        text("ab", "uvwxyz"), text("abcdefgh", "stuvwxyz")},
                                       kBytes, {9});
  EXPECT_EQ(rows.ids[0], (Ids{258, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 259}));
  EXPECT_EQ(rows.ids[1], (Ids{258, 'a', 'b', 'c', 'd', 259, 'x', 'y', 259}));
  EXPECT_EQ(rows.ids[2], (Ids{258, 'a', 'b', 259, 'u', 'v', 'w', 'x', 259}));
  EXPECT_EQ(rows.ids[3], (Ids{258, 'a', 'b', 'c', 259, 's', 't', 'u', 259}));
  EXPECT_EQ(rows.shortened, 4u);
  EXPECT_EQ(tokenize_texts({text("abcdefg"), text("abcd", "xy")}, kBytes, {9}).shortened, 0u);
  test::expect_error(ErrorCode::kConfig,
                     "data.sequence_length: 4 tokens leave no room for a text; give at least 5",
                     [] { tokenize_texts({}, kBytes, {4}); });
}

TEST(TextRows, TooLongTextsLoseWhatIsAskedFor) {
  const std::vector<LabelledText> texts = {text("abcdefghijklm"), text("abcdefgh", "uvwxyz"),
                                           text("ab")};
  const TextRows left = tokenize_texts(texts, kBytes, {10, TruncationSide::kLeft});
  EXPECT_EQ(left.ids[0], (Ids{258, 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 259}));
  EXPECT_EQ(left.ids[1], (Ids{258, 'e', 'f', 'g', 'h', 259, 'x', 'y', 'z', 259}));
  EXPECT_EQ(left.ids[2], (Ids{258, 'a', 'b', 259}));
  const TextRows middle = tokenize_texts(texts, kBytes, {10, TruncationSide::kMiddle});
  EXPECT_EQ(middle.ids[0], (Ids{258, 'a', 'b', 'h', 'i', 'j', 'k', 'l', 'm', 259}));
  EXPECT_EQ(middle.shortened, 2u);

  EXPECT_EQ(shortened_note(0, 3, {10}), "");
  EXPECT_EQ(shortened_note(1, 3, {10, TruncationSide::kLeft}),
            "1 of 3 texts has more than 10 tokens and loses its beginning (task.truncation_side)");
  EXPECT_EQ(shortened_note(2, 3, {10, TruncationSide::kMiddle}),
            "2 of 3 texts have more than 10 tokens and lose their middle (task.truncation_side)");
}

TEST(ClassificationLoss, ByHand) {
  // The class scores of a row are those of its first token, [CLS]: equal for all rows, so that the
  // labels decide.
  FakeModel model(kBytes.vocab_size(), HeadKind::kSequenceClassification, 3);
  {
    const c10::AutoGradMode no_grad(false);
    model.table()[258][0] = 1;
    model.table()[258][2] = -2;
  }
  const TextRows rows = tokenize_texts({text("ab"), text("c")}, kBytes, {16});
  Batch batch = rows.batch(std::vector<std::int64_t>{0, 1}, 256);
  batch.labels = at::tensor({0, 2}, at::kLong);
  ClassificationLoss loss(model);
  const double total = std::log(std::exp(1) + 1 + std::exp(-2));
  auto terms = loss.terms(batch, Context{});
  ASSERT_EQ(terms.size(), 1u);
  EXPECT_EQ(terms[0].name, "loss");
  EXPECT_EQ(terms[0].count, 2);
  EXPECT_NEAR(terms[0].sum.item<double>(), (total - 1) + (total + 2), 1e-5);
  EXPECT_EQ(loss.tokens(batch), 7);

  batch.weights = at::tensor({0.5, 0.25}, at::kFloat);
  terms = loss.terms(batch, Context{});
  EXPECT_EQ(terms[0].count, 0.75);
  EXPECT_EQ(loss.counts(batch)[0].second, 0.75);
  EXPECT_NEAR(terms[0].sum.item<double>(), 0.5 * (total - 1) + 0.25 * (total + 2), 1e-5);
  terms[0].sum.backward();
  EXPECT_TRUE(model.table().grad().isfinite().all().item<bool>());
}

TEST(PredictLogits, InTheOrderOfTheTexts) {
  FakeModel model(kBytes.vocab_size(), HeadKind::kSequenceClassification, 2);
  {
    const c10::AutoGradMode no_grad(false);
    model.table()[258][1] = 1;
  }
  std::vector<LabelledText> texts;
  for (int i = 0; i < 9; ++i) texts.push_back(text(std::string(static_cast<std::size_t>(i), 'x')));
  const TextRows rows = tokenize_texts(texts, kBytes, {16});
  const auto logits = predict_logits(model, rows, {256, 4, Context{}}, *make_local_world());
  ASSERT_EQ(logits.size(), 9u);
  for (const auto& row : logits) EXPECT_EQ(row, (std::vector<float>{0, 1}));
}

}  // namespace
}  // namespace llmctl
