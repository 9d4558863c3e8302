// Clean copies of models: what they keep, refuse and replace.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "io/safetensors.h"
#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::set<std::string> dtypes(const fs::path& file) {
  std::set<std::string> names;
  const SafetensorsFile tensors(file);
  for (const auto& [name, info] : tensors.tensors()) names.insert(dtype_name(info.dtype));
  return names;
}

TEST(Export, KeepsWhatItGot) {
  Workbench bench;
  const auto exported = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"export", "--json", "-m"});
    return json::parse(bench.run(arguments).out);
  };
  EXPECT_EQ(exported({golden("llama"), "-o", "small", "--dtype", "bf16"})["dtype"], "bf16");
  EXPECT_EQ(dtypes(bench / "small/model.safetensors"), std::set<std::string>{"BF16"});
  bench.write("small/additional_chat_templates/tool_use.jinja", "{{ messages }}");
  bench.write("small/README.md", "A small model.");
  bench.write("small/LICENSE", "As you like.");
  bench.write("small/preprocessor_config.json", "{}");
  bench.write("small/optimizer.pt", "not a part of the model");
  bench.write("small/trainer_state.json", "{}");
  // Without a dtype as it came, with what else belongs to it.
  const json report = exported({"small", "-o", "again"});
  EXPECT_EQ(report["dtype"], "bf16");
  EXPECT_EQ(dtypes(bench / "again/model.safetensors"), std::set<std::string>{"BF16"});
  EXPECT_EQ(slurp(bench / "again/model.safetensors"), slurp(bench / "small/model.safetensors"));
  EXPECT_EQ(slurp(bench / "again/additional_chat_templates/tool_use.jinja"), "{{ messages }}");
  EXPECT_EQ(slurp(bench / "again/README.md"), "A small model.");
  EXPECT_EQ(slurp(bench / "again/LICENSE"), "As you like.");
  EXPECT_FALSE(fs::exists(bench / "again/optimizer.pt"));
  EXPECT_FALSE(fs::exists(bench / "again/trainer_state.json"));
  EXPECT_EQ(exported({"small", "-o", "wide", "--dtype", "fp32"})["dtype"], "fp32");
  EXPECT_EQ(dtypes(bench / "wide/model.safetensors"), std::set<std::string>{"F32"});
  // A file is no directory.
  expect_one_line_error(bench.run({"export", "-m", "small", "-o", "m.gguf"}, 64),
                        {"m.gguf", "directory", "--gguf f16"});
  EXPECT_FALSE(fs::exists(bench / "m.gguf"));
}

