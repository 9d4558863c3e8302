// What a model computes: rows by themselves, packing, caches, gradients, dropout, precision.
#include "models/model.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <thread>
#include <vector>

#include "golden.h"
#include "ops/backend.h"
#include "tiny_models.h"

namespace llmctl {
namespace {

using test::create;
using test::expect_close;
using test::tiny_section;
using test::tokens;

class ModelOfType : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    at::manual_seed(3);
    model_ = create(tiny_section(GetParam()));
  }
  at::Tensor logits(const Sequence& input, const Context& context = {}) {
    const at::Tensor hidden = test::hidden_of(*model_, input, context);
    return model_->head(hidden.reshape({-1, hidden.size(-1)}), context)
        .view({input.rows(), input.length(), -1});
  }
  std::unique_ptr<Model> model_;
};

TEST_P(ModelOfType, RowsOfUnequalLengthAreAsByThemselves) {
  const Sequence batch = [] {
    Sequence input = tokens(3, 9);
    input.documents = at::zeros_like(input.ids);
    for (const auto& [row, length] : {std::pair{0, 9}, {1, 4}, {2, 1}}) {
      input.documents[row].narrow(0, length, 9 - length).fill_(-1);
    }
    return input;
  }();
  const at::Tensor together = logits(batch);
  EXPECT_TRUE(together.isfinite().all().item<bool>());
  for (const auto& [row, length] : {std::pair{0, 9}, {1, 4}, {2, 1}}) {
    Sequence alone;
    alone.ids = batch.ids.narrow(0, row, 1).narrow(1, 0, length);
    expect_close(together[row].narrow(0, 0, length), logits(alone)[0], 1e-5, "row");
  }
}

TEST_P(ModelOfType, ServesSeveralThreads) {
  // At once, and for the first time: what layers keep between calls is made then.
  const Sequence input = tokens(3, 11);
  std::vector<at::Tensor> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] {
      const at::NoGradGuard no_grad;
      result = logits(input);
    });
  }
  for (auto& thread : threads) thread.join();
  const at::NoGradGuard no_grad;
  const at::Tensor expected = logits(input);
  for (const auto& result : results) EXPECT_TRUE(result.equal(expected));
}

TEST_P(ModelOfType, PackedDocumentsDoNotSeeEachOther) {
  const Sequence first = tokens(1, 5), second = tokens(1, 4);
  Sequence packed;
  packed.ids = at::cat({first.ids, second.ids, at::zeros_like(first.ids.narrow(1, 0, 2))}, 1);
  packed.positions =
      at::tensor({0, 1, 2, 3, 4, 0, 1, 2, 3, 0, 1}, at::kLong).view({1, 11}).to(test::device());
  packed.documents =
      at::tensor({0, 0, 0, 0, 0, 1, 1, 1, 1, -1, -1}, at::kLong).view({1, 11}).to(test::device());
  const at::Tensor together = logits(packed);
  expect_close(together.narrow(1, 0, 5), logits(first), 1e-5, "first document");
  expect_close(together.narrow(1, 5, 4), logits(second), 1e-5, "second document");
}

/// Loss and gradients over the same documents, packed into one row and padded into two.
TEST_P(ModelOfType, PackedLossIsPaddedLoss) {
  const Sequence first = tokens(1, 6), second = tokens(1, 3);
  const at::Tensor labels = at::randint(1, 40, {9}, at::kLong).to(test::device());
  const auto run = [&](bool pack) {
    Sequence input;
    at::Tensor index;
    if (pack) {
      input.ids = at::cat({first.ids, second.ids}, 1);
      input.positions = at::cat({at::arange(6, at::kLong), at::arange(3, at::kLong)})
                            .view({1, 9})
                            .to(test::device());
      input.documents = input.positions.eq(0).to(at::kLong).cumsum(1) - 1;
      index = at::arange(9, at::kLong);
    } else {
      input.ids = at::cat({first.ids, at::cat({second.ids, at::zeros_like(second.ids)}, 1)}, 0);
      input.documents = at::zeros_like(input.ids);
      input.documents[1].narrow(0, 3, 3).fill_(-1);
      index = at::arange(9, at::kLong);
    }
    for (auto& [name, parameter] : model_->parameters()) parameter.mutable_grad() = at::Tensor();
    const at::Tensor hidden = model_->hidden(input, {});
    const at::Tensor rows =
        hidden.reshape({-1, hidden.size(-1)}).index_select(0, index.to(test::device()));
    const at::Tensor loss = model_->lm_loss(rows, labels, {});
    loss.backward();
    std::vector<at::Tensor> results{loss.detach()};
    for (auto& [name, parameter] : model_->parameters()) {
      results.push_back(parameter.grad().clone());
    }
    return results;
  };
  const auto packed = run(true), padded = run(false);
  for (std::size_t i = 0; i < packed.size(); ++i) {
    expect_close(packed[i], padded[i], 1e-4 * (1 + test::largest(padded[i])), "result");
  }
}

