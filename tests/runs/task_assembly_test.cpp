#include "runs/task_assembly.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "support/temp_dir.h"
#include "tasks/brief_training.h"
#include "text/trained_tokenizer.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;

TEST(AssembleTask, GenerationSettingsAreThoseOfTheInitialModel) {
  const test::TempDir work;
  const fs::path model = work / "model", pieces = work / "tokenizer";
  fs::create_directories(model);
  fs::create_directories(pieces);
  const auto tokenizer = test::trained_tokenizer();
  const auto initial = test::tiny_llama(*tokenizer);
  initial->save(model);
  tokenizer->save(pieces, initial->facts().max_positions);
  const std::string file = work.write("a.tsv", "source\ttarget\nOne.\tEins.\n").string();
  const auto assembled = [&](const Json& section) {
    Json value = Json::object();
    value["model"] = section;
    value["tokenizer"]["path"] = pieces.string();
    value["task"]["type"] = "translation";
    value["data"]["train"] = file;
    value["data"]["valid"] = file;
    value["train"]["steps"] = 1;
    const JsonDocument document{value, {}};
    const ConfigNode root = root_node(document);
    return assemble_task(root, read_training_config(root), "finetune").data;
  };
  const TaskData trained = assembled({{"init_from", model.string()}});
  EXPECT_TRUE(fs::equivalent(trained.directory, pieces));
  EXPECT_TRUE(fs::equivalent(trained.generation_directory, model));
  const TaskData fresh = assembled({{"model_type", "llama"},
                                    {"hidden_size", 16},
                                    {"num_hidden_layers", 1},
                                    {"num_attention_heads", 2}});
  EXPECT_EQ(fresh.generation_directory, fs::path());
}

}  // namespace
}  // namespace llmctl