/// A tensor's values as fp32.
std::vector<float> values_of(const fs::path& directory, const std::string& name) {
  const SafetensorsFile file(directory / "model.safetensors");
  const auto bytes = file.bytes(name);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST(Export, TheMeanOfARunsCheckpoints) {
  Workbench bench;
  bench.pretrain("causal", "run", 15);  // checkpoints of steps 5, 10 and 15, scores of 10 and 15
  const json report =
      json::parse(bench.run({"export", "-m", "run", "--average", "3", "-o", "mean", "--json"}).out);
  EXPECT_EQ(report["averaged"], (json{"step-00000005", "step-00000010", "step-00000015"}));
  const std::string name = "model.layers.0.mlp.up_proj.weight";
  const auto mean = values_of(bench / "mean", name);
  std::vector<std::vector<float>> each;
  for (const json& step : report["averaged"])
    each.push_back(values_of(bench / "run/checkpoints" / step.get<std::string>(), name));
  ASSERT_FALSE(mean.empty());
  for (std::size_t i = 0; i < mean.size(); ++i) {
    const double sum = static_cast<double>(each[0][i]) + each[1][i] + each[2][i];
    ASSERT_NEAR(mean[i], sum / 3, 1e-6);
  }
  EXPECT_NE(mean, each[2]);
  bench.run({"generate", "-m", "mean", "-p", "The", "--max-new-tokens", "2"});
  EXPECT_EQ(json::parse(bench
                            .run({"export", "-m", "run", "--average", "2", "--average-of", "best",
                                  "-o", "best", "--json"})
                            .out)["averaged"],
            (json{"step-00000010", "step-00000015"}));
  const auto refuse = [&](std::vector<std::string> more, std::vector<std::string> parts) {
    more.insert(more.begin(), {"export", "-o", "x"});
    expect_one_line_error(bench.run(more, 64), parts);
    EXPECT_FALSE(fs::exists(bench / "x"));
  };
  refuse({"-m", "run", "--average", "4"}, {"--average", "3 checkpoints", "keep_last"});
  refuse({"-m", "run", "--average", "3", "--average-of", "best"}, {"2 checkpoints with scores"});
  refuse({"-m", "mean", "--average", "2"}, {"no run directory"});
}

TEST(Export, ADryRunRefusesWhatTheExportRefuses) {
  Workbench bench;
  bench.run({"export", "-m", golden("llama"), "-o", "wide", "--dtype", "fp32"});
  // One value beyond what fp16 has: the first of the file's data.
  std::string file = slurp(bench / "wide/model.safetensors");
  std::uint64_t header = 0;
  std::memcpy(&header, file.data(), sizeof header);
  const float large = 1e6f;
  std::memcpy(file.data() + sizeof header + header, &large, sizeof large);
  bench.write("wide/model.safetensors", file);
  for (const auto& [dtype, status] : {std::pair{"fp16", 65}, std::pair{"bf16", 0}}) {
    std::vector<std::string> words = {
        "export", "-m", "wide", "-o", std::string("out-") + dtype, "--dtype", dtype, "--dry-run"};
    const auto dry = bench.run(words, status);
    EXPECT_FALSE(fs::exists(bench / (std::string("out-") + dtype)));
    words.pop_back();
    const auto real = bench.run(words, status);
    if (status == 0) continue;
    expect_one_line_error(dry, {"1 value is beyond", "1e+06"});
    EXPECT_EQ(dry.err, real.err);
  }
}

TEST(Export, QuantisesMatricesAndSaysSo) {
  Workbench bench;
  bench.run({"export", "-m", golden("llama"), "-o", "dense"});
  bench.write("dense/README.md", "A small model.");
  const auto generated = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"generate", "-p", "a b c", "-n", "12", "--json", "-m"});
    return bench.run(words).out;
  };
  bench.write("held-out.txt", "a b c a b c d e f a b c\n");
  const auto scored = [&](std::vector<std::string> words) {
    words.insert(words.begin(),
                 {"eval", "--task", "causal_lm", "--data", "held-out.txt", "--json", "-m"});
    return json::parse(bench.run(words).out)["scores"];
  };
  for (const std::string form : {"int8", "int4"}) {
    const json report = json::parse(
        bench.run({"export", "--json", "-m", "dense", "-o", form, "--quantize", form}).out);
    EXPECT_EQ(report["dtype"], form);
    EXPECT_THAT(
        report["notes"][0].get<std::string>(),
        ::testing::AllOf(::testing::HasSubstr("transformers"), ::testing::HasSubstr("dense")));
    EXPECT_THAT(slurp(bench / (form + "/README.md")),
                ::testing::AllOf(::testing::HasSubstr("A small model."),
                                 ::testing::HasSubstr("quant_method")));
    const json config = json::parse(slurp(bench / (form + "/config.json")));
    EXPECT_EQ(config["quantization_config"]["quant_method"], "llmctl");
    EXPECT_EQ(config["quantization_config"]["weights"], form);
    EXPECT_LT(report["bytes"].get<double>(),
              0.5 * static_cast<double>(fs::file_size(bench / "dense/model.safetensors")));
    // As the same quantised in memory.
    EXPECT_EQ(generated({form}), generated({"dense", "--quantize", form}));
    EXPECT_EQ(scored({form}), scored({"dense", "--quantize", form}));
    EXPECT_NE(scored({form}), scored({"dense"}));
    // Copied as it is; made otherwise or trained never.
    bench.run({"export", "-m", form, "-o", form + "-again"});
    EXPECT_EQ(slurp(bench / (form + "-again/model.safetensors")),
              slurp(bench / (form + "/model.safetensors")));
  }
  EXPECT_THAT(
      bench.run({"generate", "-m", "int8", "-p", "a", "-n", "2", "--precision", "bf16"}).err,
      ::testing::HasSubstr("compute.precision has no effect"));
  expect_one_line_error(
      bench.run({"export", "-m", "int8", "-o", "other", "--quantize", "int4"}, 78),
      {"int8 already", "int4"});
  bench.write("text.txt", "a b c a b c a b c a b c\n");
  expect_one_line_error(
      bench.run({"pretrain", "--set", "model.init_from=int8", "--set", "objective.type=causal_lm",
                 "--set", "data.train=text.txt", "--set", "data.valid=text.txt", "--set",
                 "train.steps=1", "--set", "run.dir=run"},
                78),
      {"model.init_from", "int8", "quantised", "cannot be trained"});
}

