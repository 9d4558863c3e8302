#include "tasks/task_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::TempDir;
using ::testing::HasSubstr;

/// What finding the files of a section says.
std::string said_of(const Json& json) {
  const ConfigNode node(&json, "data", nullptr);
  DataSection section;
  read_config(node, section);
  set_log_level(LogLevel::kInfo);
  testing::internal::CaptureStderr();
  find_task_data(node, section, false, {});
  return testing::internal::GetCapturedStderr();
}

TEST(TaskData, WarnsOfFilesThatAreLearntAndScored) {
  const TempDir directory;
  directory.write("reviews/a.jsonl", "{}\n");
  const std::string valid = directory.write("reviews/valid.jsonl", "{}\n").string();
  const std::string other = directory.write("other.jsonl", "{}\n").string();
  const std::string all = (directory / "reviews/*.jsonl").string();
  const std::string by_another_way = (directory / "reviews/../reviews/valid.jsonl").string();
  EXPECT_EQ(said_of({{"train", {all}}, {"valid", {other}}}), "");
  for (const std::string& name : {valid, by_another_way}) {
    EXPECT_THAT(said_of({{"train", {all}}, {"valid", {name}}}),
                HasSubstr("data.valid: " + name + " is also learnt from (data.train)"));
  }
  EXPECT_EQ(said_of({{"train", {other}}, {"train_only", {all}}, {"valid", {valid}}}), "")
      << "what is held out is not learnt from it";
  EXPECT_EQ(said_of({{"train", {all}}, {"valid", {{"hash", 0.1}}}}), "");
}

TEST(TaskData, SettingsOfTheStartModelAreObjects) {
  TaskData data;
  EXPECT_EQ(data.initial_settings("dpo"), Json::object());
  data.initial_params = {{"dpo", 3}, {"text_generation", {{"template", "x"}}}};
  EXPECT_EQ(data.initial_settings("dpo"), Json::object());
  EXPECT_EQ(data.initial_settings("text_generation").at("template"), "x");
}

}  // namespace
}  // namespace llmctl
