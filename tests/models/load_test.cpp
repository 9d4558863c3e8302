// Model directories: written and read back, renamed, incomplete, refused.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "base/log.h"
#include "io/safetensors.h"
#include "model_files.h"
#include "models/lora.h"
#include "models/tensor_file.h"
#include "support/temp_dir.h"
#include "support/torch_archive.h"
#include "tiny_models.h"

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
namespace fs = std::filesystem;

TEST(LoadModel, ReadsBackWhatWasSaved) {
  for (const auto& kind : test::all_kinds()) {
    ModelRequest request;
    request.head = kind.head;
    request.labels = {"x", "y", "z"};
    const TempDir directory;
    const auto model = saved(directory, kind.type, request);
    SCOPED_TRACE(model->facts().architecture);
    LoadReport report;
    const auto loaded = load_model(directory.path(), {}, Json::object(), &report);
    expect_equal(*model, *loaded);
    EXPECT_EQ(loaded->facts().architecture, model->facts().architecture);
    if (kind.head == HeadKind::kSequenceClassification ||
        kind.head == HeadKind::kTokenClassification) {
      EXPECT_EQ(loaded->facts().labels, model->facts().labels);
    }
    EXPECT_TRUE(report.missing.empty() && report.unexpected.empty() && report.initialized.empty());
    EXPECT_EQ(fs::exists(directory / "generation_config.json"),
              kind.head == HeadKind::kCausalLm || kind.head == HeadKind::kSeq2SeqLm);
    // Saved again, the files are the same.
    const TempDir second;
    loaded->save(second.path());
    for (const char* file : {"config.json", "model.safetensors"}) {
      EXPECT_EQ(test::slurp(directory / file), test::slurp(second / file)) << file;
    }
  }
}

TEST(LoadModel, ConvertsDtypes) {
  const TempDir directory;
  const auto model = create(tiny_section("llama"));
  for (const auto& [dtype, text] : {std::pair{at::kBFloat16, "bfloat16"}, {at::kHalf, "float16"}}) {
    model->save(directory.path(), dtype);
    EXPECT_EQ(load_json(directory / "config.json").at("torch_dtype"), text);
    const auto loaded = load_model(directory.path(), {});
    const auto before = model->parameters(), after = loaded->parameters();
    for (std::size_t i = 0; i < before.size(); ++i) {
      EXPECT_EQ(after[i].second.scalar_type(), at::kFloat);
      EXPECT_TRUE(
          after[i].second.to(test::device()).equal(before[i].second.to(dtype).to(at::kFloat)));
    }
    ModelRequest request;
    request.dtype = dtype;
    EXPECT_EQ(load_model(directory.path(), request)->parameters()[0].second.scalar_type(), dtype);
  }
}

TEST(CreateModel, PositionsStartAsSinusoidsWhereAsked) {
  Json section = tiny_section("bert");
  const auto positions = [&] {
    for (const auto& [name, tensor] : create(section)->parameters()) {
      if (name == "bert.embeddings.position_embeddings.weight") return tensor.detach().to(at::kCPU);
    }
    return at::Tensor();
  };
  const at::Tensor noise = positions();
  section["sinusoidal_pos_embds"] = true;
  const at::Tensor sinusoids = positions();
  ASSERT_TRUE(noise.defined() && sinusoids.defined());
  EXPECT_NE(noise[0][0].item<double>(), 0);
  // sin 0 and cos 0
  EXPECT_EQ(sinusoids[0][0].item<double>(), 0);
  EXPECT_NEAR(sinusoids[0][1].item<double>(), 2 * std::sqrt(2.0) * 0.3, 1e-6);
}

