#include "tasks/dpo.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/log.h"
#include "base/world.h"
#include "models/model.h"
#include "support/byte_tokenizer.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::ByteTokenizer;
using test::TempDir;

TEST(Dpo, PromptsStandInTheFormOfTheStartModel) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.jsonl",
                                   "{\"prompt\": \"ab\", \"chosen\": \"xyz\", \"rejected\": "
                                   "\"y\"}\n")},
                  1.0}};
  // The directory of an adapter: it has no config.json.
  files.initial_model = directory.path().string();
  files.initial_params = {{"text_generation", {{"template", "Q: {prompt}\nA: "}}}};
  const auto task = make_dpo({}, std::make_shared<ByteTokenizer>(ByteTokenizer::Kind::kCausal));
  set_log_level(LogLevel::kInfo);
  testing::internal::CaptureStderr();
  task->read(files);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("in the form that"), std::string::npos);
  Json described = Json::object();
  task->describe(described);
  EXPECT_EQ(described.at("task_specific_params").at("text_generation").at("template"),
            "Q: {prompt}\nA: ");
}

TEST(Dpo, WarnsOfHeldOutPairsThatAreLearnt) {
  const TempDir directory;
  const std::string pair = R"({"prompt": "ab", "chosen": "x", "rejected": "y"})",
                    turned = R"({"prompt": "ab", "chosen": "y", "rejected": "x"})";
  TaskData files;
  files.train = {{{directory.write("a.jsonl", pair + "\n")}, 1.0}};
  files.valid = {directory.write("b.jsonl", pair + "\n" + turned + "\n")};
  files.initial_model = directory.path().string();
  testing::internal::CaptureStderr();
  make_dpo({}, std::make_shared<ByteTokenizer>(ByteTokenizer::Kind::kCausal))->read(files);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("1 of 2 held-out pairs are also learnt"),
            std::string::npos);
}

/// The model as it is begun with prefers nothing to its reference, itself: the loss is ln 2.
TEST(Dpo, TheReferenceHasWhatTheTrainingPutsInItsConfiguration) {
  const TempDir directory;
  const auto tokenizer = std::make_shared<ByteTokenizer>(ByteTokenizer::Kind::kCausal);
  const Json section = {{"model_type", "llama"},    {"hidden_size", 16},
                        {"intermediate_size", 32},  {"num_hidden_layers", 2},
                        {"num_attention_heads", 2}, {"max_position_embeddings", 64},
                        {"initializer_range", 0.5}};
  const JsonDocument document{section, {}};
  ModelRequest request;
  request.head = HeadKind::kCausalLm;
  create_model(ConfigNode(&document.value, "model", &document), tokenizer->vocab_size(), request)
      ->save(directory.path());
  TaskData files;
  files.valid = {directory.write("a.jsonl",
                                 "{\"prompt\": \"some words\", \"chosen\": \"more of them\", "
                                 "\"rejected\": \"others\"}\n")};
  files.train = {{files.valid, 1.0}};
  files.initial_model = directory.path().string();
  const Json overrides = {{"rope_theta", 10}};
  const auto loss = [&](const Json& of_reference) {
    files.initial_overrides = of_reference;
    const auto task = make_dpo({}, tokenizer);
    task->read(files);
    const auto model = load_model(directory.path(), request, overrides);
    const auto world = make_local_world();
    return task->validator(*model, 2, *world)->validate(Context{}).scores.at("loss");
  };
  EXPECT_NEAR(loss(overrides), std::log(2), 1e-6);
  EXPECT_GT(std::abs(loss(Json::object()) - std::log(2)), 1e-4);
}

}  // namespace
}  // namespace llmctl