TEST(Export, SpreadsALargeModelOverFiles) {
  Workbench bench;
  bench.run({"export", "-m", golden("llama"), "-o", "whole"});
  bench.run({"export", "-m", golden("llama"), "-o", "parts", "--max-shard-size", "40kB"});
  EXPECT_TRUE(fs::exists(bench / "parts/model.safetensors.index.json"));
  EXPECT_FALSE(fs::exists(bench / "parts/model.safetensors"));
  EXPECT_TRUE(fs::exists(bench / "parts/model-00002-of-00002.safetensors") ||
              fs::exists(bench / "parts/model-00003-of-00003.safetensors") ||
              fs::exists(bench / "parts/model-00004-of-00004.safetensors"));
  EXPECT_EQ(
      json::parse(bench.run({"inspect", "diff", "parts", "whole", "--json"}).out)["differences"]
          .size(),
      0u);
  expect_one_line_error(
      bench.run({"export", "-m", golden("llama"), "-o", "bad", "--max-shard-size", "much"}, 64),
      {"--max-shard-size"});
}

TEST(Export, ReplacesAModelWhereAskedTo) {
  Workbench bench;
  const std::vector<std::string> words = {"export", "-m", golden("llama"), "-o", "copy"};
  auto again = words;
  again.insert(again.end(), {"--dtype", "bf16"});
  auto over = again;
  over.push_back("--overwrite");
  bench.run(words);
  bench.write("copy/notes.txt", "of the old one");
  expect_one_line_error(bench.run(again, 73), {"copy", "--overwrite"});
  EXPECT_EQ(dtypes(bench / "copy/model.safetensors"), std::set<std::string>{"F32"});
  bench.run(over);
  EXPECT_EQ(dtypes(bench / "copy/model.safetensors"), std::set<std::string>{"BF16"});
  EXPECT_FALSE(fs::exists(bench / "copy/notes.txt"));
  // Neither the model itself nor a run, nor what is no model.
  expect_one_line_error(
      bench.run({"export", "-m", "copy", "-o", "./copy/../copy", "--overwrite"}, 73),
      {"the model that is exported"});
  bench.write("copy/run.json", "{}");
  expect_one_line_error(bench.run(over, 73), {"is a run"});
  bench.write("other/essay.txt", "mine");
  over[4] = "other";
  expect_one_line_error(bench.run(over, 73), {"no model's directory"});
  EXPECT_EQ(slurp(bench / "other/essay.txt"), "mine");
  // Links stay links.
  fs::create_directory(bench / "place");
  fs::create_directory_symlink(bench / "place", bench / "link");
  over[4] = "link";
  bench.run(over);
  EXPECT_TRUE(fs::is_symlink(bench / "link"));
  EXPECT_TRUE(fs::exists(bench / "place/model.safetensors"));
}

/// What a model says, greedily.
std::string said(const Workbench& bench, const std::string& model) {
  const auto result = bench.run(
      {"generate", "-m", model, "-p", "The market", "-n", "12", "--json", "--temperature", "0"});
  return json::parse(result.out)["generated_text"];
}

TEST(ExportGguf, AFileServesWhereADirectoryDoes) {
  Workbench bench;
  for (const char* name : {"gpt2", "llama", "qwen2", "qwen3"}) {
    SCOPED_TRACE(name);
    const std::string file = std::string(name) + ".gguf";
    const json report = json::parse(
        bench.run({"export", "--json", "-m", golden(name), "--gguf", "f32", "-o", file}).out);
    EXPECT_EQ(report["file"], file);
    EXPECT_EQ(report["dtype"], "f32");
    EXPECT_EQ(report["notes"].size(), name[0] == 'q' ? 1U : 0U);
    EXPECT_EQ(said(bench, file), said(bench, golden(name)));
    // Back to Hugging Face's format with every value.
    const std::string back = std::string(name) + "-back";
    bench.run({"export", "-m", file, "-o", back});
    EXPECT_EQ(
        json::parse(bench.run({"inspect", "diff", golden(name), back, "--json"}).out)["differences"]
            .size(),
        0U);
    EXPECT_EQ(said(bench, back), said(bench, file));
  }
  const auto score = [&](const std::string& model) {
    return json::parse(bench.run({"eval", "-m", model, "--data", "en.txt", "--json"}).out);
  };
  bench.write("en.txt", "The market fell on Monday.\n\nPrices rose again.\n");
  EXPECT_EQ(score("llama.gguf")["scores"], score(golden("llama"))["scores"]);
  const json inspected = json::parse(bench.run({"inspect", "llama.gguf", "--json"}).out);
  EXPECT_EQ(inspected["metadata"]["general.architecture"], "llama");
  EXPECT_EQ(inspected["metadata"]["tokenizer.ggml.tokens"]["type"], "string");
  EXPECT_EQ(inspected["tensors"].size(), 21U);
  bench.run({"inspect", "llama.gguf", "--stats", "--all"});
}

