// Fresh models: sections read strictly, first values.
#include <gtest/gtest.h>

#include <cmath>

#include "golden.h"
#include "tiny_models.h"

namespace llmctl {
namespace {

using test::create;
using test::expect_error;
using test::tiny_section;

TEST(CreateModel, IsAFunctionOfSeedAndName) {
  const auto values = [](std::uint64_t seed, const Json& section) {
    ModelRequest request;
    request.seed = seed;
    return create(section, request)->parameters();
  };
  Json section = tiny_section("llama");
  const auto one = values(1, section), again = values(1, section), other = values(2, section);
  section["num_hidden_layers"] = 1;
  const auto shorter = values(1, section);
  std::map<std::string, at::Tensor> by_name(one.begin(), one.end());
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_TRUE(one[i].second.equal(again[i].second)) << one[i].first;
    if (one[i].second.dim() == 2) {
      EXPECT_FALSE(one[i].second.equal(other[i].second)) << one[i].first;
    }
  }
  for (const auto& [name, tensor] : shorter) EXPECT_TRUE(tensor.equal(by_name.at(name))) << name;
  EXPECT_FALSE(by_name.at("model.layers.0.mlp.gate_proj.weight")
                   .equal(by_name.at("model.layers.0.mlp.up_proj.weight")));
}

TEST(CreateModel, StartsAsPublished) {
  for (const auto& type : model_types()) {
    SCOPED_TRACE(type);
    Json section = tiny_section(type);
    const bool d_model = type == "marian" || type == "t5";
    section[type == "gpt2" ? "n_embd" : d_model ? "d_model" : "hidden_size"] = 128;
    section.erase("init_std");
    if (!d_model) section["initializer_range"] = 0.02;
    section["pad_token_id"] = 3;
    const auto deviation = [&](const std::string& name) {
      // GPT-2 makes what adds to the residual stream smaller, by the root of twice its layers.
      if (type == "gpt2" && name.ends_with("c_proj.weight")) return 0.02 / std::sqrt(2.0 * 2);
      if (type != "t5") return 0.02;
      if (name == "shared.weight") return 1.0;
      if (name.ends_with("Attention.q.weight")) return 1 / std::sqrt(128.0 * 4);
      if (name.ends_with("Attention.o.weight")) return 1 / std::sqrt(4.0 * 4);
      return name.ends_with("wo.weight") ? 1 / std::sqrt(24.0) : 1 / std::sqrt(128.0);
    };
    const auto model = create(section, {}, 500);
    for (const auto& [name, tensor] : model->parameters()) {
      const at::Tensor value = tensor.detach().to(at::kCPU);
      // Of fused tensors, parts are numbered: "c_attn.bias.0".
      if (name.ends_with("bias") || name.find(".bias.") != std::string::npos) {
        EXPECT_EQ(test::largest(value), 0) << name;
      } else if (value.dim() == 1) {
        EXPECT_TRUE(value.eq(1).all().item<bool>()) << name;
      } else if (name.find("token_type") == std::string::npos) {
        const double wanted = deviation(name);
        const double error = wanted / std::sqrt(static_cast<double>(value.numel()));
        EXPECT_NEAR(value.mean().item<double>(), 0, 5 * error) << name;
        EXPECT_NEAR(value.std().item<double>(), wanted, 5 * error) << name;
        EXPECT_LT(test::largest(value), wanted * 6.5) << name;
      }
      if (name.ends_with("embed_tokens.weight") || name.ends_with("word_embeddings.weight") ||
          (type == "marian" && name == "model.shared.weight")) {
        EXPECT_EQ(test::largest(value[3]), 0) << name;
        EXPECT_GT(test::largest(value[4]), 0) << name;
      }
    }
  }
}

TEST(CreateModel, WritesACompleteConfiguration) {
  const Json minimal = {{"model_type", "llama"},
                        {"hidden_size", 256},
                        {"num_hidden_layers", 1},
                        {"num_attention_heads", 8}};
  const auto model = create(minimal, {}, 77);
  const Json& config = model->config();
  EXPECT_EQ(config.at("vocab_size"), 77);
  EXPECT_EQ(config.at("intermediate_size"), 704);
  EXPECT_EQ(config.at("num_key_value_heads"), 8);
  EXPECT_EQ(config.at("architectures"), Json::array({"LlamaForCausalLM"}));
  EXPECT_EQ(config.at("rope_theta"), 10000.0);
  EXPECT_FALSE(config.contains("rope_parameters"));
  EXPECT_FALSE(config.contains("id2label"));
  const ModelFacts& facts = model->facts();
  EXPECT_EQ(facts.architecture, "LlamaForCausalLM");
  EXPECT_EQ(facts.head_size, 32);
  EXPECT_EQ(facts.max_positions, 2048);
  EXPECT_TRUE(facts.causal);
}

TEST(CreateModel, NamesItsClasses) {
  ModelRequest request;
  request.head = HeadKind::kSequenceClassification;
  request.labels = {"差", "好", "neutral"};
  for (const char* type : {"llama", "bert"}) {
    const auto model = create(tiny_section(type), request);
    EXPECT_EQ(model->facts().labels, 3);
    EXPECT_EQ(model->config().at("id2label"), (Json{{"0", "差"}, {"1", "好"}, {"2", "neutral"}}));
    EXPECT_EQ(model->config().at("label2id").at("neutral"), 2);
  }
}

TEST(CreateModel, TiesWhenAsked) {
  Json section = tiny_section("llama");
  section["tie_word_embeddings"] = true;
  const auto tied = create(section);
  for (const auto& [name, tensor] : tied->parameters()) EXPECT_NE(name, "lm_head.weight");
  section["tie_word_embeddings"] = false;
  EXPECT_EQ(create(section)->parameters().back().first, "lm_head.weight");
  section = tiny_section("bert");
  section["tie_word_embeddings"] = false;
  EXPECT_EQ(create(section)->parameters().back().first, "cls.predictions.decoder.weight");
}

void expect_refused(Json section, const std::string& key, const Json& value,
                    const std::vector<std::string>& parts) {
  section[key] = value;
  SCOPED_TRACE(key + " " + value.dump());
  expect_error(ErrorCode::kConfig, parts, [&] { create(section); });
}

TEST(CreateModel, ReadsSectionsStrictly) {
  const Json llama = tiny_section("llama"), bert = tiny_section("bert");
  expect_refused(llama, "hiden_size", 4, {"model.hiden_size", "did you mean 'hidden_size'"});
  expect_refused(llama, "model_type", "lama", {"model.model_type", "did you mean 'llama'", "bert"});
  expect_refused(llama, "model_type", 7, {"model.model_type", "expected a string"});
  expect_refused(llama, "hidden_size", "16", {"model.hidden_size"});
  expect_refused(llama, "hidden_size", 0, {"model.hidden_size"});
  expect_refused(llama, "hidden_size", 1LL << 40, {"model.hidden_size"});
  expect_refused(llama, "num_attention_heads", 5, {"model.num_attention_heads", "divide", "16"});
  expect_refused(llama, "num_key_value_heads", 3, {"model.num_key_value_heads", "divide", "4"});
  expect_refused(llama, "head_dim", 5, {"model.head_dim", "even"});
  expect_refused(llama, "hidden_act", "swoosh", {"model.hidden_act", "swoosh"});
  expect_refused(llama, "rms_norm_eps", -1.0, {"model.rms_norm_eps"});
  expect_refused(llama, "vocab_size", 39, {"model.vocab_size", "40 tokens", "got 39"});
  expect_refused(llama, "pad_token_id", 40, {"model.pad_token_id", "40"});
  expect_refused(llama, "attention_dropout", 1.5, {"model.attention_dropout"});
  expect_refused(llama, "rope_scaling", {{"rope_type", "spiral"}, {"factor", 2.0}},
                 {"model.rope_scaling.rope_type", "spiral"});
  expect_refused(llama, "rope_scaling", {{"rope_type", "linear"}},
                 {"model.rope_scaling.factor", "missing"});
  expect_refused(llama, "rope_scaling", {{"rope_type", "linear"}, {"factor", 0.0}},
                 {"model.rope_scaling.factor"});
  expect_refused(llama, "rope_scaling", {{"rope_type", "linear"}, {"factor", 2.0}, {"speed", 1}},
                 {"model.rope_scaling.speed"});
  expect_refused(llama, "rope_scaling",
                 {{"rope_type", "llama3"},
                  {"factor", 2.0},
                  {"low_freq_factor", 4.0},
                  {"high_freq_factor", 1.0}},
                 {"model.rope_scaling.high_freq_factor"});
  expect_refused(bert, "num_attention_heads", 5, {"model.num_attention_heads", "divide"});
  expect_refused(bert, "is_decoder", true, {"model.is_decoder"});
  expect_refused(bert, "num_key_value_heads", 2, {"model.num_key_value_heads"});
  Json section = llama;
  section.erase("num_hidden_layers");
  expect_error(ErrorCode::kConfig, {"model.num_hidden_layers", "missing"},
               [&] { create(section); });
  section = llama;
  section.erase("model_type");
  expect_error(ErrorCode::kConfig, {"model.model_type", "missing", "llama"},
               [&] { create(section); });
}

TEST(CreateModel, TakesAPastedConfigFile) {
  Json section = tiny_section("llama");
  section.update(Json{{"architectures", {"LlamaForCausalLM"}},
                      {"torch_dtype", "bfloat16"},
                      {"transformers_version", "4.40.0"},
                      {"use_cache", true},
                      {"vocab_size", 64},
                      {"rope_parameters", {{"rope_theta", 500.0}, {"rope_type", "default"}}}});
  const auto model = create(section);
  EXPECT_EQ(model->facts().vocab_size, 64);
  EXPECT_EQ(model->config().at("rope_theta"), 500.0);
}

TEST(CreateModel, HasASchemaForEachType) {
  for (const auto& type : model_types()) {
    const Json schema = model_schema(type);
    EXPECT_TRUE(schema.at("properties").contains("vocab_size")) << type;
  }
  expect_error(ErrorCode::kUsage, {"did you mean 'llama'"}, [] { model_schema("lama"); });
}

}  // namespace
}  // namespace llmctl
