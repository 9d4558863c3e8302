// bench generate: what it measures and refuses. Nothing here depends on how fast the machine is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/cpu.h"
#include "support/llmctl.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

ProcessResult bench(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"bench", "generate"});
  ProcessOptions options;
  options.exec = true;  // it starts its own program again
  return run_llmctl(arguments, options);
}

const std::vector<std::string> kQuick = {"--prefill", "8",   "--new-tokens",  "4", "--prompt", "5",
                                         "--batch",   "1,3", "--repetitions", "1"};

json measured(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), kQuick.begin(), kQuick.end());
  arguments.insert(arguments.end(), {"--json", "-q"});
  const auto result = bench(arguments);
  EXPECT_EQ(result.status, 0) << result.describe();
  return json::parse(result.out);
}

TEST(Bench, MeasuresEveryFormAndBatchBesideTheRoofs) {
  const json report = measured({"--shape", "llama-tiny", "--form", "fp32,bf16,int8,int4"});
  EXPECT_EQ(report["model"], "llama-tiny");
  for (const char* when : {"before", "after"}) {
    const json& roofs = report["roofs"][when];
    for (const char* roof : {"read_gb_s", "fp32_gflop_s"}) {
      EXPECT_GT(roofs[roof], 0) << when << " " << roof;
    }
    // Without instructions for bf16 a product of LibTorch takes minutes, and is nobody's roof.
    if (lacks_bf16_products(cpu_features())) {
      EXPECT_TRUE(roofs["bf16_gflop_s"].is_null()) << roofs;
    } else {
      EXPECT_GT(roofs["bf16_gflop_s"], 0) << roofs;
    }
  }
  EXPECT_TRUE(report["roofs"].contains("drift"));
  std::string found;
  for (const json& one : report["cases"]) {
    found += one["what"].get<std::string>() + " " + one["form"].get<std::string>() + " " +
             std::to_string(one["batch"].get<int>()) + "\n";
    EXPECT_GT(one["peak_mib"], one["weights_and_cache_mib"]) << one;
    if (one["what"] == "start") {
      EXPECT_GT(one["first_token_s"], 0) << one;
      continue;
    }
    EXPECT_GT(one["tokens_s"], 0) << one;
    EXPECT_DOUBLE_EQ(one["fraction"].get<double>(),
                     one["tokens_s"].get<double>() / one["roof_tokens_s"].get<double>());
    EXPECT_EQ(one.contains("sampling_to_greedy"), one["what"] == "decode") << one;
  }
  EXPECT_EQ(found,
            "start fp32 1\nprefill fp32 1\ndecode fp32 1\ndecode fp32 3\n"
            "start bf16 1\nprefill bf16 1\ndecode bf16 1\ndecode bf16 3\n"
            "start int8 1\nprefill int8 1\ndecode int8 1\ndecode int8 3\n"
            "start int4 1\nprefill int4 1\ndecode int4 1\ndecode int4 3\n");
}

TEST(Bench, SearchesWithBeamsWhereThereIsAnEncoder) {
  const json report = measured({"-m", golden("marian"), "--form", "fp32", "--beams", "2"});
  std::string found;
  for (const json& one : report["cases"]) {
    found += one["what"].get<std::string>() + " ";
    if (one["what"] == "beam") EXPECT_EQ(one["beams"], 2);
  }
  EXPECT_EQ(found, "start prefill decode beam decode beam ");
}

TEST(Bench, PrintsATable) {
  std::vector<std::string> arguments = {"-m", golden("llama"), "--form", "fp32"};
  arguments.insert(arguments.end(), kQuick.begin(), kQuick.end());
  const auto result = bench(arguments);
  EXPECT_EQ(result.status, 0) << result.describe();
  for (const char* part : {"read roof", "drift", "tokens/s", "prefill", "decode"}) {
    EXPECT_THAT(result.out, HasSubstr(part));
  }
}

TEST(Bench, IntegersAreMeasuredAsWhatTheyAre) {
  Workbench files;
  files.run({"export", "-m", golden("llama"), "-o", "integers", "--quantize", "int8"});
  const std::string model = (files / "integers").string();
  const auto result = bench({"-m", model, "--form", "fp32,int8"});
  EXPECT_EQ(result.status, 64) << result.describe();
  expect_one_line_error(result, {"its matrices are int8", "--form int8"});
}

TEST(Bench, RefusesWhatItCannotMeasure) {
  struct Refusal {
    std::vector<std::string> arguments;
    int status;
    std::vector<std::string> parts;
  };
  const std::vector<Refusal> refusals = {
      {{}, 64, {"exactly one of --shape NAME and -m DIR"}},
      {{"--shape", "llama-tiny", "-m", golden("llama")}, 64, {"exactly one"}},
      {{"--shape", "llama-tine"}, 64, {"--shape", "llama-tiny"}},
      {{"--shape", "llama-tiny", "--form", "fp16"}, 64, {"fp16", "fp32"}},
      {{"--shape", "llama-tiny", "--batch", "0"}, 64, {"at least 1"}},
      {{"--shape", "llama-tiny", "--prompt", "1020"}, 64, {"1024 positions", "--prompt"}},
      {{"-m", "nowhere"}, 66, {"nowhere"}},
      {{"-m", golden("bert_qa")}, 65, {"bert_qa", "generates no text"}},
  };
  for (const auto& [arguments, status, parts] : refusals) {
    const auto result = bench(arguments);
    EXPECT_EQ(result.status, status) << result.describe();
    expect_one_line_error(result, parts);
  }
}

}  // namespace
}  // namespace llmctl::test