TEST(LoadModel, KeepsWhatItDoesNotKnow) {
  const TempDir directory, second;
  saved(directory, "llama");
  edit_config(directory.path(), [](Json& config) {
    config["my_note"] = {{"a", {1, 2}}};
    config["transformers_version"] = "4.40.1";
    config.erase("torch_dtype");
    config["dtype"] = "float32";
  });
  std::ofstream(directory / "generation_config.json")
      << R"({"temperature": 0.6, "eos_token_id": [1, 2], "transformers_version": "4.1.0"})";
  const auto model = load_model(directory.path(), {});
  model->config()["bos_token_id"] = 7;
  model->save(second.path());
  const Json config = load_json(second / "config.json");
  EXPECT_EQ(config.at("my_note").at("a").at(1), 2);
  EXPECT_EQ(config.at("transformers_version"), "4.40.1");
  EXPECT_EQ(config.at("torch_dtype"), "float32");
  EXPECT_FALSE(config.contains("dtype"));
  const Json generation = load_json(second / "generation_config.json");
  EXPECT_EQ(generation.at("temperature"), 0.6);
  EXPECT_EQ(generation.at("eos_token_id"), (Json{1, 2}));
  EXPECT_EQ(generation.at("bos_token_id"), 7);
}

TEST(LoadModel, InitialisesAHeadThatTheFileLacks) {
  const TempDir directory;
  const auto model = saved(directory, "bert");
  ModelRequest request;
  request.head = HeadKind::kSequenceClassification;
  request.labels = {"a", "b", "c"};
  LoadReport report;
  const auto loaded = load_model(directory.path(), request, Json::object(), &report);
  EXPECT_EQ(loaded->facts().architecture, "BertForSequenceClassification");
  EXPECT_EQ(report.initialized,
            (std::vector<std::string>{"bert.pooler.dense.weight", "bert.pooler.dense.bias",
                                      "classifier.weight", "classifier.bias"}));
  EXPECT_EQ(report.missing, report.initialized);
  EXPECT_EQ(report.unexpected.size(), 5u);
  EXPECT_EQ(report.unexpected[0], "cls.predictions.bias");
  std::map<std::string, at::Tensor> before, after;
  for (const auto& [name, tensor] : model->parameters()) before[name] = tensor;
  for (const auto& [name, tensor] : loaded->parameters()) after[name] = tensor;
  const std::string name = "bert.encoder.layer.1.output.dense.weight";
  EXPECT_TRUE(before.at(name).to(at::kCPU).equal(after.at(name)));
  EXPECT_EQ(loaded->config().at("id2label").size(), 3u);
  // The new head depends on the seed alone.
  EXPECT_TRUE(load_model(directory.path(), request)
                  ->parameters()
                  .back()
                  .second.equal(loaded->parameters().back().second));
}

TEST(LoadModel, FindsBodiesUnderOtherPrefixes) {
  const TempDir directory;
  const auto model = saved(directory, "bert");
  rewrite(directory.path(), [](NamedTensors& tensors) {
    for (auto& [name, tensor] : tensors) {
      if (name.starts_with("bert.")) name = name.substr(5);
      for (const auto& [now, before] : {std::pair{"LayerNorm.weight", "LayerNorm.gamma"},
                                        std::pair{"LayerNorm.bias", "LayerNorm.beta"}}) {
        if (name.ends_with(now))
          name = name.substr(0, name.size() - std::string(now).size()) + before;
      }
    }
    tensors.emplace_back("embeddings.position_ids", at::arange(32, at::kLong));
    for (const auto& [name, tensor] : NamedTensors(tensors)) {
      if (name == "embeddings.word_embeddings.weight") {
        tensors.emplace_back("cls.predictions.decoder.weight", tensor);
      }
    }
  });
  LoadReport report;
  expect_equal(*model, *load_model(directory.path(), {}, Json::object(), &report));
  EXPECT_TRUE(report.unexpected.empty()) << report.unexpected.front();

  // A bare body reads the body of a file with a head, and the other way round.
  saved(directory, "llama");
  edit_config(directory.path(), [](Json& config) { config["architectures"] = {"LlamaModel"}; });
  const auto bare = load_model(directory.path(), {});
  EXPECT_EQ(bare->facts().head, HeadKind::kNone);
  const TempDir second;
  bare->save(second.path());
  EXPECT_EQ(read_tensors(second.path()).front().first, "embed_tokens.weight");
  ModelRequest request;
  request.head = HeadKind::kSpan;
  const auto span = load_model(second.path(), request);
  EXPECT_EQ(span->parameters().front().first, "transformer.embed_tokens.weight");
  EXPECT_TRUE(span->parameters().front().second.equal(bare->parameters().front().second));
}

