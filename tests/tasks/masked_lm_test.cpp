#include "tasks/masked_lm.h"

#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "support/device.h"
#include "support/expect_error.h"
#include "support/fake_model.h"
#include "support/temp_dir.h"
#include "support/test_shards.h"
#include "tasks/pseudo_perplexity.h"
#include "tasks/text_task_fixture.h"

namespace llmctl {
namespace {

using test::ByteTokenizer;
using test::expect_error;
using test::FakeModel;
using test::make_shards;
using test::rows_of;
using test::same;
using test::SeenRow;
using test::TempDir;
using test::text_task;
using Numbers = std::vector<std::int64_t>;

constexpr std::int64_t kCls = 258, kSep = 259, kMask = 260, kVocab = 261;

TEST(BracketedRow, EachPieceIsASequence) {
  const TempDir dir;
  const auto shards = make_shards(dir / "s", {{1, 2, 3}, {4, 5}}, kVocab, kSep);
  const std::vector<RowPiece> pieces{{0, 3}, {4, 2}};
  const TokenRow packed = bracketed_row(*shards, pieces, false, {kCls, kSep});
  EXPECT_EQ(packed.ids, (Numbers{kCls, 1, 2, 3, kSep, kCls, 4, 5, kSep}));
  EXPECT_EQ(packed.documents, (Numbers{0, 0, 0, 0, 0, 1, 1, 1, 1}));
  EXPECT_EQ(packed.positions, (Numbers{0, 1, 2, 3, 4, 0, 1, 2, 3}));
  EXPECT_TRUE(packed.labels.empty());
  const TokenRow joined = bracketed_row(*shards, pieces, true, {kCls, kSep});
  EXPECT_EQ(joined.ids, (Numbers{kCls, 1, 2, 3, 4, 5, kSep}));
  EXPECT_TRUE(joined.documents.empty());
  const TokenRow single = bracketed_row(*shards, std::span(pieces).first(1), false, {kCls, kSep});
  EXPECT_EQ(single.ids, (Numbers{kCls, 1, 2, 3, kSep}));
  EXPECT_TRUE(single.documents.empty());
}

class MaskedLmTest : public ::testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<const Shards> corpus() {
    std::vector<std::size_t> lengths;
    for (std::size_t i = 0; i < 80; ++i) lengths.push_back(1 + i * 7919 % 43);
    auto texts = test::counting_documents(lengths);
    for (auto& text : texts) {
      for (TokenId& id : text) id %= 251;
    }
    return make_shards(dir_ / "s", texts, kVocab, kSep);
  }
  std::unique_ptr<Source> source(const Batching& batching) {
    return task_->rows_of({{shards_, 1}}, packing_, batching, dir_ / "cache");
  }
  TempDir dir_;
  std::shared_ptr<const Shards> shards_ = corpus();
  PackingOptions packing_{GetParam(), 16};
  std::unique_ptr<TextTask> task_ = text_task(
      "{\"type\": \"masked_lm\", \"mask_probability\": 0.3}", ByteTokenizer::Kind::kMasked);
};

TEST_P(MaskedLmTest, RowsHoldTheTextBetweenBracketsWithMasks) {
  const std::int64_t rows = source({.batch_size = 1})->steps_per_epoch();
  const auto training = source({.batch_size = rows, .micro_batch_size = 6});
  Numbers text;
  std::size_t masks = 0;
  for (const Batch& batch : training->batches(0)) {
    for (const SeenRow& row : rows_of(batch)) {
      ASSERT_LE(row.ids.size(), 16U);
      std::size_t labelled = 0;
      for (std::size_t t = 0; t < row.ids.size(); ++t) {
        const bool first = t == 0 || row.documents[t] != row.documents[t - 1];
        const bool last = t + 1 == row.ids.size() || row.documents[t] != row.documents[t + 1];
        EXPECT_EQ(row.positions[t], first ? 0 : row.positions[t - 1] + 1);
        if (first || last) {
          EXPECT_EQ(row.ids[t], first ? kCls : kSep);
          EXPECT_EQ(row.labels[t], kIgnoreLabel);
          continue;
        }
        const bool chosen = row.labels[t] != kIgnoreLabel;
        labelled += chosen ? 1 : 0;
        masks += row.ids[t] == kMask ? 1 : 0;
        text.push_back(chosen ? row.labels[t] : row.ids[t]);
      }
      EXPECT_GE(labelled, 1U);
    }
  }
  EXPECT_GT(masks, 100U);
  // Each token of the corpus once; documents' ends stand inside rows only where documents are
  // joined.
  Numbers expected(shards_->tokens());
  shards_->read(0, expected);
  if (packing_.packing != "concat") std::erase(expected, kSep);
  std::sort(text.begin(), text.end());
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(text, expected);
}

TEST_P(MaskedLmTest, AStepIsTheSameWheneverItIsAskedFor) {
  const Batching batching{.seed = 9, .batch_size = 6, .micro_batch_size = 2};
  const auto one = source(batching), other = source(batching);
  std::vector<std::vector<Batch>> run;
  for (std::int64_t step = 0; step < 25; ++step) run.push_back(one->batches(step));
  for (const std::int64_t step : {24, 3, 0}) {
    EXPECT_TRUE(same(other->batches(step), run[static_cast<std::size_t>(step)])) << step;
  }
  // The masks of a row do not depend on how rows are batched.
  const auto whole = source({.seed = 9, .batch_size = 6, .micro_batch_size = 6});
  std::multiset<Numbers> apart, together;
  for (const Batch& batch : run[4]) {
    for (const SeenRow& row : rows_of(batch)) apart.insert(row.ids);
  }
  for (const Batch& batch : whole->batches(4)) {
    for (const SeenRow& row : rows_of(batch)) together.insert(row.ids);
  }
  EXPECT_EQ(apart, together);
}

TEST_P(MaskedLmTest, MasksDifferFromEpochToEpoch) {
  const std::int64_t rows = source({.batch_size = 1})->steps_per_epoch();
  const auto training = source({.batch_size = rows});
  std::multiset<Numbers> first, second;
  for (const SeenRow& row : rows_of(training->batches(0)[0])) first.insert(row.labels);
  for (const SeenRow& row : rows_of(training->batches(1)[0])) second.insert(row.labels);
  EXPECT_NE(first, second);
}

TEST_P(MaskedLmTest, OnlyMaskedPositionsReachTheHead) {
  FakeModel model(kVocab, HeadKind::kMaskedLm);
  model.to(at::Device(test::test_device()));
  const auto loss = task_->loss(model);
  for (const Batch& host : source({.batch_size = 8})->batches(0)) {
    const double count = loss->counts(host)[0].second;
    const auto terms = loss->terms(to_device(host, model.device()), {});
    EXPECT_EQ(terms[0].count, count);
    EXPECT_NEAR(terms[0].sum.item<double>(), count * std::log(kVocab), 1e-3);
    double tokens = 0;
    for (const SeenRow& row : rows_of(host)) tokens += static_cast<double>(row.ids.size());
    EXPECT_EQ(loss->tokens(host), tokens);
    EXPECT_LT(count, tokens / 2);
  }
}

TEST_P(MaskedLmTest, ValidationIsFixedAndSharedByRanks) {
  FakeModel model(kVocab, HeadKind::kMaskedLm);
  model.table() = at::randn({kVocab, kVocab});
  model.to(at::Device(test::test_device()));
  const auto world = make_local_world();
  const auto run = [&](std::int64_t batch_size) {
    return task_->scores_of(model, shards_, packing_, batch_size, *world, 0)->validate({}).scores;
  };
  const auto scores = run(5);
  EXPECT_EQ(scores.size(), 3U);
  EXPECT_NEAR(std::log(scores.at("perplexity")), scores.at("loss"), 1e-9);
  EXPECT_NEAR(run(64).at("loss"), scores.at("loss"), 1e-6);
  EXPECT_EQ(run(64).at("masked_accuracy"), scores.at("masked_accuracy"));
  std::vector<double> totals;
  Scores shared;
  for (int rank = 0; rank < 3; ++rank) {
    test::SerialWorld ranks(rank, 3, totals);
    shared = task_->scores_of(model, shards_, packing_, 4, ranks, 0)->validate({}).scores;
  }
  EXPECT_NEAR(shared.at("loss"), scores.at("loss"), 1e-6);
  EXPECT_EQ(shared.at("masked_accuracy"), scores.at("masked_accuracy"));
}

INSTANTIATE_TEST_SUITE_P(All, MaskedLmTest, ::testing::Values("concat", "best_fit", "pad"));

TEST(MaskedLm, AccuracyCountsBestGuesses) {
  const TempDir dir;
  const auto shards = make_shards(dir / "s", {std::vector<TokenId>(200, 'a')}, kVocab, kSep);
  const auto task = text_task("{\"type\": \"masked_lm\"}", ByteTokenizer::Kind::kMasked);
  FakeModel model(kVocab, HeadKind::kMaskedLm);
  model.table().detach().select(1, 'a').fill_(3);
  const auto world = make_local_world();
  const auto scores =
      task->scores_of(model, shards, {"pad", 64}, 2, *world, 0)->validate({}).scores;
  EXPECT_EQ(scores.at("masked_accuracy"), 100);
  EXPECT_NEAR(scores.at("loss"), std::log(std::exp(3.0) + kVocab - 1) - 3, 1e-5);
}

TEST(MaskedLm, SectionsAndTokenizersAreChecked) {
  expect_error(ErrorCode::kConfig, {"task.random_share", "1.2", "run.json:1"}, [] {
    text_task("{\"type\": \"masked_lm\", \"mask_share\": 0.9, \"random_share\": 0.3}",
              ByteTokenizer::Kind::kMasked);
  });
  expect_error(ErrorCode::kConfig, {"task.chinese_words", "whole_word", "run.json:1"}, [] {
    text_task("{\"type\": \"masked_lm\", \"chinese_words\": true}", ByteTokenizer::Kind::kMasked);
  });
  expect_error(ErrorCode::kConfig, {"[CLS]", "--recipe masked"},
               [] { text_task("{\"type\": \"masked_lm\"}", ByteTokenizer::Kind::kCausal); });
  const TempDir dir;
  const auto shards = make_shards(dir / "s", {{1}}, kVocab, kSep);
  const auto task = text_task("{\"type\": \"masked_lm\"}", ByteTokenizer::Kind::kMasked);
  expect_error(ErrorCode::kConfig, {"length of 2", "2 special tokens"}, [&] {
    task->rows_of({{shards, 1}}, {"pad", 2}, {}, dir / "cache");
  });
}

class PseudoPerplexityTest : public ::testing::Test {
 protected:
  PseudoPerplexity run(const PseudoPerplexityOptions& options) {
    const auto world = make_local_world();
    return pseudo_perplexity(model_, ByteTokenizer(ByteTokenizer::Kind::kMasked), *shards_, options,
                             {}, *world);
  }
  TempDir dir_;
  std::shared_ptr<const Shards> shards_ =
      make_shards(dir_ / "s", {{1, 2, 3, 4, 5}, {6}, {7, 8, 9}}, kVocab, kSep);
  FakeModel model_{kVocab, HeadKind::kMaskedLm};
};

TEST_F(PseudoPerplexityTest, AsksForEachTokenBehindItsMask) {
  model_.table() = at::randn({kVocab, kVocab});
  const at::Tensor log_p = at::log_softmax(model_.table()[kMask].to(at::kDouble), -1);
  double nats = 0;
  for (std::int64_t token = 1; token <= 9; ++token) nats -= log_p[token].item<double>();
  model_.to(at::Device(test::test_device()));
  for (const std::int64_t length : {4, 512}) {
    for (const std::int64_t batch_size : {1, 2, 100}) {
      const auto result = run({.sequence_length = length, .batch_size = batch_size});
      EXPECT_EQ(result.tokens, 9);
      EXPECT_NEAR(result.loss, nats / 9, 1e-5);
      EXPECT_NEAR(result.perplexity, std::exp(nats / 9), 1e-2);
    }
  }
}

TEST_F(PseudoPerplexityTest, TakesNoMoreThanAskedFor) {
  EXPECT_EQ(run({.max_tokens = 3}).tokens, 3);
  EXPECT_NEAR(run({.max_tokens = 3}).perplexity, kVocab, 1e-2);
  EXPECT_EQ(run({.max_tokens = 1000}).tokens, 9);
}

TEST_F(PseudoPerplexityTest, FaultsAreNamed) {
  shards_ = make_shards(dir_ / "e", {}, kVocab, kSep);
  expect_error(ErrorCode::kData, {"no token to score"}, [&] { run({}); });
  const auto world = make_local_world();
  expect_error(ErrorCode::kConfig, {"[CLS]"},
               [&] { pseudo_perplexity(model_, ByteTokenizer(), *shards_, {}, {}, *world); });
}

}  // namespace
}  // namespace llmctl
