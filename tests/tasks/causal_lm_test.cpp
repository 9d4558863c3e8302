#include "tasks/causal_lm.h"

#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "support/device.h"
#include "support/expect_error.h"
#include "support/fake_model.h"
#include "support/temp_dir.h"
#include "support/test_shards.h"
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

constexpr TokenId kBos = 256, kEos = 257;
constexpr std::int64_t kVocab = 258;

TEST(CausalRow, PredictsExactlyThePieces) {
  const TempDir dir;
  const auto shards = make_shards(dir / "s", {{1, 2, 3}, {4, 5}, {6}}, kVocab, kEos);
  // The stream: 1 2 3 E 4 5 E 6 E.
  const std::vector<RowPiece> pieces{{0, 4}, {5, 2}, {7, 2}};
  const TokenRow packed = causal_row(*shards, pieces, false, kBos);
  EXPECT_EQ(packed.labels, (Numbers{1, 2, 3, kEos, 5, kEos, 6, kEos}));
  EXPECT_EQ(packed.ids, (Numbers{kBos, 1, 2, 3, 4, 5, kBos, 6}));
  EXPECT_EQ(packed.documents, (Numbers{0, 0, 0, 0, 1, 1, 2, 2}));
  EXPECT_EQ(packed.positions, (Numbers{0, 1, 2, 3, 0, 1, 0, 1}));

  const TokenRow single = causal_row(*shards, std::span(pieces).first(1), false, kBos);
  EXPECT_TRUE(single.documents.empty());
  EXPECT_TRUE(single.positions.empty());
}

TEST(CausalRow, JoinedRowsAreOneDocumentInWhichTextsBeginAfresh) {
  const TempDir dir;
  const auto shards = make_shards(dir / "s", {{1, 2, 3}, {4, 5}, {6}}, kVocab, kEos);
  const std::vector<RowPiece> first{{0, 6}}, second{{6, 3}};
  EXPECT_EQ(causal_row(*shards, first, true, kBos).ids, (Numbers{kBos, 1, 2, 3, kBos, 4}));
  EXPECT_EQ(causal_row(*shards, first, true, kBos).labels, (Numbers{1, 2, 3, kEos, 4, 5}));
  EXPECT_EQ(causal_row(*shards, second, true, kBos).ids, (Numbers{5, kBos, 6}));
  EXPECT_EQ(causal_row(*shards, second, true, kBos).labels, (Numbers{kEos, 6, kEos}));
  EXPECT_TRUE(causal_row(*shards, first, true, kBos).documents.empty());
  // One token that both ends and begins texts (GPT-2): the plain stream.
  EXPECT_EQ(causal_row(*shards, first, true, kEos).ids, (Numbers{kEos, 1, 2, 3, kEos, 4}));
}

TEST(CausalRow, WithoutAStartTokenFirstTokensAreInputsOnly) {
  const TempDir dir;
  const auto shards = make_shards(dir / "s", {{1, 2, 3}, {4}, {5, 6}}, kVocab);
  const std::vector<RowPiece> whole{{0, 6}}, apart{{0, 3}, {3, 1}, {4, 2}}, alone{{3, 1}},
      later{{2, 4}};
  EXPECT_EQ(causal_row(*shards, whole, true, {}).ids, (Numbers{1, 2, 3, 4, 5}));
  EXPECT_EQ(causal_row(*shards, whole, true, {}).labels, (Numbers{2, 3, 4, 5, 6}));
  EXPECT_EQ(causal_row(*shards, later, true, {}).ids, (Numbers{2, 3, 4, 5}));
  EXPECT_EQ(causal_row(*shards, later, true, {}).labels, (Numbers{3, 4, 5, 6}));
  EXPECT_EQ(causal_row(*shards, apart, false, {}).ids, (Numbers{1, 2, 5}));
  EXPECT_EQ(causal_row(*shards, apart, false, {}).labels, (Numbers{2, 3, 6}));
  EXPECT_EQ(causal_row(*shards, alone, false, {}).ids, Numbers{4});
  EXPECT_EQ(causal_row(*shards, alone, false, {}).labels, Numbers{kIgnoreLabel});
}

