// Checkpoints as they occur in practice: every tensor is used, or said not to be.
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/log.h"
#include "io/safetensors.h"
#include "model_files.h"
#include "models/lora.h"

namespace llmctl {
namespace {

using test::create;
using test::edit_config;
using test::expect_equal;
using test::expect_error;
using test::NamedTensors;
using test::read_tensors;
using test::rewrite;
using test::saved;
using test::TempDir;
using test::tiny_section;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

/// What `action` logs.
template <class Action>
std::string said(const Action& action) {
  set_log_level(LogLevel::kInfo);
  ::testing::internal::CaptureStderr();
  action();
  return ::testing::internal::GetCapturedStderr();
}

std::map<std::string, at::Tensor> by_name(const fs::path& directory) {
  const NamedTensors tensors = read_tensors(directory);
  return {tensors.begin(), tensors.end()};
}

at::Tensor logits_of(Model& model) {
  Sequence input;
  input.ids = at::arange(1, 13, at::kLong).view({2, 6}).to(test::device());
  const at::Tensor hidden = test::hidden_of(model, input);
  return model.head(hidden.reshape({-1, hidden.size(-1)}), {}).detach().to(at::kCPU);
}

struct Tied {
  const char *type, *table, *matrix;
};
constexpr Tied kTied[] = {
    {"llama", "model.embed_tokens.weight", "lm_head.weight"},
    {"qwen2", "model.embed_tokens.weight", "lm_head.weight"},
    {"qwen3", "model.embed_tokens.weight", "lm_head.weight"},
    {"gpt2", "transformer.wte.weight", "lm_head.weight"},
    {"bert", "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"},
    {"roberta", "roberta.embeddings.word_embeddings.weight", "lm_head.decoder.weight"},
    {"marian", "model.shared.weight", "lm_head.weight"},
    {"t5", "shared.weight", "lm_head.weight"}};

/// A model of the type with tied embeddings, in a directory.
std::unique_ptr<Model> save_tied(const TempDir& directory, const char* type) {
  Json section = tiny_section(type);
  section["tie_word_embeddings"] = true;
  auto model = create(section);
  model->save(directory.path());
  return model;
}

TEST(OddCheckpoints, OwnOutputMatrixBesideATiedConfigurationCounts) {
  for (const Tied& kind : kTied) {
    SCOPED_TRACE(kind.type);
    const TempDir directory, again;
    const auto tied = save_tied(directory, kind.type);
    const at::Tensor own = by_name(directory.path()).at(kind.table) * 2;
    rewrite(directory.path(),
            [&](NamedTensors& tensors) { tensors.emplace_back(kind.matrix, own); });
    std::unique_ptr<Model> model;
    EXPECT_THAT(said([&] { model = load_model(directory.path(), {}); }), HasSubstr(kind.matrix));
    model->to(test::device());
    // Nothing else than the matrix has changed: what T5 scales, it scales still.
    EXPECT_TRUE(logits_of(*model).equal(logits_of(*tied) * 2));
    EXPECT_EQ(model->config().at("tie_word_embeddings"), false);
    // Saved, it stays what it is.
    model->save(again.path());
    EXPECT_TRUE(by_name(again.path()).at(kind.matrix).equal(own));
    const auto reloaded = load_model(again.path(), {});
    reloaded->to(test::device());
    EXPECT_TRUE(logits_of(*reloaded).equal(logits_of(*model)));
  }
}

TEST(OddCheckpoints, MatrixThatIsTheTableIsTied) {
  for (const Tied& kind : kTied) {
    SCOPED_TRACE(kind.type);
    const TempDir directory;
    const auto tied = save_tied(directory, kind.type);
    rewrite(directory.path(), [&](NamedTensors& tensors) {
      const auto table = std::find_if(tensors.begin(), tensors.end(),
                                      [&](const auto& entry) { return entry.first == kind.table; });
      tensors.emplace_back(kind.matrix, at::Tensor(table->second));
    });
    LoadReport report;
    const auto model = load_model(directory.path(), {}, Json::object(), &report);
    expect_equal(*tied, *model);
    EXPECT_THAT(report.unexpected, ElementsAre());
    // Of two names for one tensor, some tools keep the matrix alone.
    rewrite(directory.path(), [&](NamedTensors& tensors) {
      std::erase_if(tensors, [&](const auto& entry) { return entry.first == kind.table; });
    });
    expect_equal(*tied, *load_model(directory.path(), {}));
  }
}

TEST(OddCheckpoints, SecondNamesOfTensors) {
  const TempDir directory;
  // The masked LM's bias under its second name alone.
  const auto bert = saved(directory, "bert");
  const auto rename = [](NamedTensors& tensors, const std::string& from, const std::string& to) {
    for (auto& [name, tensor] : tensors) {
      if (name == from) name = to;
    }
  };
  rewrite(directory.path(), [&](NamedTensors& tensors) {
    rename(tensors, "cls.predictions.bias", "cls.predictions.decoder.bias");
    for (auto& [name, tensor] : tensors) {
      if (name == "cls.predictions.decoder.bias") tensor = at::full({40}, 0.5);
    }
  });
  LoadReport report;
  const auto model = load_model(directory.path(), {}, Json::object(), &report);
  EXPECT_THAT(report.initialized, ElementsAre());
  model->save(directory.path());
  EXPECT_TRUE(by_name(directory.path()).at("cls.predictions.bias").equal(at::full({40}, 0.5)));
  // Where the two differ the class computes with the second.
  rewrite(directory.path(), [](NamedTensors& tensors) {
    tensors.emplace_back("cls.predictions.decoder.bias", at::full({40}, 2.0));
  });
  EXPECT_THAT(said([&] { load_model(directory.path(), {})->save(directory.path()); }),
              HasSubstr("cls.predictions.decoder.bias is used"));
  EXPECT_TRUE(by_name(directory.path()).at("cls.predictions.bias").equal(at::full({40}, 2.0)));
  // Separate embeddings of an encoder are another model.
  saved(directory, "t5");
  rewrite(directory.path(), [](NamedTensors& tensors) {
    tensors.emplace_back("encoder.embed_tokens.weight", at::randn({40, 16}));
  });
  expect_error(ErrorCode::kData, {"encoder.embed_tokens.weight", "differs from shared.weight"},
               [&] { load_model(directory.path(), {}); });
  const auto t5 = saved(directory, "t5");
  rewrite(directory.path(), [&](NamedTensors& tensors) {
    rename(tensors, "shared.weight", "decoder.embed_tokens.weight");
  });
  expect_equal(*t5, *load_model(directory.path(), {}));
}

TEST(OddCheckpoints, NamesOfWrappedModels) {
  for (const char* prefix : {"_orig_mod.", "module.", "module._orig_mod."}) {
    const TempDir directory;
    const auto model = saved(directory, "llama");
    rewrite(directory.path(), [&](NamedTensors& tensors) {
      for (auto& [name, tensor] : tensors) name = prefix + name;
    });
    expect_equal(*model, *load_model(directory.path(), {}));
  }
  const TempDir directory;
  const auto model = saved(directory, "llama");
  rewrite(directory.path(), [](NamedTensors& tensors) {
    for (auto& [name, tensor] : tensors) {
      const std::size_t layer = name.find("self_attn.");
      if (layer != std::string::npos) name.insert(layer, "_checkpoint_wrapped_module.");
    }
  });
  expect_equal(*model, *load_model(directory.path(), {}));
  rewrite(directory.path(), [](NamedTensors& tensors) {
    tensors.emplace_back("_orig_mod.model.norm.weight", at::zeros({16}));
  });
  expect_error(ErrorCode::kData, {"model.norm.weight", "twice", "_orig_mod"},
               [&] { load_model(directory.path(), {}); });
}

TEST(OddCheckpoints, NamesOfTheFileAreShownWhereNothingFits) {
  const TempDir directory;
  saved(directory, "llama");
  rewrite(directory.path(), [](NamedTensors& tensors) {
    for (auto& [name, tensor] : tensors) name = "backbone." + name;
  });
  expect_error(ErrorCode::kData,
               {"model.embed_tokens.weight", "the files have, for example, backbone."},
               [&] { load_model(directory.path(), {}); });
}

TEST(OddCheckpoints, BuffersAreHarmlessAndOthersAreNamed) {
  struct Extra {
    const char *type, *name;
    bool harmless;
  };
  for (const Extra& extra :
       {Extra{"llama", "model.layers.0.self_attn.rotary_emb.inv_freq", true},
        {"gpt2", "transformer.h.0.attn.bias", true},
        {"gpt2", "transformer.h.0.attn.masked_bias", true},
        {"bert", "bert.embeddings.position_ids", true},
        {"roberta", "roberta.embeddings.token_type_ids", true},
        {"marian", "model.encoder.embed_positions.weight", true},
        {"t5", "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight", true},
        {"llama", "model.layers.0.self_attn.q_proj.scales", false},
        {"bert", "bert.pooler.dense.weight", false},
        {"gpt2", "v_head.summary.weight", false}}) {
    SCOPED_TRACE(extra.name);
    const TempDir directory;
    const auto model = saved(directory, extra.type);
    rewrite(directory.path(), [&](NamedTensors& tensors) {
      tensors.emplace_back(extra.name, at::zeros({0, 3}));
    });
    const std::string text = said([&] { expect_equal(*model, *load_model(directory.path(), {})); });
    EXPECT_EQ(text.find(extra.name) == std::string::npos, extra.harmless) << text;
  }
}

TEST(OddCheckpoints, FilesOfOtherMakersAreNamed) {
  const TempDir directory;
  saved(directory, "llama");
  const auto tensors = read_tensors(directory.path());
  for (const auto& [format, maker] : {std::pair{"tf", "TensorFlow"}, {"flax", "Flax"}}) {
    write_tensors(directory / "model.safetensors", tensors, {{"format", format}});
    expect_error(ErrorCode::kData, {"model.safetensors", maker},
                 [&] { load_model(directory.path(), {}); });
  }
  write_tensors(directory / "model.safetensors", tensors, {{"format", "mlx"}});
  EXPECT_NO_THROW(load_model(directory.path(), {}));
  rewrite(directory.path(), [](NamedTensors& all) {
    for (auto& [name, tensor] : all) tensor = at::empty({0});
  });
  expect_error(ErrorCode::kData, {"is empty", "ZeRO-3"}, [&] { load_model(directory.path(), {}); });
}

TEST(OddCheckpoints, DtypesOfTheFilesAreKept) {
  const TempDir directory, kept, cast;
  create(tiny_section("llama"))->save(directory.path(), at::kBFloat16);
  rewrite(directory.path(), [](NamedTensors& tensors) {
    for (auto& [name, tensor] : tensors) {
      if (name.find("norm") != std::string::npos) tensor = tensor.to(at::kFloat) + 1e-4;
    }
  });
  const auto before = by_name(directory.path());
  const auto model = load_model(directory.path(), {});
  EXPECT_EQ(model->stored_dtype(), at::kBFloat16);
  model->save(kept.path(), std::nullopt);
  for (const auto& [name, tensor] : by_name(kept.path())) {
    EXPECT_EQ(tensor.scalar_type(), before.at(name).scalar_type()) << name;
    EXPECT_TRUE(tensor.equal(before.at(name))) << name;
  }
  EXPECT_EQ(load_json(kept / "config.json").at("torch_dtype"), "bfloat16");
  model->save(cast.path(), at::kHalf);
  for (const auto& [name, tensor] : by_name(cast.path())) {
    EXPECT_EQ(tensor.scalar_type(), at::kHalf) << name;
  }
}

TEST(OddCheckpoints, ValuesBeyondADtypeAreRefused) {
  const TempDir directory, output;
  saved(directory, "llama");
  rewrite(directory.path(), [](NamedTensors& tensors) {
    for (auto& [name, tensor] : tensors) {
      if (name == "model.layers.0.mlp.up_proj.weight") tensor[1][2] = 70000.0;
      if (name == "model.norm.weight") tensor[3] = -1e30;
    }
  });
  const auto model = load_model(directory.path(), {});
  expect_error(ErrorCode::kData,
               {"model.layers.0.mlp.up_proj.weight", "2 values", "Half", "1e+30", "bf16"},
               [&] { model->save(output.path(), at::kHalf); });
  EXPECT_NO_THROW(model->save(output.path(), at::kBFloat16));
}

TEST(OddCheckpoints, ClassesAndWhatTheyMean) {
  const auto facts = [](const std::function<void(Json&)>& change, std::int64_t classes,
                        const ModelRequest& request = {}) {
    const TempDir directory;
    ModelRequest made;
    made.head = HeadKind::kSequenceClassification;
    for (std::int64_t i = 0; i < classes; ++i) made.labels.push_back(concat("c", i));
    saved(directory, "bert", made);
    edit_config(directory.path(), change);
    const auto model = load_model(directory.path(), request);
    // What it means is saved with it.
    const TempDir again;
    model->save(again.path());
    EXPECT_EQ(load_model(again.path(), {})->facts().problem_type, model->facts().problem_type);
    return model->facts();
  };
  const auto none = [](Json& config) { config.erase("problem_type"); };
  const auto is = [](const char* name) {
    return [name](Json& config) { config["problem_type"] = name; };
  };
  EXPECT_EQ(facts(none, 3).problem_type, ProblemType::kSingleLabel);
  EXPECT_EQ(facts(none, 1).problem_type, ProblemType::kRegression);
  EXPECT_EQ(facts(is("single_label_classification"), 1).problem_type, ProblemType::kRegression);
  EXPECT_EQ(facts(is("regression"), 2).problem_type, ProblemType::kRegression);
  EXPECT_EQ(facts(is("multi_label_classification"), 3).problem_type, ProblemType::kMultiLabel);
  ModelRequest request;
  request.problem_type = ProblemType::kMultiLabel;
  EXPECT_EQ(facts(none, 3, request).problem_type, ProblemType::kMultiLabel);
  // Other classes are another problem.
  request = {};
  request.labels = {"x", "y", "z"};
  EXPECT_EQ(facts(is("regression"), 1, request).problem_type, ProblemType::kSingleLabel);
  expect_error(ErrorCode::kData, {"problem_type", "ranking"}, [&] { facts(is("ranking"), 2); });
  // The names count where the number contradicts them.
  EXPECT_THAT(
      said([&] { EXPECT_EQ(facts([](Json& config) { config["num_labels"] = 5; }, 3).labels, 3); }),
      HasSubstr("num_labels is 5"));
}

// Adapters.

/// Saves a base and an adapter of it with two maps, and gives the adapter's tensors.
NamedTensors save_adapter(const TempDir& base, const TempDir& adapter, const Json& base_section,
                          const Json& more = Json::object(), const ModelRequest& request = {}) {
  create(base_section, request)->save(base.path());
  const auto model = load_model(base.path(), request);
  Json section = {{"r", 2}, {"target_modules", {"q_proj"}}};
  section.update(more);
  LoraConfig config;
  const ConfigNode node(&section, "lora", nullptr);
  read_config(node, config);
  model->add_lora(config, node, base.path(), 5);
  for (auto& [name, tensor] : model->parameters()) {
    if (name.find("lora_B") != std::string::npos) at::Tensor(tensor).detach().fill_(0.3);
  }
  model->save(adapter.path());
  NamedTensors tensors;
  const test::Golden file(adapter / kAdapterWeights);
  for (const auto& [name, info] : file.file().tensors())
    tensors.emplace_back(name, file[name].clone());
  return tensors;
}

const std::string kPrefix = "base_model.model.";

TEST(OddCheckpoints, NewClassifiersOfSentenceEmbeddingsAreToldOfTheMean) {
  const TempDir directory;
  saved(directory, "bert");
  fs::create_directory(directory / "1_Pooling");
  directory.write("1_Pooling/config.json", R"({"pooling_mode_mean_tokens": true})");
  ModelRequest request;
  request.head = HeadKind::kSequenceClassification;
  request.labels = {"a", "b"};
  const auto load = [&](const Json& overrides) {
    return said([&] { load_model(directory.path(), request, overrides); });
  };
  EXPECT_THAT(load(Json::object()), HasSubstr(R"("classifier_pooling": "mean" in the model)"));
  for (const char* chosen : {"mean", "cls"}) {
    EXPECT_THAT(load({{"classifier_pooling", chosen}}),
                AllOf(HasSubstr("initialised afresh"), Not(HasSubstr("1_Pooling"))));
  }
  directory.write("1_Pooling/config.json", R"({"pooling_mode_cls_token": true})");
  EXPECT_THAT(load(Json::object()), Not(HasSubstr("1_Pooling")));
}

TEST(OddAdapters, ResizedEmbeddingsAreUsed) {
  const TempDir base, adapter;
  NamedTensors tensors = save_adapter(base, adapter, tiny_section("llama"));
  const at::Tensor table = at::randn({44, 16}), matrix = at::randn({44, 16});
  tensors.emplace_back(kPrefix + "model.embed_tokens.weight", table);
  tensors.emplace_back(kPrefix + "lm_head.weight", matrix);
  write_tensors(adapter / kAdapterWeights, tensors);
  const auto model = load_model(adapter.path(), {});
  EXPECT_EQ(model->facts().vocab_size, 44);
  const TempDir merged;
  model->save(merged.path());
  EXPECT_TRUE(by_name(merged.path()).at("model.embed_tokens.weight").equal(table));
  EXPECT_TRUE(by_name(merged.path()).at("lm_head.weight").equal(matrix));
  EXPECT_EQ(load_json(merged / "config.json").at("vocab_size"), 44);
  // Training it further would lose them.
  ModelRequest train;
  train.train_adapter = true;
  expect_error(ErrorCode::kData, {"lm_head.weight", "modules_to_save", "export"},
               [&] { load_model(adapter.path(), train); });
}

TEST(OddAdapters, TensorsWithoutAPartAreRefused) {
  for (const char* name : {"model.layers.0.self_attn.v_proj.lora_A.weight", "lm_head.lora_A.weight",
                           "model.embed_tokens.lora_embedding_A", "classifier.weight",
                           "model.layers.7.mlp.up_proj.weight"}) {
    const TempDir base, adapter;
    NamedTensors tensors = save_adapter(base, adapter, tiny_section("llama"));
    tensors.emplace_back(kPrefix + name, at::zeros({2, 16}));
    write_tensors(adapter / kAdapterWeights, tensors);
    expect_error(ErrorCode::kData, {name, "no part"}, [&] { load_model(adapter.path(), {}); });
  }
}

TEST(OddAdapters, NamesOfRawStateDictionaries) {
  const TempDir base, adapter;
  ModelRequest classes;
  classes.head = HeadKind::kSequenceClassification;
  classes.labels = {"a", "b", "c"};
  NamedTensors tensors =
      save_adapter(base, adapter, tiny_section("llama"), Json::object(), classes);
  const auto wanted = load_model(adapter.path(), {});
  for (auto& [name, tensor] : tensors) {
    for (const auto& [plain, raw] :
         {std::pair{std::string("lora_A.weight"), std::string("lora_A.default.weight")},
          {"lora_B.weight", "lora_B.default.weight"},
          {"score.weight", "score.modules_to_save.default.weight"}}) {
      const std::size_t at = name.find(plain);
      if (at != std::string::npos) name.replace(at, plain.size(), raw);
    }
  }
  tensors.emplace_back(kPrefix + "score.original_module.weight", at::zeros({3, 16}));
  write_tensors(adapter / kAdapterWeights, tensors, {{"labels", R"(["a","b","c"])"}});
  expect_equal(*wanted, *load_model(adapter.path(), {}));
  // PEFT keeps no names of classes: their number is that of the head's rows.
  create(tiny_section("llama"))->save(base.path());
  write_tensors(adapter / kAdapterWeights, tensors);
  LoadReport report;
  const auto numbered = load_model(adapter.path(), {}, Json::object(), &report);
  EXPECT_EQ(numbered->facts().labels, 3);
  EXPECT_EQ(numbered->config().at("id2label").at("2"), "LABEL_2");
  EXPECT_THAT(report.initialized, ElementsAre());
  // Beside the adapter a configuration may name them.
  fs::copy_file(base / "config.json", adapter / "config.json");
  edit_config(adapter.path(), [](Json& config) {
    config["id2label"] = {{"0", "bad"}, {"1", "fair"}, {"2", "good"}};
  });
  EXPECT_TRUE(is_adapter_directory(adapter.path()));
  EXPECT_EQ(load_model(adapter.path(), {})->config().at("id2label").at("2"), "good");
}

TEST(OddAdapters, EmbeddingsSavedWholeBesideATiedMatrix) {
  Json section = tiny_section("llama");
  section["tie_word_embeddings"] = true;
  const TempDir base, adapter, merged;
  const Json more = {{"modules_to_save", {"embed_tokens"}}};
  NamedTensors tensors = save_adapter(base, adapter, section, more);
  const std::string table = kPrefix + "model.embed_tokens.weight";
  // Trained tied here, and so that PEFT takes it likewise.
  EXPECT_TRUE(std::any_of(tensors.begin(), tensors.end(), [](const auto& entry) {
    return entry.first == kPrefix + "lm_head.weight";
  }));
  EXPECT_EQ(load_model(adapter.path(), {})->config().at("tie_word_embeddings"), true);
  // PEFT trains them beside the matrix, which stays the base's.
  const at::Tensor trained = at::randn({40, 16});
  std::erase_if(tensors,
                [](const auto& entry) { return entry.first == kPrefix + "lm_head.weight"; });
  for (auto& [name, tensor] : tensors) {
    if (name == table) tensor = trained;
  }
  write_tensors(adapter / kAdapterWeights, tensors);
  load_model(adapter.path(), {})->save(merged.path());
  const auto after = by_name(merged.path()), before = by_name(base.path());
  EXPECT_TRUE(after.at("model.embed_tokens.weight").equal(trained));
  EXPECT_TRUE(after.at("lm_head.weight").equal(before.at("model.embed_tokens.weight")));
}

TEST(OddAdapters, MergedInSinglePrecision) {
  // Many steps below half a unit of bf16's last place each: rounded first, they are nothing.
  const TempDir base, adapter, merged;
  create(tiny_section("llama"))->save(base.path(), at::kBFloat16);
  NamedTensors tensors = save_adapter(base, adapter, tiny_section("llama"));
  create(tiny_section("llama"))->save(base.path(), at::kBFloat16);
  const std::string query = "model.layers.0.self_attn.q_proj.weight";
  std::map<std::string, at::Tensor> maps(tensors.begin(), tensors.end());
  const at::Tensor a = maps.at(kPrefix + "model.layers.0.self_attn.q_proj.lora_A.weight"),
                   b = maps.at(kPrefix + "model.layers.0.self_attn.q_proj.lora_B.weight");
  const at::Tensor before = by_name(base.path()).at(query).to(at::kFloat);
  const at::Tensor exact = before + b.matmul(a) * 4;  // lora_alpha / r
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    ModelRequest request;
    request.dtype = dtype;
    const auto model = load_model(adapter.path(), request);
    model->save(merged.path(), std::nullopt);
    const at::Tensor got = by_name(merged.path()).at(query);
    EXPECT_EQ(got.scalar_type(), at::kBFloat16);
    EXPECT_TRUE(got.equal(exact.to(at::kBFloat16)));
  }
}

TEST(OddAdapters, BaseThatHasMoved) {
  const TempDir adapter;
  adapter.write(kAdapterConfig, R"({"peft_type": "LORA", "target_modules": ["q_proj"],
                                    "base_model_name_or_path": "/data/models/llama-tiny"})");
  expect_error(ErrorCode::kMissing,
               {"adapter_config.json", "base_model_name_or_path", "/data/models/llama-tiny"},
               [&] { load_model(adapter.path(), {}); });
}

}  // namespace
}  // namespace llmctl