TEST(LoadModel, TiesWhenTheOutputMatrixIsAbsent) {
  const TempDir directory;
  saved(directory, "llama");
  rewrite(directory.path(), [](NamedTensors& tensors) {
    std::erase_if(tensors, [](const auto& entry) { return entry.first == "lm_head.weight"; });
  });
  const auto model = load_model(directory.path(), {});
  EXPECT_EQ(model->config().at("tie_word_embeddings"), true);
  EXPECT_EQ(model->parameters().back().first, "model.norm.weight");
}

TEST(LoadModel, NamesTheTensorAtFault) {
  const TempDir directory;
  const auto refuse = [&](const std::function<void(NamedTensors&)>& change,
                          const std::vector<std::string>& parts) {
    saved(directory, "llama");
    rewrite(directory.path(), change);
    expect_error(ErrorCode::kData, parts, [&] { load_model(directory.path(), {}); });
  };
  const auto at_name = [](NamedTensors& tensors, const std::string& name) -> at::Tensor& {
    for (auto& [known, tensor] : tensors) {
      if (known == name) return tensor;
    }
    throw std::runtime_error("no tensor " + name);
  };
  const std::string query = "model.layers.1.self_attn.q_proj.weight";
  refuse(
      [&](NamedTensors& tensors) {
        std::erase_if(tensors,
                      [](const auto& entry) { return entry.first.find("layers.1.") < 10; });
      },
      {"9 tensors are missing", "model.layers.1.input_layernorm.weight"});
  refuse(
      [&](NamedTensors& tensors) {
        at_name(tensors, query) = at::zeros({16, 8});
      },
      {query, "[16, 8]", "[16, 16]"});
  refuse([&](NamedTensors& tensors) { at_name(tensors, query) = at::zeros({256}); },
         {query, "[256]"});
  refuse(
      [&](NamedTensors& tensors) {
        at_name(tensors, query) = at::zeros({16, 16}, at::kLong);
      },
      {query, "dtype Long"});
}

TEST(LoadModel, RefusesConfigurationsThatItDoesNotCompute) {
  const auto refuse = [](const std::string& type, const std::string& key, const Json& value,
                         const std::vector<std::string>& parts) {
    const TempDir directory;
    saved(directory, type);
    edit_config(directory.path(), [&](Json& config) { config[key] = value; });
    SCOPED_TRACE(key + " " + value.dump());
    expect_error(ErrorCode::kData, parts, [&] { load_model(directory.path(), {}); });
  };
  refuse("bert", "is_decoder", true, {"is_decoder", "true", "config.json"});
  refuse("bert", "position_embedding_type", "relative_key",
         {"position_embedding_type", "relative_key"});
  refuse("bert", "add_cross_attention", true, {"add_cross_attention"});
  refuse("llama", "quantization_config", {{"bits", 4}}, {"quantization_config"});
  refuse("llama", "architectures", {"LlamaForSomethingElse"},
         {"LlamaForSomethingElse", "LlamaForCausalLM"});
  refuse("llama", "architectures", "LlamaForCausalLM", {"architectures", "expected a list"});
  refuse("llama", "model_type", "gpt5", {"gpt5", "llama"});
  refuse("bert", "id2label", {{"0", "a"}, {"2", "b"}}, {"id2label", "none for 1"});
  refuse("bert", "num_labels", -1, {"num_labels"});
  refuse("llama", "hidden_size", 32, {"model.embed_tokens.weight", "[40, 16]", "[40, 32]"});
}

/// The same tensors as model.safetensors has, as torch.save writes them.
std::string as_torch_archive(const NamedTensors& tensors) {
  std::vector<test::TorchTensor> entries;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor values = tensor.contiguous();
    entries.push_back({name, values.sizes().vec(),
                       std::string(static_cast<const char*>(values.const_data_ptr()),
                                   static_cast<std::size_t>(values.numel()) * 4)});
  }
  return test::torch_archive(entries);
}

