// Rows with adapters of their own, with adapters made here: each row is answered as by the model
// that its adapter was merged with, whatever the rows beside it use.
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "config/json.h"
#include "infer/adapted_answers.h"
#include "models/lora.h"
#include "models/quantization.h"
#include "ops/backend.h"
#include "support/temp_dir.h"

namespace llmctl::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLlama = R"({
  "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
  "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
  "initializer_range": 0.3})";
constexpr const char* kMarian = R"({
  "model_type": "marian", "d_model": 64, "encoder_layers": 2, "decoder_layers": 2,
  "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 128,
  "decoder_ffn_dim": 128, "max_position_embeddings": 64, "init_std": 0.3})";
constexpr const char* kT5 = R"({
  "model_type": "t5", "d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4,
  "relative_attention_num_buckets": 8, "relative_attention_max_distance": 16})";

/// A random model's directory and those of two adapters of all its linear layers.
class Adapted {
 public:
  explicit Adapted(const std::string& section) {
    JsonDocument document = parse_json_document(section, "model.json");
    const std::string type = document.value.at("model_type");
    ModelRequest request;
    request.head = type == "llama" ? HeadKind::kCausalLm : HeadKind::kSeq2SeqLm;
    request.seed = 5;
    create_model(ConfigNode(&document.value, "model", &document), 97, request)->save(base());
    for (std::size_t i = 0; i < 2; ++i) {
      const Json lora = {{"r", 4}, {"lora_alpha", 8}, {"target_modules", "all-linear"}};
      const ConfigNode node(&lora, "lora", nullptr);
      LoraConfig config;
      read_config(node, config);
      const auto model = load_model(base(), {});
      model->add_lora(config, node, base(), 7 + i);
      const at::NoGradGuard no_grad;
      for (const auto& [name, tensor] : model->parameters()) tensor.uniform_(-0.2, 0.2);
      model->save(adapter(i));
    }
  }
  fs::path base() const { return directory_ / "base"; }
  fs::path adapter(std::size_t number) const {
    return directory_ / ("adapter" + std::to_string(number));
  }

 private:
  TempDir directory_;
};

/// Some prompts are equal, as are sources.
std::vector<GenerationRequest> requests_for(const Model& model) {
  std::vector<GenerationRequest> requests;
  for (const TokenId first : {5, 9, 5, 14, 5}) {
    GenerationRequest& request = requests.emplace_back();
    request.prompt = {first, 7, 11, static_cast<TokenId>(first + 1)};
    if (model.facts().encoder_decoder) {
      request.source = std::move(request.prompt);
      request.alignment.emplace();
      if (first == 9) request.source.insert(request.source.end(), {3, 8, 2, 41, 6});
      request.prompt = {static_cast<TokenId>(model.facts().decoder_start)};
    }
    request.options.max_new_tokens = 10;
    request.logprobs = 0;
  }
  return requests;
}

class EngineAdapters : public ::testing::TestWithParam<const char*> {
 protected:
  const Adapted files{GetParam()};
};

TEST_P(EngineAdapters, ARowIsAnsweredAsByTheMergedModel) {
  const auto model = load_on_test_device(files.base());
  const std::vector<GenerationRequest> plain = requests_for(*model);
  const Answers without = answer(*model, plain);
  Answers merged[2];
  std::size_t numbers[2];
  for (std::size_t i = 0; i < 2; ++i) {
    merged[i] = answer(*load_on_test_device(files.adapter(i)), plain);
    numbers[i] = add_adapter(*model, files.adapter(i), files.base());
  }
  std::vector<GenerationRequest> mixed = plain;
  mixed[0].adapters = {{numbers[0], 1}};
  mixed[2].adapters = {{numbers[1], 1}};
  mixed[3].adapters = {{numbers[0], 0.5}, {numbers[0], 0.5}};
  const std::vector<const Answers*> wanted = {&merged[0], &without, &merged[1], &merged[0],
                                              &without};
  const Answers got = answer(*model, mixed), again = answer(*model, plain);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    SCOPED_TRACE(i);
    expect_same(got[i][0], (*wanted[i])[i][0]);
    expect_same(again[i][0], without[i][0]);
    EXPECT_NE(merged[0][i][0].logprobs, without[i][0].logprobs);
  }
}

TEST_P(EngineAdapters, SeveralAddUp) {
  const auto model = load_on_test_device(files.base());
  const std::size_t one = add_adapter(*model, files.adapter(0), files.base());
  const std::size_t other = add_adapter(*model, files.adapter(1), files.base());
  ASSERT_NE(one, other);
  std::vector<GenerationRequest> requests = requests_for(*model);
  const Answers none = answer(*model, requests);
  requests[0].adapters = {{one, 1}};
  requests[1].adapters = {{other, 1}};
  requests[2].adapters = {{one, 1}, {other, 1}};
  const Answers mixed = answer(*model, requests);
  for (const std::size_t i : {0u, 1u, 2u}) {
    const Answers alone = answer(*model, {requests[i]});
    expect_same(mixed[i][0], alone[0][0]);
  }
  expect_same(mixed[3][0], none[3][0]);
  EXPECT_NE(mixed[2][0].logprobs, mixed[0][0].logprobs);
}

/// In every form of the weights: an adapter adds what it adds, and where it is asked for a row is
/// the same to the last bit in any company.
TEST_P(EngineAdapters, OnIntegersAndDeterministically) {
  if (test_device() != "cpu") GTEST_SKIP() << "only the CPU has the guarantee";
  for (const std::string form : {"none", "int8", "int4"}) {
    SCOPED_TRACE(form);
    const auto model = load_on_test_device(files.base());
    if (form != "none") model->quantize(*parse_quantization(form));
    const std::size_t number = add_adapter(*model, files.adapter(0), files.base());
    std::vector<GenerationRequest> requests;
    const int most = model->facts().encoder_decoder ? 1 : 3;
    for (int copies = 0; copies < most; ++copies) {
      for (GenerationRequest& request : requests_for(*model)) {
        (request.source.empty() ? request.prompt : request.source)
            .push_back(static_cast<TokenId>(4 + copies));
        requests.push_back(std::move(request));
      }
    }
    const Answers without = answer(*model, requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      if (i % 3 != 0) requests[i].adapters = {{number, i % 3 == 1 ? 1.0 : 0.5}};
    }
    set_deterministic(true);
    const Answers together = answer(*model, requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const Answers alone = answer(*model, {requests[i]});
      EXPECT_EQ(together[i][0].ids, alone[0][0].ids) << i;
      EXPECT_EQ(together[i][0].logprobs, alone[0][0].logprobs) << i;
      if (i % 3 != 0) EXPECT_NE(together[i][0].logprobs, without[i][0].logprobs) << i;
    }
    set_deterministic(false);
  }
}

std::string model_name(const ::testing::TestParamInfo<const char*>& param) {
  const char* const names[] = {"llama", "marian", "t5"};
  return names[param.index];
}
INSTANTIATE_TEST_SUITE_P(Models, EngineAdapters, ::testing::Values(kLlama, kMarian, kT5),
                         model_name);

}  // namespace
}  // namespace llmctl::test
