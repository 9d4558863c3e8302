#include "runs/config_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace llmctl {
namespace {

using ::testing::HasSubstr;

JsonDocument document(const std::string& json) {
  return {Json::parse(json), {}};
}

TEST(ConfigCommand, IsToldByTheSections) {
  EXPECT_EQ(config_command("", document(R"({"objective": {}})")), "pretrain");
  EXPECT_EQ(config_command("", document(R"({"task": {}, "optim": {}})")), "finetune");
  EXPECT_EQ(config_command("", document(R"({"task": {"type": "causal_lm"}})")), "pretrain");
  EXPECT_EQ(config_command("", document(R"({"task": {"type": "extractive_qa"}})")), "finetune");
  EXPECT_EQ(config_command("", document(R"({"generation": {}})")), "generate");
  EXPECT_EQ(config_command("", document(R"({"input": {}, "output": {"file": "a"}})")), "generate");
  EXPECT_EQ(config_command("", document(R"({"input": "a", "output": "b"})")), "prepare");
  EXPECT_EQ(config_command("", document(R"({"tasks": []})")), "eval");
  EXPECT_EQ(config_command("", document(R"({"vocab_size": 9})")), "tokenizer");
  EXPECT_EQ(config_command("", document(R"({"dim": 9})")), "vectors");
  EXPECT_EQ(config_command("eval", document("{}")), "eval");
  EXPECT_THROW(config_command("", document("{}")), Error);
  try {
    config_command("finetun", document("{}"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'finetune'"));
  }
}

TEST(ConfigKeys, NameEveryKeyOnceWithItsHelp) {
  for (const auto& command : configured_commands()) {
    std::map<std::string, int> seen;
    for (const ConfigKey& key : config_keys(command)) {
      EXPECT_EQ(++seen[key.path], 1) << key.path;
      EXPECT_FALSE(key.help.empty()) << command << " " << key.path;
      EXPECT_FALSE(key.type.empty()) << key.path;
    }
    EXPECT_GT(seen.size(), 5u);
  }
}

}  // namespace
}  // namespace llmctl