TEST(LoadModel, ReadsFilesOfTorchSave) {
  const TempDir directory;
  const auto model = saved(directory, "bert");
  const NamedTensors tensors = read_tensors(directory.path());
  fs::remove(directory / "model.safetensors");
  directory.write("pytorch_model.bin", as_torch_archive(tensors));
  expect_equal(*model, *load_model(directory.path(), {}));

  // In two files, by their index.
  fs::remove(directory / "pytorch_model.bin");
  Json places = Json::object();
  std::map<std::string, NamedTensors> shards;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::string shard = i % 2 ? "pytorch_model-2.bin" : "pytorch_model-1.bin";
    places[tensors[i].first] = shard;
    shards[shard].push_back(tensors[i]);
  }
  for (const auto& [name, shard] : shards) directory.write(name, as_torch_archive(shard));
  directory.write("pytorch_model.bin.index.json", Json{{"weight_map", places}}.dump());
  expect_equal(*model, *load_model(directory.path(), {}));
  places[tensors[0].first] = "pytorch_model-2.bin";
  directory.write("pytorch_model.bin.index.json", Json{{"weight_map", places}}.dump());
  expect_error(ErrorCode::kData, {tensors[0].first, "no such tensor in pytorch_model-2.bin"},
               [&] { load_model(directory.path(), {}); });
}

TEST(LoadModel, CarriesThePartsOfAClassThatItDoesNotUse) {
  const TempDir directory, second;
  saved(directory, "bert");
  rewrite(directory.path(), [](NamedTensors& tensors) {
    tensors.emplace_back("bert.pooler.dense.weight", at::full({16, 16}, 0.5));
    tensors.emplace_back("bert.pooler.dense.bias", at::full({16}, 0.25));
    tensors.emplace_back("cls.seq_relationship.weight", at::full({2, 16}, 2.0));
    tensors.emplace_back("cls.seq_relationship.bias", at::full({2}, 3.0));
  });
  edit_config(directory.path(),
              [](Json& config) { config["architectures"] = {"BertForPreTraining"}; });
  LoadReport report;
  const auto model = load_model(directory.path(), {}, Json::object(), &report);
  EXPECT_EQ(model->facts().architecture, "BertForPreTraining");
  EXPECT_TRUE(report.unexpected.empty());
  model->save(second.path());
  EXPECT_EQ(load_json(second / "config.json").at("architectures"), Json{"BertForPreTraining"});
  const auto before = read_tensors(directory.path()), after = read_tensors(second.path());
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].first, after[i].first);
    EXPECT_TRUE(before[i].second.equal(after[i].second)) << before[i].first;
  }
  // A classifier takes the pooler.
  ModelRequest request;
  request.head = HeadKind::kSequenceClassification;
  request.labels = {"a", "b"};
  load_model(directory.path(), request, Json::object(), &report);
  EXPECT_EQ(report.initialized, (std::vector<std::string>{"classifier.weight", "classifier.bias"}));
  // Without them the class is the one that has none.
  saved(directory, "bert");
  edit_config(directory.path(),
              [](Json& config) { config["architectures"] = {"BertForPreTraining"}; });
  EXPECT_EQ(load_model(directory.path(), {})->facts().architecture, "BertForMaskedLM");
}

TEST(LoadModel, AClassifierOfTheMeanIsNoneOfTheFirstToken) {
  const TempDir of_first, of_mean;
  saved(of_first, "bert");
  ModelRequest request;
  request.head = HeadKind::kSequenceClassification;
  request.labels = {"a", "b"};
  load_model(of_first.path(), request)->save(of_first.path());
  LoadReport report;
  const Json mean = {{"classifier_pooling", "mean"}}, first = {{"classifier_pooling", "cls"}};
  const auto model = load_model(of_first.path(), request, mean, &report);
  const std::vector<std::string> output = {"mean_classifier.weight", "mean_classifier.bias"};
  EXPECT_EQ(report.initialized, output);
  EXPECT_EQ(model->facts().architecture, "BertForSequenceClassification");
  model->save(of_mean.path());
  EXPECT_EQ(load_json(of_mean / "config.json").at("classifier_pooling"), "mean");
  expect_equal(*model, *load_model(of_mean.path(), {}, Json::object(), &report));
  EXPECT_TRUE(report.initialized.empty());
  EXPECT_TRUE(report.unexpected.empty());
  load_model(of_mean.path(), request, first, &report);
  EXPECT_EQ(report.initialized,
            (std::vector<std::string>{"bert.pooler.dense.weight", "bert.pooler.dense.bias",
                                      "classifier.weight", "classifier.bias"}));
  EXPECT_EQ(report.unexpected,
            (std::vector<std::string>{"mean_classifier.bias", "mean_classifier.weight"}));
}

