// Training of encoder-decoders beside transformers': equal weights, batches and optimiser.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/random.h"
#include "data/collate.h"
#include "models/inputs.h"
#include "models/tensor_file.h"
#include "optim/optimizer.h"
#include "support/python.h"
#include "support/temp_dir.h"
#include "tasks/lm_loss.h"

namespace llmctl {
namespace {

constexpr std::int64_t kVocabulary = 97, kSteps = 50;

Json section_of(const std::string& type) {
  Json section = {{"model_type", type}, {"vocab_size", kVocabulary}, {"pad_token_id", 0}};
  if (type == "marian") {
    section.update({{"d_model", 48},
                    {"encoder_layers", 2},
                    {"decoder_layers", 3},
                    {"encoder_attention_heads", 6},
                    {"decoder_attention_heads", 4},
                    {"encoder_ffn_dim", 80},
                    {"decoder_ffn_dim", 96},
                    {"max_position_embeddings", 40},
                    {"scale_embedding", true},
                    {"init_std", 0.1},
                    {"dropout", 0.0},
                    {"eos_token_id", 1},
                    {"decoder_start_token_id", 0}});
  } else {
    section.update({{"d_model", 48},
                    {"d_kv", 8},
                    {"d_ff", 80},
                    {"num_layers", 2},
                    {"num_decoder_layers", 3},
                    {"num_heads", 6},
                    {"feed_forward_proj", "gated-gelu"},
                    {"tie_word_embeddings", false},
                    {"dropout_rate", 0.0}});
  }
  return section;
}

/// Pairs of unequal lengths whose target follows from the source: its ids, each one more.
Batch batch_of(std::int64_t step, std::int64_t start) {
  Random random(random_key(7, "pairs", static_cast<std::uint64_t>(step)));
  std::vector<TokenRow> sources, targets;
  for (int row = 0; row < 6; ++row) {
    TokenRow& source = sources.emplace_back();
    TokenRow& target = targets.emplace_back();
    target.ids = {start};
    const std::uint64_t length = 2 + random.below(12);
    for (std::uint64_t i = 0; i < length; ++i) {
      source.ids.push_back(2 + static_cast<std::int64_t>(random.below(kVocabulary - 3)));
      target.ids.push_back(source.ids.back() + 1);
      target.labels.push_back(source.ids.back() + 1);
    }
    source.ids.push_back(1);
    target.labels.push_back(1);
  }
  return collate_pairs(sources, targets, 0);
}

TEST(TrainingInterop, FiftyStepsOfEncoderDecodersAreTransformers) {
  LLMCTL_NEEDS_TRANSFORMERS();
  const test::TempDir work;
  const Json how = {{"steps", kSteps},     {"label_smoothing", 0.1}, {"lr", 5e-4},
                    {"weight_decay", 0.1}, {"beta1", 0.9},           {"beta2", 0.98},
                    {"eps", 1e-8},         {"clip_norm", 1.0}};
  std::vector<std::string> directories;
  for (const std::string type : {"marian", "t5"}) {
    const Json section = section_of(type);
    const auto model = create_model(ConfigNode(&section, "model", nullptr), kVocabulary, {});
    const auto directory = work / type;
    model->save(directory);
    write_file(directory / "train.json", dump_json(how));
    std::vector<std::pair<std::string, at::Tensor>> tensors;
    for (std::int64_t step = 0; step < kSteps; ++step) {
      const Batch batch = batch_of(step, model->facts().decoder_start);
      const std::string end = "." + std::to_string(step);
      const at::Tensor& documents = batch.input.documents;
      tensors.emplace_back("input_ids" + end, batch.input.ids);
      tensors.emplace_back("attention_mask" + end, documents.defined()
                                                       ? documents.ge(0).to(at::kLong)
                                                       : batch.input.ids.ge(0).to(at::kLong));
      tensors.emplace_back("labels" + end, batch.labels);
    }
    write_tensors(directory / "batches.safetensors", tensors);
    directories.push_back(directory.string());
  }
  const test::ProcessResult result = test::run_python("train_pairs.py", directories);
  ASSERT_EQ(result.status, 0) << result.out << result.err;

  for (const std::string& directory : directories) {
    SCOPED_TRACE(directory);
    const Json wanted = load_json(directory + "/losses.json");
    const auto model = load_model(directory, {});
    OptimConfig config;
    config.weight_decay = how["weight_decay"];
    config.beta2 = how["beta2"];
    const NamedTensors parameters = model->parameters();
    std::vector<ParameterPlan> plans;
    for (const bool decayed : model->decayed()) plans.push_back({.decay = decayed});
    const auto optimizer = make_optimizer(config, parameters, plans);
    const auto loss = make_lm_loss(*model, how["label_smoothing"]);
    Context context;
    context.train = true;
    double last = 0;
    for (std::int64_t step = 0; step < kSteps; ++step) {
      const Batch batch = batch_of(step, model->facts().decoder_start);
      const LossTerm term = loss->terms(to_model(batch, *model), context).front();
      EXPECT_EQ(loss->counts(batch).front().second, term.count);
      const at::Tensor mean = term.sum / term.count;
      last = mean.item<double>();
      const auto theirs = wanted[static_cast<std::size_t>(step)].get<double>();
      EXPECT_NEAR(last, theirs, 1e-4 * theirs) << "step " << step;
      mean.backward();
      const double norm = std::sqrt(gradient_square_sum(parameters));
      optimizer->step(how["lr"], std::max(1.0, norm + 1e-6));
      for (auto [name, parameter] : parameters) parameter.mutable_grad().reset();
    }
    EXPECT_LT(last, 0.98 * wanted[0].get<double>()) << "something is learnt";
  }
}

}  // namespace
}  // namespace llmctl