class CausalLmTest : public ::testing::TestWithParam<std::string> {
 protected:
  /// Documents of many lengths; every token of the stream but the ends is its own.
  std::shared_ptr<const Shards> corpus(const std::string& name, std::size_t documents,
                                       std::int64_t vocab = 100'000) {
    std::vector<std::size_t> lengths;
    for (std::size_t i = 0; i < documents; ++i) lengths.push_back(1 + i * 7919 % 43);
    auto texts = test::counting_documents(lengths);
    for (auto& text : texts) {
      for (TokenId& id : text) id = vocab == kVocab ? id % 251 : id + 1000;
    }
    return make_shards(dir_ / name, texts, vocab, kEos);
  }
  std::unique_ptr<Source> source(const std::shared_ptr<const Shards>& shards,
                                 const Batching& batching) {
    return task_->rows_of({{shards, 1}}, packing_, batching, dir_ / "cache");
  }
  ValidationResult validate(FakeModel& model, const std::shared_ptr<const Shards>& shards,
                            std::int64_t batch_size = 7, std::int64_t max_tokens = 0) {
    const auto world = make_local_world();
    return task_->scores_of(model, shards, packing_, batch_size, *world, max_tokens)->validate({});
  }
  TempDir dir_;
  PackingOptions packing_{GetParam(), 16};
  std::unique_ptr<TextTask> task_ =
      text_task("{\"type\": \"causal_lm\"}", ByteTokenizer::Kind::kCausal);
};

TEST_P(CausalLmTest, EveryTokenIsPredictedOnceAnEpochAndFromItsOwnPast) {
  const auto shards = corpus("s", 100);
  Numbers stream(shards->tokens());
  shards->read(0, stream);
  const auto training = source(shards, {.seed = 3, .batch_size = 4, .micro_batch_size = 3});
  // As many rows as the epoch has: the last step goes on into the next epoch.
  std::multiset<std::int64_t> predicted;
  std::size_t ends = 0;
  for (std::int64_t step = 0; step < training->steps_per_epoch() - 1; ++step) {
    const auto batches = training->batches(step);
    EXPECT_EQ(batches.size(), 2U);
    for (const Batch& batch : batches) {
      for (const SeenRow& row : rows_of(batch)) {
        EXPECT_LE(row.ids.size(), 16U);
        for (std::size_t t = 0; t < row.ids.size(); ++t) {
          const std::int64_t input = row.ids[t], label = row.labels[t];
          if (label == kEos) {
            ++ends;
          } else if (input == kBos) {
            const auto place = static_cast<std::uint64_t>(
                std::find(stream.begin(), stream.end(), label) - stream.begin());
            EXPECT_EQ(shards->document_start(shards->document_of(place)), place);
          } else {
            EXPECT_EQ(label, input + 1) << "not the token before it in its document";
          }
          if (label != kEos) predicted.insert(label);
          if (packing_.packing != "concat" && t > 0) {
            const bool fresh = row.documents[t] != row.documents[t - 1];
            EXPECT_EQ(row.positions[t], fresh ? 0 : row.positions[t - 1] + 1);
            if (!fresh) EXPECT_EQ(row.ids[t], row.labels[t - 1]);
            if (input == kBos) EXPECT_TRUE(fresh);
          }
        }
      }
    }
  }
  const std::set<std::int64_t> distinct(predicted.begin(), predicted.end());
  EXPECT_EQ(distinct.size(), predicted.size()) << "a token was predicted twice";
  // At most the rows of the last step are missing.
  EXPECT_GE(predicted.size() + ends + 4 * 16, stream.size());
  EXPECT_LE(predicted.size() + ends, stream.size());
}

TEST_P(CausalLmTest, AnEpochOfOneStepHasEveryToken) {
  const auto shards = corpus("s", 60);
  const auto probe = source(shards, {.batch_size = 1});
  const std::int64_t rows = probe->steps_per_epoch();
  const auto training = source(shards, {.batch_size = rows, .micro_batch_size = 5});
  EXPECT_EQ(training->steps_per_epoch(), 1);
  Numbers predicted;
  for (const Batch& batch : training->batches(0)) {
    for (const std::int64_t label : test::numbers(batch.labels)) {
      if (label != kIgnoreLabel) predicted.push_back(label);
    }
  }
  Numbers stream(shards->tokens());
  shards->read(0, stream);
  std::sort(predicted.begin(), predicted.end());
  std::sort(stream.begin(), stream.end());
  EXPECT_EQ(predicted, stream);
}