TEST(LoadModel, StaysInItsFileWhereThatIsAskedFor) {
  const TempDir directory;
  for (const char* type : {"llama", "gpt2"}) {
    const auto model = saved(directory, type);
    ModelRequest request;
    request.mapped = true;
    expect_equal(*model, *load_model(directory.path(), request));
    // A file of another precision is converted.
    model->save(directory.path(), at::kBFloat16);
    EXPECT_EQ(load_model(directory.path(), request)->parameters()[0].second.scalar_type(),
              at::kFloat);
  }
}

TEST(SaveModel, SpreadsLargeModelsOverFiles) {
  for (const char* type : {"llama", "gpt2"}) {
    const TempDir directory;
    const auto model = create(tiny_section(type));
    model->save(directory.path(), at::kFloat, 6000);
    EXPECT_FALSE(fs::exists(directory / "model.safetensors"));
    const Json index = load_json(directory / "model.safetensors.index.json");
    std::set<std::string> names;
    for (const auto& item : index.at("weight_map").items()) names.insert(item.value());
    EXPECT_GT(names.size(), 2u);
    EXPECT_TRUE(names.contains(concat("model-00001-of-0000", names.size(), ".safetensors")));
    for (const auto& name : names) EXPECT_LT(fs::file_size(directory / name), 6000u + 2000u);
    expect_equal(*model, *load_model(directory.path(), {}));
    // A smaller model in the same place leaves none of these.
    model->save(directory.path(), at::kFloat);
    EXPECT_TRUE(fs::exists(directory / "model.safetensors"));
    EXPECT_FALSE(fs::exists(directory / "model.safetensors.index.json"));
    EXPECT_FALSE(fs::exists(directory / *names.begin()));
    expect_equal(*model, *load_model(directory.path(), {}));
  }
}

TEST(LoadModel, NamesFormatsThatItDoesNotRead) {
  const TempDir directory;
  directory.write("model-q4.gguf", "GGUF");
  saved(directory, "llama");
  for (const char* method : {"gptq", "awq"}) {
    edit_config(directory.path(), [&](Json& config) {
      config["quantization_config"] = {{"quant_method", method}, {"bits", 4}};
    });
    expect_error(
        ErrorCode::kData,
        {"quantization_config", method == std::string("awq") ? "AWQ" : "GPTQ", "made from"},
        [&] { load_model(directory.path(), {}); });
  }
  saved(directory, "llama");
  fs::remove(directory / "model.safetensors");
  expect_error(ErrorCode::kData, {"model-q4.gguf"}, [&] { load_model(directory.path(), {}); });
  fs::remove(directory / "model-q4.gguf");
  directory.write("tf_model.h5", "x");
  expect_error(ErrorCode::kData, {"tf_model.h5", "another framework"},
               [&] { load_model(directory.path(), {}); });
}

TEST(LoadModel, MissingFiles) {
  const TempDir directory;
  expect_error(ErrorCode::kMissing, {"config.json"}, [&] { load_model(directory.path(), {}); });
  saved(directory, "llama");
  fs::remove(directory / "model.safetensors");
  expect_error(ErrorCode::kMissing, {"model.safetensors"},
               [&] { load_model(directory.path(), {}); });
}

