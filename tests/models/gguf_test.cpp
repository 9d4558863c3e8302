// Models as GGUF files and back.
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "io/gguf.h"
#include "models/gguf_config.h"
#include "models/gguf_export.h"
#include "models/gguf_file.h"
#include "models/gguf_layout.h"
#include "models/golden_case.h"
#include "models/transformer_model.h"
#include "models/weight_files.h"
#include "support/expect_error.h"
#include "support/parity_dir.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::expect_error;
using test::TempDir;
namespace fs = std::filesystem;

at::Tensor logits_of(Model& model) {
  const c10::AutoGradMode no_grad(false);
  Sequence input;
  input.ids = at::arange(1, 41, at::kLong).view({2, 20}) % model.facts().vocab_size;
  const at::Tensor hidden = model.hidden(input, {});
  return model.head(hidden.reshape({-1, hidden.size(-1)}), {});
}

GgufSummary write(const fs::path& file, const fs::path& directory, const Model& model,
                  GgmlType type) {
  return write_gguf_model(file, model, *load_tokenizer(directory), "",
                          {.type = type, .name = "test"});
}

double root_mean_square(const at::Tensor& tensor) {
  return tensor.square().mean().sqrt().item<double>();
}

/// Of two tokens, for models that have none.
std::shared_ptr<const Tokenizer> small_tokenizer() {
  GgmlVocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pre = "gpt-2";
  vocabulary.tokens = {"a", "b"};
  vocabulary.special.eos = 1;
  return make_tokenizer(vocabulary, "test");
}

std::vector<fs::path> golden_models() {
  std::vector<fs::path> models;
  for (const char* name : {"gpt2", "llama", "llama_rope3", "qwen2", "qwen3"}) {
    const fs::path path = test::parity_dir() / "models" / name;
    if (fs::exists(path)) models.push_back(path);
  }
  return models;
}

TEST(GgufModel, AModelComesBack) {
  ASSERT_FALSE(golden_models().empty());
  // Of what each type loses, by the logits' size; random matrices of 32 columns lose the most.
  const std::pair<GgmlType, double> types[] = {{GgmlType::kF32, 0},
                                               {GgmlType::kF16, 2e-3},
                                               {GgmlType::kBF16, 2e-2},
                                               {GgmlType::kQ8_0, 4e-2},
                                               {GgmlType::kQ4_0, 0.6}};
  for (const fs::path& directory : golden_models()) {
    SCOPED_TRACE(directory.filename());
    const auto model = load_model(directory, {});
    const at::Tensor wanted = logits_of(*model);
    const TempDir place;
    const fs::path file = place / "m.gguf";
    double before = 0;
    for (const auto& [type, loss] : types) {
      SCOPED_TRACE(ggml_type_info(type).name);
      write(file, directory, *model, type);
      LoadReport report;
      ModelRequest request;
      request.mapped = true;
      const auto again = load_model(file, request, Json::object(), &report);
      EXPECT_TRUE(report.unexpected.empty());
      EXPECT_TRUE(report.initialized.empty());
      const at::Tensor got = logits_of(*again);
      const double error = root_mean_square(got - wanted) / root_mean_square(wanted);
      EXPECT_LE(error, loss);
      EXPECT_GE(error, before) << "fewer bits, and closer";
      before = error;
      if (type == GgmlType::kF32) EXPECT_TRUE(got.equal(wanted));
      EXPECT_EQ(again->facts().architecture, model->facts().architecture);
    }
  }
}

TEST(GgufModel, TheConfigurationComesBack) {
  for (const fs::path& directory : golden_models()) {
    SCOPED_TRACE(directory.filename());
    const auto model = load_model(directory, {});
    const TempDir place;
    write(place / "m.gguf", directory, *model, GgmlType::kF16);
    const auto again = load_model(place / "m.gguf", {});
    for (const auto& [key, value] : again->config().items()) {
      const auto found = model->config().find(key);
      if (found == model->config().end() || found->is_null()) continue;
      if (key == "eos_token_id" || key == "rope_scaling") continue;
      EXPECT_EQ(value, *found) << key;
    }
    // Whatever the order of its keys.
    EXPECT_EQ(nlohmann::json(again->config().value("rope_scaling", Json())),
              nlohmann::json(model->config().value("rope_scaling", Json())));
  }
}