TEST_P(CausalLmTest, AStepIsTheSameWheneverItIsAskedFor) {
  const auto shards = corpus("s", 50);
  const Batching batching{.seed = 9, .batch_size = 6, .micro_batch_size = 2};
  const auto one = source(shards, batching);
  std::vector<std::vector<Batch>> run;
  for (std::int64_t step = 0; step < 30; ++step) run.push_back(one->batches(step));
  const auto other = source(shards, batching);
  for (const std::int64_t step : {29, 3, 17, 0}) {
    EXPECT_TRUE(same(other->batches(step), run[static_cast<std::size_t>(step)])) << step;
  }
  EXPECT_FALSE(same(run[0], run[1]));
  EXPECT_EQ(one->fingerprint(), other->fingerprint());
  const auto reseeded = source(shards, {.seed = 10, .batch_size = 6, .micro_batch_size = 2});
  EXPECT_FALSE(same(reseeded->batches(0), run[0]));
  EXPECT_NE(reseeded->fingerprint(), one->fingerprint());
}

TEST_P(CausalLmTest, EpochsComeInAnotherOrder) {
  const auto shards = corpus("s", 50);
  const auto training = source(shards, {.batch_size = 1});
  const std::int64_t rows = training->steps_per_epoch();
  bool differs = false;
  for (std::int64_t step = 0; step < rows; ++step) {
    differs = differs || !same(training->batches(step), training->batches(step + rows));
  }
  EXPECT_TRUE(differs);
}

TEST_P(CausalLmTest, TheLossIsSummedOverLabelsAlone) {
  const auto shards = corpus("s", 40, kVocab);
  FakeModel model(kVocab);
  model.to(at::Device(test::test_device()));
  const auto loss = task_->loss(model);
  double labels = 0;
  const auto training = source(shards, {.batch_size = 8, .micro_batch_size = 3});
  for (Batch host : training->batches(0)) {
    const auto counts = loss->counts(host);
    ASSERT_EQ(counts.size(), 1U);
    EXPECT_EQ(counts[0].first, "loss");
    labels += counts[0].second;
    const auto terms = loss->terms(to_device(host, model.device()), {});
    ASSERT_EQ(terms.size(), 1U);
    EXPECT_EQ(terms[0].count, counts[0].second);
    EXPECT_NEAR(terms[0].sum.item<double>(), terms[0].count * std::log(kVocab), 1e-3);
    terms[0].sum.backward();
    EXPECT_EQ(loss->tokens(host), counts[0].second) << "every token of a row has a label";
    // Without the list of labelled positions the loss finds them itself.
    host.extras.clear();
    EXPECT_EQ(loss->counts(host)[0].second, counts[0].second);
    EXPECT_EQ(loss->terms(to_device(host, model.device()), {})[0].sum.item<double>(),
              terms[0].sum.item<double>());
  }
  EXPECT_GT(labels, 0);
  EXPECT_GT(model.table().grad().abs().sum().item<double>(), 0);
}

TEST_P(CausalLmTest, ABatchWithoutLabelsHasAGradientOfZero) {
  FakeModel model(kVocab);
  const std::vector<TokenRow> rows{{.ids = {1, 2}, .labels = {kIgnoreLabel, kIgnoreLabel}}};
  const auto loss = task_->loss(model);
  const auto terms = loss->terms(collate(rows, 0), {});
  EXPECT_EQ(terms[0].count, 0);
  EXPECT_EQ(terms[0].sum.item<double>(), 0);
  terms[0].sum.backward();
  EXPECT_EQ(model.table().grad().abs().sum().item<double>(), 0);
}