TEST_P(ModelOfType, LossIsTheCrossEntropyOfItsLogits) {
  const at::Tensor hidden = model_->hidden(tokens(2, 5), {}).reshape({10, 16});
  const at::Tensor labels = at::randint(0, 40, {10}, at::kLong).to(test::device());
  const at::Tensor wanted =
      -at::log_softmax(model_->head(hidden, {}), -1).gather(1, labels.unsqueeze(1)).squeeze(1);
  at::Tensor by_row;
  expect_close(model_->lm_loss(hidden, labels, {}, &by_row), wanted.sum(), 1e-3, "sum");
  expect_close(by_row, wanted, 1e-4, "rows");
}

TEST_P(ModelOfType, Bf16IsNearFp32) {
  Context context;
  context.compute = at::kBFloat16;
  const Sequence input = tokens(2, 12);
  const at::Tensor exact = logits(input), rounded = logits(input, context);
  EXPECT_EQ(rounded.scalar_type(), at::kFloat);
  const double scale = exact.std().item<double>();
  EXPECT_LT((exact - rounded).abs().mean().item<double>(), 0.03 * scale);
  EXPECT_GT((exact - rounded).abs().max().item<double>(), 0);
  const at::Tensor hidden = model_->hidden(input, context).reshape({-1, 16});
  model_->lm_loss(hidden, input.ids.reshape({-1}), context).backward();
  for (const auto& [name, parameter] : model_->parameters()) {
    EXPECT_EQ(parameter.grad().scalar_type(), at::kFloat) << name;
    EXPECT_TRUE(parameter.grad().isfinite().all().item<bool>()) << name;
  }
}

TEST_P(ModelOfType, RefusesTokensOutsideItsVocabulary) {
  if (test::device().is_cuda()) GTEST_SKIP() << "GPU kernels check for themselves";
  Sequence input = tokens(1, 3);
  input.ids[0][1] = 40;
  test::expect_error(ErrorCode::kData, {"token 40", "0 to 39"}, [&] { model_->hidden(input, {}); });
  input.ids[0][1] = -1;
  test::expect_error(ErrorCode::kData, {"token -1"}, [&] { model_->hidden(input, {}); });
}

TEST_P(ModelOfType, CountsItsParameters) {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : model_->parameters()) {
    EXPECT_TRUE(tensor.requires_grad()) << name;
    EXPECT_EQ(tensor.device(), test::device()) << name;
    count += tensor.numel();
  }
  EXPECT_EQ(model_->parameter_count(), count);
}

TEST_P(ModelOfType, DecaySparesBiasesAndNorms) {
  const auto parameters = model_->parameters();
  const std::vector<bool> decayed = model_->decayed();
  ASSERT_EQ(decayed.size(), parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    EXPECT_EQ(decayed[i], parameters[i].second.dim() > 1) << parameters[i].first;
  }
}

INSTANTIATE_TEST_SUITE_P(Types, ModelOfType,
                         ::testing::Values("llama", "qwen3", "gpt2", "bert", "roberta"));