TEST(GgufModel, ADirectoryOfTheFileIsTheModelAgain) {
  for (const fs::path& directory : golden_models()) {
    SCOPED_TRACE(directory.filename());
    const auto model = load_model(directory, {});
    const TempDir place;
    write(place / "m.gguf", directory, *model, GgmlType::kF32);
    load_model(place / "m.gguf", {})->save(place / "again", at::kFloat, kMaxShardBytes);
    const WeightFiles before(directory), after(place / "again");
    ASSERT_EQ(before.tensors().size(), after.tensors().size());
    for (const auto& [name, tensor] : before.tensors()) {
      EXPECT_TRUE(same_values(tensor, after.tensors().at(name))) << name;
    }
  }
}

TEST(GgufModel, Variants) {
  const std::pair<const char*, const char*> cases[] = {{"gpt2_fp16", ""},
                                                       {"gpt2_variants", "no"},
                                                       {"llama_bf16", ""},
                                                       {"llama_biases_tied_gelu", "activation"},
                                                       {"llama_dynamic", "dynamic"},
                                                       {"llama_head_dim", ""},
                                                       {"llama_linear", ""},
                                                       {"llama_llama3", ""},
                                                       {"llama_yarn", ""},
                                                       {"llama_yarn_options", "yarn"},
                                                       {"qwen2_sliding", "sliding windows"},
                                                       {"qwen3_sliding", "sliding windows"}};
  for (const auto& [name, refusal] : cases) {
    SCOPED_TRACE(name);
    const fs::path directory = test::parity_dir() / "variants" / name;
    if (!fs::exists(directory)) continue;
    const auto model = load_model(directory, {});
    const auto& plan = dynamic_cast<const TransformerModel&>(*model).plan();
    if (*refusal != '\0') {
      expect_error(ErrorCode::kData, {"cannot be written as GGUF", refusal},
                   [&] { gguf_metadata(plan); });
      continue;
    }
    const TempDir place;
    const GgufSummary summary = write_gguf_model(place / "m.gguf", *model, *small_tokenizer(), "",
                                                 {.type = GgmlType::kF32, .name = name});
    EXPECT_EQ(summary.notes, std::vector<std::string>());
    const auto again = load_model(place / "m.gguf", {});
    const at::Tensor wanted = logits_of(*model);
    test::expect_close(logits_of(*again), wanted, 1e-6 * test::largest(wanted), name);
  }
}

TEST(GgufModel, NamesGoBothWays) {
  for (const fs::path& directory : golden_models()) {
    const auto model = load_model(directory, {});
    const auto& plan = dynamic_cast<const TransformerModel&>(*model).plan();
    std::set<std::string> names;
    for (const TensorRule& rule : plan.tensors) {
      const auto there = place_in_gguf(plan.facts.model_type, rule.file_name);
      ASSERT_TRUE(there.has_value()) << rule.file_name;
      names.insert(there->name);
      const auto back = place_of_gguf(plan.facts.model_type, there->name);
      ASSERT_TRUE(back.has_value()) << there->name;
      EXPECT_EQ(back->name, rule.file_name);
      EXPECT_EQ(back->transposed, there->transposed);
    }
    EXPECT_TRUE(names.contains("blk.1.ffn_down.weight"));
  }
  EXPECT_EQ(place_in_gguf("llama", "model.layers.12.self_attn.k_proj.bias")->name,
            "blk.12.attn_k.bias");
  EXPECT_EQ(place_in_gguf("llama", "model.layers.x.self_attn.k_proj.bias"), std::nullopt);
  EXPECT_EQ(place_of_gguf("llama", "rope_freqs.weight"), std::nullopt);
  EXPECT_FALSE(has_gguf_layout("bert"));
}

TEST(GgufModel, RowsOfHeadsChangeTheirOrder) {
  // Two heads of four rows: 0 1 2 3 are turned as (0, 2), (1, 3).
  const at::Tensor rows = at::arange(8, at::kFloat).view({8, 1});
  const at::Tensor there = neighbouring_rows(rows, 2);
  const std::vector<float> expected = {0, 2, 1, 3, 4, 6, 5, 7};
  for (std::int64_t i = 0; i < 8; ++i) {
    EXPECT_EQ(there[i].item<float>(), expected[static_cast<std::size_t>(i)]);
  }
  const at::Tensor many = at::randn({24, 5});
  EXPECT_TRUE(halved_rows(neighbouring_rows(many, 3), 3).equal(many));
  const at::Tensor bias = at::randn({24});
  EXPECT_TRUE(halved_rows(neighbouring_rows(bias, 2), 2).equal(bias));
}