TEST(LoadModel, OverridesWhatWeightsDoNotDependOn) {
  const TempDir directory;
  saved(directory, "bert");
  const auto model =
      load_model(directory.path(), {}, Json{{"hidden_dropout_prob", 0.0}, {"hidden_size", 16}});
  EXPECT_EQ(model->config().at("hidden_dropout_prob"), 0.0);
  const auto refuse = [&](const Json& overrides, const std::vector<std::string>& parts) {
    expect_error(ErrorCode::kConfig, parts, [&] { load_model(directory.path(), {}, overrides); });
  };
  refuse({{"hidden_size", 32}}, {"model.hidden_size", "16", "32"});
  refuse({{"num_attention_heads", 2}}, {"model.num_attention_heads"});
  refuse({{"model_type", "llama"}}, {"model.model_type", "llama"});
  refuse({{"hidden_dropout", 0.0}}, {"model.hidden_dropout", "did you mean 'hidden_dropout_prob'"});
  refuse({{"hidden_dropout_prob", 2.0}}, {"model.hidden_dropout_prob"});

  const TempDir llama;
  saved(llama, "llama");
  const Json longer = {{"max_position_embeddings", 64},
                       {"rope_scaling", {{"rope_type", "linear"}, {"factor", 2.0}}}};
  EXPECT_EQ(load_model(llama.path(), {}, longer)->facts().max_positions, 64);
}

/// The output matrix of a classifier of BERT's, or of an adapter of one.
at::Tensor output_matrix(const Model& model) {
  const auto parameters = model.parameters();
  const auto& [name, tensor] = parameters[parameters.size() - 2];
  EXPECT_TRUE(name.ends_with("classifier.weight")) << name;
  return tensor.detach().to(at::kCPU);
}

const std::vector<std::string> kFreshOutput = {"classifier.weight", "classifier.bias"};

TEST(LoadModel, FollowsTheNamesOfClasses) {
  const TempDir directory;
  ModelRequest request;
  request.head = HeadKind::kSequenceClassification;
  request.labels = {"bad", "good"};
  const auto model = saved(directory, "bert", request);
  request.labels = {"good", "bad"};
  const auto turned = load_model(directory.path(), request);
  EXPECT_TRUE(output_matrix(*turned)[0].equal(output_matrix(*model)[1]));
  EXPECT_TRUE(output_matrix(*turned)[1].equal(output_matrix(*model)[0]));
  EXPECT_EQ(turned->config().at("id2label").at("0"), "good");
  // Numbers are ids, as data from Hugging Face have them; another count starts afresh.
  request.labels = {"0", "1"};
  EXPECT_TRUE(output_matrix(*load_model(directory.path(), request)).equal(output_matrix(*model)));
  request.labels = {"a", "b", "c"};
  LoadReport report;
  const auto wider = load_model(directory.path(), request, Json::object(), &report);
  EXPECT_EQ(output_matrix(*wider).size(0), 3);
  EXPECT_EQ(report.initialized, kFreshOutput);
}

TEST(LoadModel, AHeadOfOtherNamesStartsAfresh) {
  set_log_level(LogLevel::kInfo);
  for (const HeadKind head : {HeadKind::kSequenceClassification, HeadKind::kTokenClassification}) {
    const TempDir directory;
    ModelRequest request;
    request.head = head;
    request.labels = {"O", "B-PER", "I-PER"};
    const auto model = saved(directory, "bert", request);
    // The same seed would draw the same rows.
    request.seed = 7;
    for (const std::vector<std::string>& labels :
         {std::vector<std::string>{"bad", "fair", "good"}, {"O", "B-LOC", "I-LOC"}}) {
      SCOPED_TRACE(labels[1]);
      request.labels = labels;
      LoadReport report;
      ::testing::internal::CaptureStderr();
      const auto other = load_model(directory.path(), request, Json::object(), &report);
      const std::string told = ::testing::internal::GetCapturedStderr();
      EXPECT_NE(told.find("its classes are O, B-PER, I-PER, not " + labels[0] + ", " + labels[1]),
                std::string::npos)
          << told;
      EXPECT_NE(told.find("lacks classifier.weight, classifier.bias: initialised afresh"),
                std::string::npos)
          << told;
      EXPECT_EQ(report.initialized, kFreshOutput);
      EXPECT_TRUE(report.unexpected.empty());
      EXPECT_FALSE(output_matrix(*other).equal(output_matrix(*model)));
      EXPECT_EQ(other->config().at("id2label").at("1"), labels[1]);
    }
  }
}

