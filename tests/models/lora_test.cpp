#include "models/lora.h"

#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/log.h"
#include "golden.h"
#include "io/safetensors.h"
#include "models/adapter.h"
#include "models/adapters.h"
#include "models/weight_files.h"
#include "support/temp_dir.h"
#include "tiny_models.h"

namespace llmctl {
namespace {

using test::create;
using test::expect_error;
using test::TempDir;
using test::tiny_section;

LoraConfig config_of(const Json& section) {
  LoraConfig config;
  read_config(ConfigNode(&section, "lora", nullptr), config);
  return config;
}

TEST(LoraConfig, NamesLayersAsPeftDoes) {
  const std::string query = "model.layers.1.self_attn.q_proj", up = "model.layers.10.mlp.up_proj";
  const auto targets = [](const Json& section, const std::string& name) {
    return config_of(section).targets(name, true);
  };
  EXPECT_TRUE(targets({{"target_modules", {"q_proj"}}}, query));
  EXPECT_TRUE(targets({{"target_modules", {"self_attn.q_proj"}}}, query));
  EXPECT_TRUE(targets({{"target_modules", {query}}}, query));
  EXPECT_FALSE(targets({{"target_modules", {"proj"}}}, query));
  EXPECT_TRUE(targets({{"target_modules", ".*\\.1\\..*_proj"}}, query));
  EXPECT_FALSE(targets({{"target_modules", "\\.1\\."}}, query)) << "the whole name must match";
  EXPECT_TRUE(targets({{"target_modules", "all-linear"}}, up));
  EXPECT_FALSE(config_of({{"target_modules", "all-linear"}}).targets("lm_head", false));
  EXPECT_FALSE(targets({{"target_modules", "all-linear"}, {"exclude_modules", {"up_proj"}}}, up));
  EXPECT_FALSE(targets({{"target_modules", "all-linear"}, {"exclude_modules", ".*10.*"}}, up));
  const Json layers = {{"target_modules", {"q_proj", "up_proj"}}, {"layers_to_transform", {1, 2}}};
  EXPECT_TRUE(targets(layers, query));
  EXPECT_FALSE(targets(layers, up));
  EXPECT_TRUE(targets(
      {{"target_modules", {"up_proj"}}, {"layers_to_transform", 10}, {"layers_pattern", "layers"}},
      up));
  EXPECT_FALSE(targets({{"target_modules", {"up_proj"}},
                        {"layers_to_transform", 10},
                        {"layers_pattern", {"blocks"}}},
                       up));
  for (const char* all : {"all-linear", ".*_proj"}) {
    const Json within = {{"target_modules", all}, {"layers_to_transform", {1}}};
    EXPECT_TRUE(targets(within, query)) << all;
    EXPECT_FALSE(targets(within, up)) << all;
  }
}

TEST(LoraConfig, RanksAndScalesByName) {
  const LoraConfig config = config_of({{"r", 4},
                                       {"lora_alpha", 8},
                                       {"rank_pattern", {{"q_proj", 2}}},
                                       {"alpha_pattern", {{"layers.0.*o_proj", 16}}}});
  EXPECT_EQ(config.rank_of("model.layers.0.self_attn.q_proj"), 2);
  EXPECT_EQ(config.rank_of("model.layers.0.self_attn.o_proj"), 4);
  EXPECT_EQ(config.scale_of("model.layers.0.self_attn.q_proj"), 4);
  EXPECT_EQ(config.scale_of("model.layers.0.self_attn.o_proj"), 4);
  EXPECT_EQ(config.scale_of("model.layers.1.self_attn.o_proj"), 2);
  EXPECT_EQ(config_of({{"r", 16}, {"lora_alpha", 8}, {"use_rslora", true}}).scale_of("x"), 2);
}

TEST(LoraConfig, RefusesWhatItDoesNotCompute) {
  const auto refuse = [](const Json& changes, const std::vector<std::string>& parts) {
    Json json = {{"peft_type", "LORA"}, {"target_modules", {"q_proj"}}};
    json.update(changes);
    const JsonDocument document = parse_json_document(json.dump(), "adapter_config.json");
    expect_error(ErrorCode::kData, parts, [&] { read_lora_config(document); });
  };
  refuse({{"use_dora", true}}, {"use_dora", "true", "not supported", "adapter_config.json"});
  refuse({{"bias", "all"}}, {"bias", "all"});
  refuse({{"peft_type", "IA3"}}, {"peft_type", "IA3"});
  refuse({{"init_lora_weights", "pissa"}}, {"init_lora_weights", "pissa"});
  refuse({{"target_modules", 3}}, {"target_modules", "3"});
  refuse({{"r", 0}}, {"r"});
  Json plain = {{"peft_type", "LORA"},
                {"target_modules", {"q"}},
                {"use_dora", false},
                {"megatron_core", "megatron.core"},
                {"runtime_config", {{"x", 1}}}};
  const JsonDocument document = parse_json_document(plain.dump(), "adapter_config.json");
  EXPECT_EQ(read_lora_config(document).r, 8);
}

at::Tensor logits_of(Model& model, const Sequence& input) {
  const at::Tensor hidden = test::hidden_of(model, input);
  return model.head(hidden.reshape({-1, hidden.size(-1)}), {}).detach().to(at::kCPU);
}

std::map<std::string, at::Tensor> values_of(const Model& model) {
  std::map<std::string, at::Tensor> values;
  for (const auto& [name, tensor] : model.parameters()) values[name] = tensor.detach().clone();
  return values;
}

TEST(AddLora, TrainsMapsAloneAndSavesThem) {
  const Json section = {{"r", 2}, {"lora_alpha", 4}};
  const ConfigNode node(&section, "lora", nullptr);
  for (const auto& type : model_types()) {
    SCOPED_TRACE(type);
    const TempDir base, adapter;
    create(tiny_section(type))->save(base.path());
    const auto model = load_model(base.path(), {});
    model->to(test::device());
    const auto before = values_of(*model);
    const Sequence input = test::tokens(2, 7);
    const at::Tensor plain = logits_of(*model, input);
    model->add_lora(config_of(section), node, base.path(), 5);
    // Fresh maps add nothing (but products of other strides may round otherwise).
    test::expect_close(logits_of(*model, input), plain, 1e-6 * (1 + test::largest(plain)), "fresh");
    EXPECT_LT(model->parameter_count() * 2, load_model(base.path(), {})->parameter_count());

    EXPECT_THAT(model->decayed(), ::testing::Each(true));
    // A step on the maps changes the model.
    const at::Tensor hidden = test::hidden_of(*model, input).reshape({-1, 16});
    model->lm_loss(hidden, input.ids.reshape({-1}), {}).backward();
    {
      const c10::AutoGradMode no_grad(false);
      for (auto& [name, parameter] : model->parameters()) {
        ASSERT_TRUE(parameter.grad().defined()) << name;
        EXPECT_NE(name.find(".lora_"), std::string::npos) << name;
        at::Tensor changed = parameter;
        changed.sub_(parameter.grad().sign() * 0.05);
      }
    }
    const at::Tensor adapted = logits_of(*model, input);
    EXPECT_FALSE(plain.equal(adapted));
    model->save(adapter.path());
    EXPECT_TRUE(is_adapter_directory(adapter.path()));

    // Merged, apart, and merged and saved as a model of its own: all compute the same.
    const double tolerance = 1e-4 * (1 + test::largest(adapted));
    const auto merged = load_model(adapter.path(), {});
    EXPECT_EQ(merged->parameters().size(), before.size());
    merged->to(test::device());
    test::expect_close(logits_of(*merged, input), adapted, tolerance, "merged");
    ModelRequest request;
    request.train_adapter = true;
    const auto apart = load_model(adapter.path(), request);
    apart->to(test::device());
    test::expect_close(logits_of(*apart, input), adapted, tolerance, "apart");
    EXPECT_EQ(values_of(*apart).size(), values_of(*model).size());
    for (const auto& [name, value] : values_of(*apart)) {
      EXPECT_TRUE(value.equal(values_of(*model).at(name))) << name;
    }
    const TempDir whole;
    merged->save(whole.path());
    const auto again = load_model(whole.path(), {});
    again->to(test::device());
    test::expect_close(logits_of(*again, input), adapted, tolerance, "saved");
  }
}

TEST(AddLora, KnowsWhatItWasTrainedOn) {
  const Json section = {{"r", 2}};
  const TempDir base, other, adapter;
  create(tiny_section("llama"))->save(base.path());
  ModelRequest another;
  another.seed = 99;
  create(tiny_section("llama"), another)->save(other.path());
  EXPECT_NE(weights_fingerprint(base.path()), weights_fingerprint(other.path()));
  const auto model = load_model(base.path(), {});
  EXPECT_EQ(weights_fingerprint(base.path()), weights_fingerprint(base.path()));
  model->add_lora(config_of(section), ConfigNode(&section, "lora", nullptr), base.path(), 5);
  model->save(adapter.path());
  const SafetensorsFile file(adapter / kAdapterWeights);
  EXPECT_EQ(file.metadata().at(kBaseFingerprint), weights_fingerprint(base.path()));
  // Other weights are taken, with a warning.
  fs::copy_file(other / "model.safetensors", base / "model.safetensors",
                fs::copy_options::overwrite_existing);
  set_log_level(LogLevel::kInfo);
  ::testing::internal::CaptureStderr();
  load_model(adapter.path(), {});
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("other weights"), std::string::npos);
}

TEST(AddLora, TrainsANewHeadWhole) {
  const TempDir base, adapter;
  create(tiny_section("bert"))->save(base.path());
  ModelRequest request;
  request.head = HeadKind::kSequenceClassification;
  request.labels = {"bad", "good", "odd"};
  const auto model = load_model(base.path(), request);
  const Json section = {{"r", 2}, {"target_modules", {"query"}}};
  model->add_lora(config_of(section), ConfigNode(&section, "lora", nullptr), base.path(), 5);
  std::string names;
  for (const auto& [name, parameter] : model->parameters()) names += name + " ";
  for (const char* name :
       {"base_model.model.classifier.weight", "base_model.model.classifier.bias",
        "base_model.model.bert.pooler.dense.weight",
        "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight"}) {
    EXPECT_NE(names.find(name), std::string::npos) << name << " in " << names;
  }
  model->save(adapter.path());
  EXPECT_EQ(load_json(adapter / kAdapterConfig).at("task_type"), "SEQ_CLS");
  const auto loaded = load_model(adapter.path(), {});
  EXPECT_EQ(loaded->facts().architecture, "BertForSequenceClassification");
  EXPECT_EQ(loaded->config().at("id2label").at("1"), "good");
  const auto head = [](const Model& m) { return m.parameters().back().second; };
  EXPECT_TRUE(head(*loaded).equal(head(*model)));
}

/// The adapter's model after a step that its maps have not done: B is zero in fresh ones.
void change(Model& model) {
  const c10::AutoGradMode no_grad(false);
  for (auto& [name, parameter] : model.parameters()) {
    at::Tensor changed = parameter;
    changed.add_(0.05);
  }
}

TEST(AddLora, KeepsWhatTheTrainingReplacedOfTheBasesConfiguration) {
  const Json section = {{"r", 2}};
  const ConfigNode node(&section, "lora", nullptr);
  const TempDir base, adapter, second, back;
  create(tiny_section("llama"))->save(base.path());
  const Json overrides = {{"rope_theta", 500.0}, {"hidden_size", 16}};
  const auto model = load_model(base.path(), {}, overrides);
  model->add_lora(config_of(section), node, base.path(), 5);
  change(*model);
  model->to(test::device());
  const Sequence input = test::tokens(2, 7);
  const at::Tensor trained = logits_of(*model, input);
  model->save(adapter.path());
  EXPECT_EQ(adapter_overrides(adapter.path()), (Json{{"rope_theta", 500.0}}));
  const double tolerance = 1e-4 * (1 + test::largest(trained));
  const auto expect_same = [&](Model& loaded, const char* name) {
    loaded.to(test::device());
    test::expect_close(logits_of(loaded, input), trained, tolerance, name);
  };
  const auto merged = load_model(adapter.path(), {});
  EXPECT_EQ(merged->config().at("rope_theta"), 500.0);
  expect_same(*merged, "merged");
  EXPECT_EQ(read_adapted_config(adapter.path(), {}).value.at("rope_theta"), 500.0);
  // A later training goes on with it, unless it says otherwise.
  ModelRequest request;
  request.train_adapter = true;
  const auto apart = load_model(adapter.path(), request);
  expect_same(*apart, "apart");
  apart->save(second.path());
  expect_same(*load_model(second.path(), {}), "second");
  const Json theta = load_json(base / "config.json").at("rope_theta");
  load_model(adapter.path(), request, Json{{"rope_theta", theta}})->save(back.path());
  EXPECT_EQ(adapter_overrides(back.path()), Json::object());
  // Beside a model of other positions the maps would say something else.
  const auto plain = load_model(base.path(), {});
  expect_error(ErrorCode::kData, {"rope_theta", "500", "llmctl export"},
               [&] { add_adapter(*plain, adapter.path(), base.path()); });
}

TEST(AddLora, KeepsTheStretchOfPositionsInEitherSpelling) {
  const Json section = {{"r", 2}};
  const TempDir base, adapter;
  create(tiny_section("llama"))->save(base.path());
  const Json newer = {
      {"rope_parameters", {{"rope_type", "linear"}, {"factor", 2.0}, {"rope_theta", 700.0}}}};
  const auto model = load_model(base.path(), {}, newer);
  model->add_lora(config_of(section), ConfigNode(&section, "lora", nullptr), base.path(), 5);
  model->save(adapter.path());
  const Json kept = load_model(adapter.path(), {})->config();
  EXPECT_EQ(kept.at("rope_theta"), 700.0);
  EXPECT_EQ(kept.at("rope_scaling").at("factor"), 2.0);
  const Json older = {{"rope_scaling", {{"rope_type", "linear"}, {"factor", 4.0}}}};
  const Json other = load_model(adapter.path(), {}, older)->config();
  EXPECT_EQ(other.at("rope_scaling").at("factor"), 4.0);
}

TEST(AddLora, KeepsThePoolingOfAClassifier) {
  const Json section = {{"r", 2}, {"target_modules", {"query"}}};
  const TempDir base, adapter;
  create(tiny_section("bert"))->save(base.path());
  ModelRequest request;
  request.head = HeadKind::kSequenceClassification;
  request.labels = {"bad", "good", "odd"};
  const auto model = load_model(base.path(), request, Json{{"classifier_pooling", "mean"}});
  model->add_lora(config_of(section), ConfigNode(&section, "lora", nullptr), base.path(), 5);
  change(*model);
  model->to(test::device());
  const Sequence input = test::tokens(2, 7);
  const auto classes = [&](Model& of) {
    const at::Tensor hidden = test::hidden_of(of, input);
    return of.head(of.pooled(hidden, input), {}).detach().to(at::kCPU);
  };
  const at::Tensor trained = classes(*model);
  model->save(adapter.path());
  const auto loaded = load_model(adapter.path(), {});
  loaded->to(test::device());
  EXPECT_TRUE(loaded->facts().mean_pooling);
  test::expect_close(classes(*loaded), trained, 1e-4 * (1 + test::largest(trained)), "loaded");
}

TEST(AddLora, AdaptsTheLayersOfTheseNumbersAlone) {
  for (const char* target : {"all-linear", ".*_proj"}) {
    SCOPED_TRACE(target);
    const Json section = {{"r", 2}, {"target_modules", target}, {"layers_to_transform", 1}};
    const TempDir base, adapter;
    create(tiny_section("llama"))->save(base.path());
    const auto model = load_model(base.path(), {});
    model->add_lora(config_of(section), ConfigNode(&section, "lora", nullptr), base.path(), 5);
    for (const auto& [name, parameter] : model->parameters())
      EXPECT_NE(name.find("layers.1."), std::string::npos) << name;
    model->save(adapter.path());
    // PEFT refuses layers_to_transform beside an expression.
    EXPECT_TRUE(load_json(adapter / kAdapterConfig).at("target_modules").is_array());
    ModelRequest request;
    request.train_adapter = true;
    EXPECT_EQ(load_model(adapter.path(), request)->parameters().size(), model->parameters().size());
  }
}

TEST(AddLora, RefusesKeysThatWouldDoNothing) {
  const TempDir base;
  create(tiny_section("llama"))->save(base.path());
  const auto adapt = [&](const Json& section) {
    load_model(base.path(), {})
        ->add_lora(config_of(section), ConfigNode(&section, "lora", nullptr), base.path(), 5);
  };
  const auto refuse = [&](const Json& section, const std::vector<std::string>& parts) {
    expect_error(ErrorCode::kConfig, parts, [&] { adapt(section); });
  };
  refuse({{"layers_pattern", "layers"}}, {"lora.layers_pattern", "layers_to_transform"});
  refuse({{"layers_to_transform", {0, 7}}}, {"lora.layers_to_transform", "7 names no layer"});
  refuse({{"layers_to_transform", 7}}, {"lora.target_modules", "within layers_to_transform"});
  refuse({{"target_modules", {"q_proj", "vproj"}}},
         {"lora.target_modules", "\"vproj\" names no layer", "there is, for example, model."});
  refuse({{"target_modules", {"q_proj", "embed_tokens"}}},
         {"lora.target_modules", "\"embed_tokens\" takes no low-rank maps", "modules_to_save"});
  refuse({{"exclude_modules", {"q_proj", "qproj"}}},
         {"lora.exclude_modules", "\"qproj\" names no layer", "there is, for example, model."});
  refuse({{"exclude_modules", ".*qproj"}}, {"lora.exclude_modules", "'.*qproj'"});
  refuse({{"modules_to_save", {"embed_token"}}},
         {"lora.modules_to_save", "\"embed_token\" names no layer"});
  refuse({{"target_modules", {"q_proj"}}, {"rank_pattern", {{"v_proj", 4}}}},
         {"lora.rank_pattern", "'v_proj' names no layer", "q_proj"});
  refuse({{"alpha_pattern", {{"layers.9.*", 4}}}}, {"lora.alpha_pattern", "'layers.9.*'"});
  adapt({{"exclude_modules", {"q_proj", "embed_tokens"}},
         {"modules_to_save", {"embed_tokens", "norm"}},
         {"rank_pattern", {{"v_proj", 4}}},
         {"alpha_pattern", {{"layers\\.1\\..*", 4}}},
         {"layers_to_transform", {0, 1}},
         {"layers_pattern", "layers"}});
}

TEST(AddLora, SaysWhatIsWrong) {
  const auto model = create(tiny_section("llama"));
  const Json section = {{"target_modules", {"query"}}};
  expect_error(
      ErrorCode::kConfig, {"lora.target_modules", "query", "names no layer", "q_proj"},
      [&] { model->add_lora(config_of(section), ConfigNode(&section, "lora", nullptr), "x", 1); });
  const TempDir adapter;
  adapter.write(kAdapterConfig,
                R"({"peft_type": "LORA", "target_modules": ["q_proj"],
                    "base_model_name_or_path": "no/such-model"})");
  expect_error(ErrorCode::kMissing, {"no/such-model"}, [&] { load_model(adapter.path(), {}); });
  adapter.write(kAdapterConfig, R"({"peft_type": "LORA", "target_modules": ["q_proj"]})");
  expect_error(ErrorCode::kData, {"base_model_name_or_path"},
               [&] { load_model(adapter.path(), {}); });
}

}  // namespace
}  // namespace llmctl