/// The file of golden "llama" with other metadata and tensors; `change` gets both.
fs::path changed(const TempDir& place,
                 const std::function<void(GgufMetadata&, std::vector<GgufTensorSpec>&)>& change) {
  const fs::path directory = test::parity_dir() / "models/llama";
  const fs::path file = place / "good.gguf";
  if (!fs::exists(file)) write(file, directory, *load_model(directory, {}), GgmlType::kF32);
  const GgufFile good(file);
  GgufMetadata metadata = good.metadata();
  std::vector<GgufTensorSpec> specs;
  for (const auto& [name, tensor] : good.tensors()) {
    specs.push_back({name, static_cast<GgmlType>(tensor.type), tensor.shape});
  }
  change(metadata, specs);
  const std::vector<float> zeros(1 << 18);
  write_gguf(place / "changed.gguf", metadata, specs, [&](std::size_t) { return zeros.data(); });
  return place / "changed.gguf";
}

TEST(GgufModel, WhatWouldBeAnotherModelIsRefused) {
  const TempDir place;
  struct Case {
    const char* key;
    std::optional<GgufValue> value;  // nothing: the key is left out
    std::vector<std::string> parts;
  };
  const std::vector<Case> cases = {
      {"general.architecture", GgufValue::string("mamba"), {"mamba", "gpt2"}},
      {"general.architecture", std::nullopt, {"no key 'general.architecture'"}},
      {"llama.block_count", std::nullopt, {"no key 'llama.block_count'"}},
      {"llama.block_count", GgufValue::u32(3), {"missing", "model.layers.2"}},
      {"llama.block_count", GgufValue::string("2"), {"'llama.block_count'", "an integer"}},
      {"llama.embedding_length", GgufValue::u32(0), {"'llama.embedding_length'", "0"}},
      {"llama.feed_forward_length", GgufValue::u32(65), {"mlp", "shape"}},
      {"llama.expert_count", GgufValue::u32(8), {"expert_count", "8"}},
      {"llama.attention.sliding_window", GgufValue::u32(8), {"sliding_window"}},
      {"llama.logit_scale", GgufValue::f32(0.5), {"logit_scale", "0.5"}},
      {"llama.rope.dimension_count", GgufValue::u32(4), {"rope.dimension_count", "8", "4"}},
      {"llama.rope.scaling.type", GgufValue::string("longrope"), {"longrope", "yarn"}},
      {"llama.attention.head_count", GgufValue::u32(3), {"num_attention_heads", "got 3"}},
      {"split.count", GgufValue::u32(2), {"several files", "--merge"}},
  };
  for (const Case& fault : cases) {
    SCOPED_TRACE(fault.key);
    const fs::path file = changed(place, [&](GgufMetadata& metadata, auto&) {
      std::erase_if(metadata, [&](const auto& entry) { return entry.first == fault.key; });
      if (fault.value) metadata.emplace_back(fault.key, *fault.value);
      if (fault.key == std::string("llama.rope.scaling.type")) {
        metadata.emplace_back("llama.rope.scaling.factor", GgufValue::f32(2));
      }
    });
    std::vector<std::string> parts = fault.parts;
    parts.emplace_back("changed.gguf");
    expect_error(ErrorCode::kData, parts, [&] { load_model(file, {}); });
  }
  const fs::path other = changed(place, [](auto&, auto& specs) {
    for (auto& spec : specs) {
      if (spec.name == "blk.0.attn_norm.weight") spec.name = "blk.0.attn_norm_2.weight";
    }
  });
  expect_error(ErrorCode::kData, {"input_layernorm", "blk.0.attn_norm_2.weight"},
               [&] { load_model(other, {}); });
  const fs::path factors = changed(place, [](auto&, auto& specs) {
    specs.insert(specs.begin(), {"rope_freqs.weight", GgmlType::kF32, {4}});
  });
  expect_error(ErrorCode::kData, {"rope_freqs.weight", "Llama 3"},
               [&] { load_model(factors, {}); });
}