TEST(Model, EveryParameterGetsAGradient) {
  for (const auto& kind : test::all_kinds()) {
    at::manual_seed(5);
    Json section = tiny_section(kind.type);
    if (kind.type == "llama") section["attention_bias"] = section["mlp_bias"] = true;
    ModelRequest request;
    request.head = kind.head;
    request.labels = {"a", "b", "c"};
    const auto model = create(section, request);
    SCOPED_TRACE(model->facts().architecture);
    Sequence input = tokens(4, 32);
    input.token_types = at::randint(0, 2, {4, 32}, at::kLong).to(test::device());
    if (kind.type == "bert") EXPECT_EQ(model->facts().max_positions, 32);
    const at::Tensor hidden = test::hidden_of(*model, input).reshape({-1, 16});
    const bool lm = kind.head == HeadKind::kCausalLm || kind.head == HeadKind::kMaskedLm ||
                    kind.head == HeadKind::kSeq2SeqLm;
    if (lm) {
      model->lm_loss(hidden, input.ids.reshape({-1}), {}).backward();
    } else {
      const at::Tensor scores = model->head(hidden, {});
      EXPECT_EQ(scores.size(1), kind.head == HeadKind::kSpan ? 2 : 3);
      at::log_softmax(scores, 0).square().sum().backward();
    }
    for (const auto& [name, parameter] : model->parameters()) {
      ASSERT_TRUE(parameter.grad().defined()) << name;
      EXPECT_TRUE(parameter.grad().isfinite().all().item<bool>()) << name;
      // Softmax cancels what a key's bias adds, unless rotary positions turn it; shifting all of a
      // column's scores changes nothing in this loss.
      const bool key_bias = name.ends_with("key.bias") || name.ends_with("c_attn.bias.1") ||
                            (name.ends_with("k_proj.bias") && kind.type == "marian");
      const bool cancelled = key_bias || (!lm && name.ends_with(".bias") && parameter.size(0) <= 3);
      if (!cancelled) EXPECT_GT(parameter.grad().abs().max().item<double>(), 1e-7) << name;
    }
  }
}

TEST(Model, DecodesWithACacheAsWithout) {
  at::manual_seed(11);
  for (const char* scaling : {"", "yarn", "llama3"}) {
    Json section = tiny_section("llama");
    if (*scaling != '\0') {
      section["rope_scaling"] = {{"rope_type", scaling},
                                 {"factor", 4.0},
                                 {"low_freq_factor", 1.0},
                                 {"high_freq_factor", 4.0},
                                 {"original_max_position_embeddings", 8}};
    }
    const auto model = create(section);
    const c10::AutoGradMode no_grad(false);
    const Sequence whole = tokens(3, 14);
    const at::Tensor wanted = model->hidden(whole, {});
    // Prompts of unequal lengths in one pass (the last one in two), then one token at a time.
    const std::vector<std::vector<std::int64_t>> passes{{5, 2, 3}, {0, 0, 5}, {1, 1, 1}, {1, 1, 1},
                                                        {1, 0, 1}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}};
    Context context;
    const auto cache = model->make_cache(16, context);
    context.cache = cache.get();
    const std::vector<KvCache::Row> rows{cache->open(), cache->open(), cache->open()};
    for (const auto& counts : passes) {
      std::vector<std::int64_t> row_of, place_of;
      for (std::int64_t row = 0; row < 3; ++row) {
        const auto index = static_cast<std::size_t>(row);
        for (std::int64_t t = 0; t < counts[index]; ++t) {
          row_of.push_back(row);
          place_of.push_back(cache->length(rows[index]) + t);
        }
        if (counts[index] > 0) cache->plan(rows[index], counts[index]);
      }
      const at::Tensor of = at::tensor(row_of, at::kLong), at = at::tensor(place_of, at::kLong);
      Sequence step;
      step.ids = whole.ids.index({of, at}).unsqueeze(0);
      step.positions = at.unsqueeze(0);
      step.documents = of.unsqueeze(0);
      const at::Tensor hidden = model->hidden(step, context);
      cache->end();
      expect_close(hidden[0], wanted.index({of, at}), 1e-5, "tokens");
    }
  }
}

TEST(Model, CachesOnlyWhereItIsCausal) {
  test::expect_error(ErrorCode::kInternal, {"BertForMaskedLM", "no cache"},
                     [] { create(tiny_section("bert"))->make_cache(8, {}); });
}

TEST(Model, DropoutIsAFunctionOfItsSeed) {
  Json section = tiny_section("bert");
  const auto bert = create(section);
  section = tiny_section("llama");
  section["attention_dropout"] = 0.3;
  const auto llama = create(section);
  const Sequence input = tokens(2, 7);
  for (Model* model : {bert.get(), llama.get()}) {
    const auto run = [&](bool train, std::uint64_t seed) {
      Context context;
      context.train = train;
      context.dropout_seed = seed;
      return model->hidden(input, context).detach();
    };
    const at::Tensor first = run(true, 1);
    EXPECT_FALSE(first.equal(run(true, 2)));
    EXPECT_TRUE(first.equal(run(true, 1)));
    EXPECT_FALSE(first.equal(run(false, 1)));
    EXPECT_TRUE(run(false, 1).equal(run(false, 2)));
  }
  // Without dropout training is the plain computation.
  section = tiny_section("bert");
  section["hidden_dropout_prob"] = section["attention_probs_dropout_prob"] = 0.0;
  const auto plain = create(section);
  Context training;
  training.train = true;
  EXPECT_TRUE(plain->hidden(input, training).equal(plain->hidden(input, {})));
}

