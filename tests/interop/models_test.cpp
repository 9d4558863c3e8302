// Model directories of every type and head as transformers reads them.
#include <ATen/TensorOperators.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "interop/peers.h"
#include "models/lora.h"
#include "models/model.h"
#include "support/python.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

Json section_of(const std::string& type) {
  const Json common = {{"model_type", type}, {"vocab_size", 97}, {"pad_token_id", 0}};
  Json section;
  if (type == "gpt2") {
    section = {{"n_embd", 48},
               {"n_layer", 3},
               {"n_head", 6},
               {"n_positions", 40},
               {"initializer_range", 0.4}};
  } else if (type == "marian") {
    section = {{"d_model", 48},
               {"encoder_layers", 2},
               {"decoder_layers", 3},
               {"encoder_attention_heads", 6},
               {"decoder_attention_heads", 6},
               {"encoder_ffn_dim", 80},
               {"decoder_ffn_dim", 80},
               {"max_position_embeddings", 40},
               {"init_std", 0.4},
               {"decoder_start_token_id", 0}};
  } else if (type == "t5") {
    section = {{"d_model", 48},
               {"d_kv", 8},
               {"d_ff", 80},
               {"num_layers", 3},
               {"num_heads", 6},
               {"relative_attention_num_buckets", 8},
               {"relative_attention_max_distance", 20}};
  } else {
    section = {{"hidden_size", 48},
               {"num_hidden_layers", 3},
               {"num_attention_heads", 6},
               {"max_position_embeddings", type == "roberta" ? 42 : 40},
               {"initializer_range", 0.4}};
  }
  if (type == "llama" || type == "qwen2" || type == "qwen3") {
    section["num_key_value_heads"] = 3;
    section["rope_theta"] = 500.0;
  }
  section.update(common);
  return section;
}

/// Rows of three lengths.
Sequence padded_input(const Model& model) {
  Sequence input;
  input.ids = at::randint(1, 97, {3, 17}, at::kLong);
  input.token_types = at::zeros_like(input.ids);
  if (model.facts().model_type == "bert") input.token_types.narrow(1, 6, 5).fill_(1);
  input.documents = at::zeros_like(input.ids);
  for (const auto& [row, length] : {std::pair{1, 9}, {2, 2}}) {
    input.documents[row].narrow(0, length, 17 - length).fill_(-1);
    input.ids[row].narrow(0, length, 17 - length).zero_();
  }
  return input;
}

/// What transformers trained on and saved is read back, and computes the same.
void expect_read_back(const std::filesystem::path& directory) {
  const auto file = std::make_shared<const SafetensorsFile>(directory / "expected.safetensors");
  const auto trained =
      std::make_shared<const SafetensorsFile>(directory / "trained/expected.safetensors");
  const auto tensor = [](const std::shared_ptr<const SafetensorsFile>& from, const char* name) {
    return map_tensor(from->info(name), from->bytes(name), from).clone();
  };
  Sequence input;
  input.ids = tensor(file, "input_ids");
  const at::Tensor real = tensor(file, "attention_mask");
  input.documents = real - 1;
  if (file->contains("token_type_ids")) input.token_types = tensor(file, "token_type_ids");
  at::Tensor wanted = tensor(trained, "logits");
  for (const char* saved : {"trained", "pickled"}) {
    const auto model = load_model(directory / saved, {});
    at::Tensor got = test::logits_of(*model, input).detach();
    if (got.dim() == 3) {
      got = got * real.unsqueeze(2);
      wanted = wanted * real.unsqueeze(2);
    }
    EXPECT_LE((got - wanted).abs().max().item<double>(),
              1e-4 * (1 + wanted.abs().max().item<double>()))
        << directory << " " << saved;
  }
}

/// Writes a directory with a fresh model, an input and what the model makes of it.
void write_case(const std::filesystem::path& directory, const Json& section, HeadKind head) {
  ModelRequest request;
  request.head = head;
  request.labels = {"one", "two", "three"};
  const auto model = create_model(ConfigNode(&section, "model", nullptr), 97, request);
  model->save(directory);
  test::write_expected(directory, *model, padded_input(*model));
}

TEST(ModelInterop, TransformersComputesTheSame) {
  LLMCTL_NEEDS_TRANSFORMERS();
  const test::TempDir work;
  std::vector<std::string> directories;
  const auto add = [&](const std::string& name, const Json& section, HeadKind head) {
    write_case(work / name, section, head);
    directories.push_back((work / name).string());
  };
  const std::vector<HeadKind> others = {HeadKind::kSpan, HeadKind::kSequenceClassification,
                                        HeadKind::kTokenClassification};
  for (const auto& type : model_types()) {
    const Json section = section_of(type);
    // The natural class of the type: its language model.
    add(type + "-lm", section, HeadKind::kNone);
    if (type == "marian" || type == "t5") continue;
    for (HeadKind head : others) {
      add(type + "-" + std::to_string(static_cast<int>(head)), section, head);
    }
  }
  Json tied = section_of("llama");
  tied["tie_word_embeddings"] = tied["attention_bias"] = tied["mlp_bias"] = true;
  tied["rope_scaling"] = {{"rope_type", "llama3"},
                          {"factor", 8.0},
                          {"low_freq_factor", 1.0},
                          {"high_freq_factor", 4.0},
                          {"original_max_position_embeddings", 16}};
  add("llama-tied", tied, HeadKind::kCausalLm);
  const test::ProcessResult result = test::run_python("load_models.py", directories);
  ASSERT_EQ(result.status, 0) << result.out << result.err;
  for (const auto& directory : directories) expect_read_back(directory);
}

TEST(ModelInterop, PeftLoadsAdapters) {
  LLMCTL_NEEDS_TRANSFORMERS();
  const test::TempDir work;
  std::vector<std::string> directories;
  for (const auto& type : model_types()) {
    const Json section = section_of(type);
    const auto base = work / ("base-" + type), adapter = work / ("adapter-" + type);
    create_model(ConfigNode(&section, "model", nullptr), 97, {})->save(base);
    ModelRequest request;
    if (type == "bert") {
      request.head = HeadKind::kSequenceClassification;
      request.labels = {"one", "two", "three"};
    }
    const auto model = load_model(base, request);
    const Json lora = {{"r", 3}, {"lora_alpha", 5}, {"use_rslora", type == "llama"}};
    LoraConfig config;
    const ConfigNode node(&lora, "lora", nullptr);
    read_config(node, config);
    model->add_lora(config, node, base, 7);
    for (const auto& [name, parameter] : model->parameters()) {
      const c10::AutoGradMode no_grad(false);
      at::Tensor values = parameter;
      values.add_(at::randn(values.sizes()) * 0.1);
    }
    model->save(adapter);
    test::write_expected(adapter, *model, padded_input(*model));
    directories.push_back(adapter.string());
  }
  const test::ProcessResult result = test::run_python("load_adapters.py", directories);
  EXPECT_EQ(result.status, 0) << result.out << result.err;
}

}  // namespace
}  // namespace llmctl