TEST(GgufModel, TypesThatAreNotReadAreNamed) {
  const TempDir place;
  const fs::path file = changed(place, [](auto&, auto&) {});
  std::string bytes = test::slurp(file);
  // Behind the name: two extents and their number.
  const auto type_at = [&](const std::string& name) { return bytes.find(name) + name.size() + 20; };
  // Q5_0, which has fewer bytes: the tensors behind it would not lie where they are said to.
  const std::uint32_t type = 6;
  std::memcpy(bytes.data() + type_at("blk.0.attn_k.weight"), &type, sizeof type);
  expect_error(ErrorCode::kData, {"tensor", "offset"},
               [&] { GgufFile{place.write("odd.gguf", bytes)}; });
  // The last one is read as far as that it can be named.
  bytes = test::slurp(file);
  std::memcpy(bytes.data() + type_at("token_embd.weight"), &type, sizeof type);
  expect_error(ErrorCode::kData, {"token_embd.weight", "Q5_0", "not read", "Q8_0"},
               [&] { load_model(place.write("odd.gguf", bytes), {}); });
}

TEST(GgufModel, ModelsOfOtherKindsAreRefused) {
  const TempDir place;
  for (const char* name : {"bert_mlm", "marian", "t5"}) {
    const fs::path directory = test::parity_dir() / "models" / name;
    if (!fs::exists(directory)) continue;
    const auto model = load_model(directory, {});
    expect_error(ErrorCode::kData, {"cannot be written as GGUF", model->facts().model_type}, [&] {
      write_gguf_model(place / "m.gguf", *model, *small_tokenizer(), "", {.name = "x"});
    });
  }
  ModelRequest classes;
  classes.head = HeadKind::kSequenceClassification;
  classes.labels = {"a", "b"};
  const auto classifier = load_model(test::parity_dir() / "models/llama", classes);
  expect_error(ErrorCode::kData, {"no language model"}, [&] {
    write_gguf_model(place / "m.gguf", *classifier, *small_tokenizer(), "", {.name = "x"});
  });
  EXPECT_TRUE(fs::is_empty(place.path()));
}

TEST(GgufModel, ValuesThatATypeCannotHoldAreRefused) {
  const c10::AutoGradMode no_grad(false);
  const fs::path directory = test::parity_dir() / "models/llama";
  const auto model = load_model(directory, {});
  at::Tensor table = model->word_embeddings();
  table[3][5].fill_(1e9);
  const TempDir place;
  for (const GgmlType type : {GgmlType::kF16, GgmlType::kQ8_0}) {
    expect_error(ErrorCode::kData, {"token_embd.weight", "beyond"},
                 [&] { write(place / "m.gguf", directory, *model, type); });
  }
  EXPECT_TRUE(fs::is_empty(place.path()));
  write(place / "m.gguf", directory, *model, GgmlType::kBF16);
}

TEST(GgufModel, TheVocabularyFillsUpAndEnds) {
  GgmlVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.tokens = {"<unk>", "<s>", "</s>", "[PAD3]"};
  vocabulary.scores = {0, 0, 0, -1};
  vocabulary.types = {2, 3, 3, 1};
  vocabulary.special.eos = 2;
  std::vector<std::string> notes;
  const GgufMetadata metadata = vocabulary_metadata(vocabulary, 6, {2, 3, 1, 0}, notes);
  const auto value = [&](const std::string& key) {
    const auto found = std::find_if(metadata.begin(), metadata.end(), [&](const auto& entry) {
      return entry.first == "tokenizer.ggml." + key;
    });
    return found == metadata.end() ? std::optional<GgufValue>() : found->second;
  };
  EXPECT_EQ(std::get<std::vector<std::string>>(value("tokens")->content).back(), "[PAD5]");
  EXPECT_EQ(std::get<std::vector<std::int64_t>>(value("token_type")->content),
            (std::vector<std::int64_t>{2, 3, 3, 1, 5, 5}));
  EXPECT_EQ(std::get<std::int64_t>(value("eos_token_id")->content), 2);
  EXPECT_EQ(std::get<std::int64_t>(value("eot_token_id")->content), 3);
  EXPECT_EQ(std::get<std::int64_t>(value("eom_token_id")->content), 1);
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_NE(notes[0].find("ends a text, 0"), std::string::npos);
  expect_error(ErrorCode::kData, {"3 embeddings", "4 tokens"},
               [&] { vocabulary_metadata(vocabulary, 3, {}, notes); });
  vocabulary.special.eos.reset();
  expect_error(ErrorCode::kData, {"ends a text", "eos_token_id"},
               [&] { vocabulary_metadata(vocabulary, 6, {}, notes); });
}

}  // namespace
}  // namespace llmctl