TEST(LoadModel, AHeadOfClassesWithoutNamesIsKept) {
  const auto expect_kept = [](const ModelRequest& made, ModelRequest request,
                              const std::vector<std::string>& left_out = {}) {
    const TempDir directory;
    const auto model = saved(directory, "bert", made);
    edit_config(directory.path(), [&](Json& config) {
      for (const std::string& key : left_out) config.erase(key);
    });
    request.head = made.head;
    request.seed = 7;
    LoadReport report;
    const auto loaded = load_model(directory.path(), request, Json::object(), &report);
    EXPECT_TRUE(report.initialized.empty());
    EXPECT_TRUE(output_matrix(*loaded).equal(output_matrix(*model)));
  };
  ModelRequest made, request;
  request.labels = {"bad", "good"};
  for (const HeadKind head : {HeadKind::kSequenceClassification, HeadKind::kTokenClassification}) {
    made.head = head;
    for (const std::vector<std::string>& labels :
         {std::vector<std::string>{"LABEL_0", "LABEL_1"}, {"0", "1"}}) {
      made.labels = labels;
      expect_kept(made, request);
    }
    // transformers leaves the names out where there are two classes without.
    expect_kept(made, request, {"id2label", "label2id"});
  }
  // The one output of a regression has no name, whatever it is called.
  made.head = HeadKind::kSequenceClassification;
  made.labels = {"score"};
  made.problem_type = request.problem_type = ProblemType::kRegression;
  request.labels = {"LABEL_0"};
  expect_kept(made, request);
}

TEST(LoadModel, FollowsTheNamesOfAnAdaptersClasses) {
  const TempDir base, adapter;
  ModelRequest request;
  request.head = HeadKind::kSequenceClassification;
  request.labels = {"x", "y"};
  saved(base, "bert", request);
  request.labels = {"bad", "good"};
  request.seed = 7;
  const auto model = load_model(base.path(), request);
  const Json section = {{"r", 2}, {"target_modules", {"query"}}};
  const ConfigNode node(&section, "lora", nullptr);
  LoraConfig config;
  read_config(node, config);
  model->add_lora(config, node, base.path(), 5);
  model->save(adapter.path());
  LoadReport report;
  const auto used = load_model(adapter.path(), {}, Json::object(), &report);
  EXPECT_TRUE(report.initialized.empty());
  EXPECT_TRUE(output_matrix(*used).equal(output_matrix(*model)));

  // Trained further.
  request.train_adapter = true;
  request.seed = 8;
  const auto train = [&](const std::vector<std::string>& labels) {
    request.labels = labels;
    auto trained = load_model(adapter.path(), request, Json::object(), &report);
    EXPECT_EQ(trained->config().at("id2label").at("0"), labels[0]);
    const auto maps = model->parameters().front(), same = trained->parameters().front();
    EXPECT_NE(maps.first.find("lora_A"), std::string::npos) << maps.first;
    EXPECT_TRUE(maps.second.equal(same.second));
    return output_matrix(*trained);
  };
  EXPECT_TRUE(train({"bad", "good"}).equal(output_matrix(*model)));
  const at::Tensor turned = train({"good", "bad"});
  EXPECT_TRUE(turned[0].equal(output_matrix(*model)[1]));
  EXPECT_TRUE(turned[1].equal(output_matrix(*model)[0]));
  EXPECT_TRUE(report.initialized.empty());
  EXPECT_FALSE(train({"x", "y"}).equal(output_matrix(*model)));
  EXPECT_EQ(report.initialized, kFreshOutput);
  EXPECT_EQ(train({"a", "b", "c"}).size(0), 3);
  EXPECT_EQ(report.initialized, kFreshOutput);
}

}  // namespace
}  // namespace llmctl
