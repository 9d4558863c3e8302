// Models with integers for matrices: how far their logits are from fp32 ones, and that a directory
// keeps them.
#include "models/quantization.h"

#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/files.h"
#include "models/weight_files.h"
#include "support/temp_dir.h"
#include "tiny_models.h"

namespace llmctl {
namespace {

/// Wide enough for groups of 32 and 64 inputs.
Json wide_section(const std::string& type) {
  Json section = test::tiny_section(type);
  for (const char* key : {"hidden_size", "n_embd", "d_model"}) {
    if (section.contains(key)) section[key] = 64;
  }
  for (const char* key : {"intermediate_size", "d_ff", "encoder_ffn_dim", "decoder_ffn_dim"}) {
    if (section.contains(key)) section[key] = 96;
  }
  if (section.contains("d_kv")) section["d_kv"] = 16;
  section["vocab_size"] = 40;
  for (const char* key : {"initializer_range", "init_std"}) {
    if (section.contains(key)) section[key] = 0.1;
  }
  return section;
}

std::unique_ptr<Model> make(const std::string& type) {
  static std::vector<Json> kept;  // a node looks at its section
  kept.push_back(wide_section(type));
  return create_model(ConfigNode(&kept.back(), "model", nullptr), 40, {});
}

at::Tensor logits(Model& model) {
  const c10::AutoGradMode no_grad(false);
  seed_generator(at::kCPU, 11);
  Sequence input;
  input.ids = at::randint(40, {2, 12}, at::kLong);
  Context context;
  Memory memory;
  if (model.facts().encoder_decoder) {
    memory.states = model.encode(input, context);
    context.memory = &memory;
  }
  const at::Tensor hidden = model.hidden(input, context);
  return model.head(hidden.reshape({-1, hidden.size(2)}), context);
}

double error_of(const at::Tensor& logits, const at::Tensor& exact) {
  return ((logits - exact).norm() / exact.norm()).item<double>();
}

class QuantizedModel : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {};

INSTANTIATE_TEST_SUITE_P(
    Types, QuantizedModel,
    ::testing::Combine(::testing::Values("llama", "qwen3", "gpt2", "bert", "marian", "t5"),
                       ::testing::Values("int8", "int4")),
    [](const auto& test) { return std::get<0>(test.param) + "_" + std::get<1>(test.param); });

TEST_P(QuantizedModel, LogitsAreNearAndADirectoryKeepsThem) {
  const auto& [type, name] = GetParam();
  const auto model = make(type);
  const at::Tensor exact = logits(*model);
  const std::int64_t parameters = model->parameter_count();
  const Quantization quantization = *parse_quantization(name);
  model->quantize(quantization);
  const at::Tensor got = logits(*model);
  EXPECT_FALSE(got.equal(exact));
  EXPECT_LE(error_of(got, exact), name == "int8" ? 0.04 : 0.25);
  EXPECT_EQ(model->parameter_count(), parameters);

  const test::TempDir directory;
  model->save(directory.path());
  const Json config = load_json(directory.path() / "config.json");
  EXPECT_EQ(config["quantization_config"], quantization_json(quantization));
  EXPECT_LE(fs::file_size(directory.path() / "model.safetensors"),
            model->file_bytes(at::kFloat) + 32768);
  for (const bool mapped : {false, true}) {
    ModelRequest request;
    request.mapped = mapped;
    LoadReport report;
    const auto loaded = load_model(directory.path(), request, Json::object(), &report);
    EXPECT_TRUE(report.unexpected.empty() && report.missing.empty());
    EXPECT_EQ(loaded->quantization(), quantization);
    EXPECT_EQ(loaded->parameter_count(), parameters);
    EXPECT_TRUE(logits(*loaded).equal(got)) << "mapped: " << mapped;
    // As often as it is written and read.
    const test::TempDir again;
    loaded->save(again.path());
    EXPECT_EQ(read_file(again.path() / "model.safetensors"),
              read_file(directory.path() / "model.safetensors"));
  }
}

TEST(Quantization, KeepsTensorsUnderTheDocumentedNames) {
  const auto model = make("llama");
  model->quantize(*parse_quantization("int4"));
  const test::TempDir directory;
  model->save(directory.path());
  const WeightFiles files(directory.path());
  const auto shape_of = [&](const std::string& name) { return files.tensors().at(name).sizes(); };
  const std::string query = "model.layers.0.self_attn.q_proj.weight";
  EXPECT_EQ(files.stored_dtype(query), at::kByte);
  EXPECT_EQ(shape_of(query), at::IntArrayRef({64, 32}));
  EXPECT_EQ(files.stored_dtype(query + "_scale"), at::kBFloat16);
  EXPECT_EQ(shape_of(query + "_scale"), at::IntArrayRef({64, 2}));
  EXPECT_EQ(files.stored_dtype("model.embed_tokens.weight"), at::kChar);
  EXPECT_EQ(shape_of("model.embed_tokens.weight_scale"), at::IntArrayRef({40}));
  EXPECT_EQ(files.stored_dtype("model.norm.weight"), at::kFloat);
}

TEST(Quantization, JoinedAndTransposedMatricesStandAsOutputsTimesInputs) {
  const auto model = make("gpt2");
  model->quantize(*parse_quantization("int8"));
  const test::TempDir directory;
  model->save(directory.path());
  const WeightFiles files(directory.path());
  const std::string joined = "transformer.h.0.attn.c_attn.weight";
  EXPECT_EQ(files.tensors().at(joined).sizes(), at::IntArrayRef({192, 64}));
  EXPECT_EQ(files.tensors().at(joined + "_scale").sizes(), at::IntArrayRef({192}));
}

TEST(Quantization, WidthsWithoutWholeGroupsAreInt8) {
  Json section = test::tiny_section("llama");  // of 16 and 24 inputs
  section["vocab_size"] = 40;
  const auto model = create_model(ConfigNode(&section, "model", nullptr), 40, {});
  const at::Tensor exact = logits(*model);
  model->quantize(*parse_quantization("int4"));
  EXPECT_LE(error_of(logits(*model), exact), 0.05);
}

TEST(Quantization, OneIsNotMadeAnother) {
  const auto model = make("llama");
  model->quantize(*parse_quantization("int8"));
  EXPECT_NO_THROW(model->quantize(*parse_quantization("int8")));
  test::expect_error(ErrorCode::kConfig, {"int8 already", "int4"},
                     [&] { model->quantize(*parse_quantization("int4")); });
}

TEST(Quantization, RefusesWhatDoesNotFitAndWhatOthersMade) {
  const auto model = make("llama");
  model->quantize(*parse_quantization("int8"));
  const test::TempDir directory;
  model->save(directory.path());
  const fs::path path = directory.path() / "config.json";
  const Json config = load_json(path);
  const auto refused = [&](const Json& changed, const std::vector<std::string>& parts) {
    write_file(path, changed.dump());
    test::expect_error(ErrorCode::kData, parts, [&] { load_model(directory.path(), {}); });
  };
  Json wide = config;
  wide["hidden_size"] = 128;
  refused(wide, {"no quantised matrix of", "inputs"});
  Json foreign = config;
  foreign["quantization_config"] = {{"quant_method", "gptq"}, {"bits", 4}};
  refused(foreign, {"quantization_config", "GPTQ"});
  Json unknown = config;
  unknown["quantization_config"]["weights"] = "int3";
  refused(unknown, {"quantization_config", "int3", "int8 or int4"});
}

TEST(Quantization, AModelMayComputeWithBf16Matrices) {
  const auto model = make("llama");
  const at::Tensor exact = logits(*model);
  for (const at::ScalarType file : {at::kFloat, at::kBFloat16}) {
    const test::TempDir directory;
    model->save(directory.path(), file);
    ModelRequest request;
    request.mapped = true;
    request.matrices = at::kBFloat16;
    const auto loaded = load_model(directory.path(), request);
    for (const auto& [name, parameter] : loaded->parameters()) {
      const bool matrix = parameter.dim() == 2;
      EXPECT_EQ(parameter.scalar_type(), matrix ? at::kBFloat16 : at::kFloat) << name;
    }
    EXPECT_LE(error_of(logits(*loaded), exact), 0.02);
  }
}

TEST(Quantization, MatricesMayStayBf16WhereTheFilesHaveThemSo) {
  const auto model = make("llama");
  for (const at::ScalarType file : {at::kFloat, at::kBFloat16}) {
    const test::TempDir directory;
    model->save(directory.path(), file);
    ModelRequest request;
    request.bf16_as_stored = true;
    const auto loaded = load_model(directory.path(), request);
    for (const auto& [name, parameter] : loaded->parameters()) {
      const bool matrix = parameter.dim() == 2;
      EXPECT_EQ(parameter.scalar_type(), matrix ? file : at::kFloat) << name;
    }
  }
}

}  // namespace
}  // namespace llmctl