TEST(Model, RecomputedBlocksGiveTheSameGradients) {
  for (const auto& type : model_types()) {
    Json section = tiny_section(type);
    const char* rate = type == "gpt2"     ? "resid_pdrop"
                       : type == "t5"     ? "dropout_rate"
                       : type == "marian" ? "dropout"
                                          : "";
    if (type == "bert" || type == "roberta") rate = "hidden_dropout_prob";
    if (*rate != '\0') section[rate] = 0.2;
    const auto model = create(section);
    SCOPED_TRACE(type);
    const Sequence input = tokens(2, 9);
    const auto gradients = [&](bool recompute) {
      Context context;
      context.train = true;
      context.dropout_seed = 3;
      context.recompute = recompute;
      for (const auto& [name, parameter] : model->parameters()) {
        parameter.mutable_grad() = at::Tensor();
      }
      const at::Tensor hidden = test::hidden_of(*model, input, context).reshape({-1, 16});
      model->lm_loss(hidden, input.ids.reshape({-1}), context).backward();
      std::vector<at::Tensor> result;
      for (const auto& [name, parameter] : model->parameters()) result.push_back(parameter.grad());
      return result;
    };
    const auto plain = gradients(false), again = gradients(true);
    for (std::size_t i = 0; i < plain.size(); ++i) {
      expect_close(again[i], plain[i], 1e-6 * (1 + test::largest(plain[i])),
                   model->parameters()[i].first);
    }
  }
}

TEST(Model, WhatAClassifierReadsOfTheHiddenStates) {
  Sequence input = tokens(3, 4);
  Json mean_section = tiny_section("bert");
  mean_section["classifier_pooling"] = "mean";
  const auto llama = create(tiny_section("llama")), bert = create(tiny_section("bert"));
  const auto mean = create(mean_section, {.head = HeadKind::kSequenceClassification});
  // The states of position t of row r are 10 r + t.
  const at::Tensor hidden = (at::arange(3).view({3, 1, 1}) * 10 + at::arange(4).view({1, 4, 1}))
                                .expand({3, 4, 16})
                                .to(at::kFloat)
                                .to(test::device());
  const auto pooled = [&](const Model& model) {
    const at::Tensor states = model.pooled(hidden, input).to(at::kCPU);
    EXPECT_EQ(states.sizes(), (std::vector<std::int64_t>{3, 16}));
    EXPECT_TRUE(states.select(1, 0).equal(states.select(1, 15)));
    const at::Tensor first = states.select(1, 0).contiguous();
    return std::vector<float>(first.const_data_ptr<float>(), first.const_data_ptr<float>() + 3);
  };
  EXPECT_EQ(pooled(*llama), (std::vector<float>{3, 13, 23}));
  EXPECT_EQ(pooled(*bert), (std::vector<float>{0, 10, 20}));
  EXPECT_EQ(pooled(*mean), (std::vector<float>{1.5, 11.5, 21.5}));
  input.documents = at::tensor({0, 0, 0, 0, 0, -1, -1, -1, 0, 0, -1, -1}, at::kLong)
                        .view({3, 4})
                        .to(test::device());
  EXPECT_EQ(pooled(*llama), (std::vector<float>{3, 10, 21}));
  EXPECT_EQ(pooled(*bert), (std::vector<float>{0, 10, 20}));
  hidden[1][2].fill_(std::numeric_limits<float>::quiet_NaN());  // padding
  EXPECT_EQ(pooled(*mean), (std::vector<float>{1.5, 10, 20.5}));
}

TEST(Model, HeadsThatItLacks) {
  ModelRequest request;
  request.head = HeadKind::kSpan;
  const auto model = create(tiny_section("bert"), request);
  const at::Tensor rows = at::full({1, 16}, 1.0, at::TensorOptions().device(test::device()));
  test::expect_error(ErrorCode::kInternal, {"BertForQuestionAnswering"}, [&] {
    model->lm_loss(rows, at::zeros_like(rows.select(1, 0).to(at::kLong)), {});
  });
}

TEST(Model, PositionsBeyondALearnedTable) {
  if (test::device().is_cuda()) GTEST_SKIP() << "GPU kernels check for themselves";
  const auto model = create(tiny_section("bert"));
  test::expect_error(ErrorCode::kData, {"position 32", "0 to 31"},
                     [&] { model->hidden(tokens(1, 33), {}); });
}

}  // namespace
}  // namespace llmctl