TEST(ExportGguf, TypesTakeTheirRoom) {
  Workbench bench;
  bench.pretrain("causal", "run", 2);
  std::uintmax_t before = std::numeric_limits<std::uintmax_t>::max();
  for (const char* type : {"f32", "f16", "q8_0", "q4_0"}) {
    const json report =
        json::parse(bench.run({"export", "--json", "-m", "run", "--gguf", type, "-o", type}).out);
    const auto bytes = report["bytes"].get<std::uintmax_t>();
    EXPECT_LT(bytes, before) << type;
    EXPECT_GT(fs::file_size(bench / type), bytes);
    before = bytes;
    said(bench, type);
  }
  const json inspected = json::parse(bench.run({"inspect", "q4_0", "--json"}).out);
  std::set<std::string> dtypes;
  for (const json& tensor : inspected["tensors"]) dtypes.insert(tensor["dtype"]);
  EXPECT_TRUE(dtypes.contains("Q4_0"));
  EXPECT_TRUE(dtypes.contains("F32"));
}

TEST(ExportGguf, RefusesByName) {
  Workbench bench;
  const std::string llama = golden("llama");
  bench.run({"export", "-m", llama, "--gguf", "f16", "-o", "m.gguf", "--dry-run"});
  EXPECT_FALSE(fs::exists(bench / "m.gguf"));
  bench.run({"export", "-m", llama, "--gguf", "f16", "-o", "m.gguf"});
  const std::string bytes = slurp(bench / "m.gguf");
  expect_one_line_error(bench.run({"export", "-m", llama, "--gguf", "f32", "-o", "m.gguf"}, 73),
                        {"m.gguf", "--overwrite"});
  EXPECT_EQ(slurp(bench / "m.gguf"), bytes);
  expect_one_line_error(
      bench.run({"export", "-m", "m.gguf", "--gguf", "f32", "-o", "m.gguf", "--overwrite"}, 73),
      {"m.gguf", "is an input"});
  bench.run({"export", "-m", llama, "--gguf", "f32", "-o", "m.gguf", "--overwrite"});
  EXPECT_NE(slurp(bench / "m.gguf"), bytes);
  expect_one_line_error(
      bench.run({"export", "-m", llama, "--gguf", "f16", "--dtype", "bf16", "-o", "x.gguf"}, 64),
      {"--dtype", "--gguf"});
  expect_one_line_error(bench.run({"export", "-m", llama, "--gguf", "q5_k", "-o", "x.gguf"}, 64),
                        {"--gguf", "q8_0"});
  expect_one_line_error(
      bench.run({"export", "-m", golden("bert_mlm"), "--gguf", "f16", "-o", "x.gguf"}, 65),
      {"cannot be written as GGUF", "bert"});
  EXPECT_FALSE(fs::exists(bench / "x.gguf"));
  // Files that are none, or not whole.
  bench.write("bad.gguf", "GGUF");
  expect_one_line_error(bench.run({"generate", "-m", "bad.gguf", "-p", "x"}, 65), {"bad.gguf"});
  bench.write("cut.gguf", bytes.substr(0, bytes.size() / 2));
  expect_one_line_error(bench.run({"generate", "-m", "cut.gguf", "-p", "x"}, 65),
                        {"cut.gguf", "truncated"});
  expect_one_line_error(bench.run({"inspect", "cut.gguf"}, 65), {"cut.gguf", "truncated"});
}

}  // namespace
}  // namespace llmctl::test
