#include <gtest/gtest.h>

#include "config/load.h"
#include "support/byte_tokenizer.h"
#include "support/expect_error.h"
#include "tasks/task.h"

namespace llmctl {
namespace {

std::unique_ptr<Task> make(const std::string& text) {
  const JsonDocument document =
      parse_json_document("{\"task\": " + text + "}", "c.json", {.code = ErrorCode::kConfig});
  return make_task(ConfigNode(&document.value, "", &document).child("task"),
                   std::make_shared<test::ByteTokenizer>());
}

TEST(TaskRegistry, MakesEachType) {
  const std::vector<std::string> types = {"extractive_qa", "sequence_classification",
                                          "text_generation"};
  EXPECT_EQ(task_types(), types);
  const HeadKind heads[] = {HeadKind::kSpan, HeadKind::kSequenceClassification,
                            HeadKind::kCausalLm};
  for (std::size_t i = 0; i < types.size(); ++i) {
    const auto task = make("{\"type\": \"" + types[i] + "\"}");
    EXPECT_EQ(task->type(), types[i]);
    EXPECT_EQ(task->head(), heads[i]);
    EXPECT_TRUE(task->best_score().starts_with("valid/"));
    EXPECT_TRUE(task_schema(types[i]).at("properties").contains("type"));
    ModelFacts facts;
    facts.head = heads[i];
    EXPECT_EQ(task_of(facts), types[i]);
  }
  ModelFacts masked;
  masked.head = HeadKind::kMaskedLm;
  EXPECT_EQ(task_of(masked), "");
}

TEST(TaskRegistry, BestScoresHaveADirection) {
  EXPECT_TRUE(make(R"({"type": "extractive_qa"})")->higher_is_better());
  EXPECT_TRUE(make(R"({"type": "sequence_classification"})")->higher_is_better());
  EXPECT_FALSE(make(R"({"type": "text_generation"})")->higher_is_better()) << "a loss";
}

TEST(TaskRegistry, Errors) {
  using test::expect_error;
  expect_error(ErrorCode::kConfig,
               {"task.type: ", "unknown task 'extractive-qa', expected one of extractive_qa, ",
                "did you mean 'extractive_qa'?", "c.json:1:19"},
               [] { make(R"({"type": "extractive-qa"})"); });
  expect_error(ErrorCode::kConfig, {"task.type: missing, expected one of"}, [] { make("{}"); });
  expect_error(ErrorCode::kConfig, {"task.type: expected text, got number"},
               [] { make(R"({"type": 3})"); });
  expect_error(ErrorCode::kConfig, {"task.strides", "did you mean 'stride'?"},
               [] { make(R"({"type": "extractive_qa", "strides": 3})"); });
  expect_error(ErrorCode::kConfig, {"task.metric"},
               [] { make(R"({"type": "extractive_qa", "metric": "bleu"})"); });
  expect_error(ErrorCode::kConfig, {"task.template: 'Q:' has no {prompt} in it"},
               [] { make(R"({"type": "text_generation", "template": "Q:"})"); });
  expect_error(ErrorCode::kUsage, {"unknown task 'x'"}, [] { task_schema("x"); });
}

}  // namespace
}  // namespace llmctl