/// Nats of the whole stream under a bigram model in which texts begin after <s>.
double nats_by_hand(const Shards& shards, const at::Tensor& table) {
  const at::Tensor log_p = at::log_softmax(table.detach().cpu().to(at::kDouble), -1);
  Numbers stream(shards.tokens());
  shards.read(0, stream);
  double nats = 0;
  for (std::uint64_t t = 0; t < stream.size(); ++t) {
    const bool begins = shards.document_start(shards.document_of(t)) == t;
    const std::int64_t before = begins ? kBos : stream[t - 1];
    nats -= log_p[before][stream[t]].item<double>();
  }
  return nats;
}

TEST_P(CausalLmTest, ValidationScoresEveryTokenOnce) {
  const auto shards = corpus("s", 40, kVocab);
  FakeModel model(kVocab);
  model.table() = at::randn({kVocab, kVocab});
  const double nats = nats_by_hand(*shards, model.table());
  model.to(at::Device(test::test_device()));
  const auto tokens = static_cast<double>(shards->tokens());
  for (const std::int64_t batch_size : {1, 7, 1000}) {
    const auto scores = validate(model, shards, batch_size).scores;
    EXPECT_EQ(scores.size(), 3U);
    EXPECT_NEAR(scores.at("loss"), nats / tokens, 1e-5);
    EXPECT_NEAR(scores.at("perplexity"), std::exp(nats / tokens), 1e-2);
    EXPECT_NEAR(scores.at("bits_per_byte"),
                nats / std::log(2) / static_cast<double>(shards->text_bytes()), 1e-5);
  }
  EXPECT_LE(model.most_tokens(), 16 * 1000);
}

TEST_P(CausalLmTest, RanksShareAValidation) {
  const auto shards = corpus("s", 40, kVocab);
  FakeModel model(kVocab);
  model.table() = at::randn({kVocab, kVocab});
  const double whole = validate(model, shards).scores.at("loss");
  for (const int size : {2, 3, 500}) {
    std::vector<double> totals;
    double loss = 0;
    for (int rank = 0; rank < size; ++rank) {
      test::SerialWorld world(rank, size, totals);
      const auto validator = task_->scores_of(model, shards, packing_, 4, world, 0);
      try {
        loss = validator->validate({}).scores.at("loss");
      } catch (const Error&) {
        EXPECT_NE(rank, size - 1);  // the last rank alone sees what the others summed
      }
    }
    EXPECT_NEAR(loss, whole, 1e-6) << size;
  }
}

TEST_P(CausalLmTest, ValidationTakesNoMoreThanAskedFor) {
  const auto shards = corpus("s", 40, kVocab);
  FakeModel model(kVocab);
  model.table() = at::randn({kVocab, kVocab});
  const auto begin = validate(model, shards, 7, 100).scores;
  EXPECT_FALSE(begin.contains("bits_per_byte"));
  EXPECT_NE(begin.at("loss"), validate(model, shards).scores.at("loss"));
  EXPECT_EQ(validate(model, shards, 7, 1'000'000).scores, validate(model, shards).scores);
}

TEST_P(CausalLmTest, NothingToTrainOrValidateOnIsAnError) {
  const auto empty = make_shards(dir_ / "e", {}, kVocab);
  FakeModel model(kVocab);
  expect_error(ErrorCode::kData, {"no row to train on"}, [&] { source(empty, {}); });
  expect_error(ErrorCode::kData, {(dir_ / "e").string(), "no text to validate on"},
               [&] { validate(model, empty); });
}

INSTANTIATE_TEST_SUITE_P(All, CausalLmTest, ::testing::Values("concat", "best_fit", "pad"));

TEST(CausalLm, WindowsOfConcatDoNotOverlap) {
  // nanoGPT's setting: one text, windows of the context's length, each character once.
  const TempDir dir;
  std::vector<TokenId> text;
  for (TokenId i = 0; i < 200; ++i) text.push_back(i);
  const auto shards = make_shards(dir / "s", {text}, kVocab);
  const auto task = text_task("{\"type\": \"causal_lm\"}", ByteTokenizer::Kind::kCausal);
  FakeModel model(kVocab);
  const auto world = make_local_world();
  task->scores_of(model, shards, {"concat", 64}, 1, *world, 0)->validate({});
  EXPECT_EQ(model.forwards(), 4);  // 64 + 64 + 64 + 8
  EXPECT_EQ(model.most_tokens(), 64);
}

}  // namespace
}  // namespace llmctl
