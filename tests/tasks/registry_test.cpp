#include <gtest/gtest.h>

#include "config/load.h"
#include "support/byte_tokenizer.h"
#include "support/expect_error.h"
#include "support/fake_model.h"
#include "tasks/task.h"

namespace llmctl {
namespace {

std::unique_ptr<Task> make(const std::string& text) {
  const JsonDocument document =
      parse_json_document("{\"task\": " + text + "}", "c.json", {.code = ErrorCode::kConfig});
  return make_task(ConfigNode(&document.value, "", &document).child("task"),
                   std::make_shared<test::ByteTokenizer>(test::ByteTokenizer::Kind::kMasked));
}

TEST(TaskRegistry, MakesEachType) {
  const std::vector<std::string> types = {"causal_lm",
                                          "masked_lm",
                                          "extractive_qa",
                                          "sequence_classification",
                                          "token_classification",
                                          "text_generation",
                                          "dpo",
                                          "translation"};
  EXPECT_EQ(task_types(), types);
  for (const TaskKind& kind : task_kinds()) {
    const auto task = make("{\"type\": \"" + kind.type + "\"}");
    EXPECT_EQ(task->type(), kind.type);
    EXPECT_EQ(task->head(), kind.heads.front());
    EXPECT_EQ(task->learns_from_text(), kind.raw_text);
    EXPECT_NE(find_kind(task->validation_scores(), task->best_score()), nullptr);
    EXPECT_NE(find_kind(task->validation_scores(), kLossName), nullptr);
    EXPECT_TRUE(kind.schema().at("properties").contains("type"));
  }
}

TEST(TaskRegistry, TheTaskOfAModel) {
  test::FakeModel causal(258, HeadKind::kCausalLm), masked(258, HeadKind::kMaskedLm),
      span(258, HeadKind::kSpan, 2), tokens(258, HeadKind::kTokenClassification, 2),
      bare(258, HeadKind::kNone);
  EXPECT_EQ(task_of(causal), "causal_lm");
  EXPECT_EQ(task_of(masked), "masked_lm");
  EXPECT_EQ(task_of(span), "extractive_qa");
  EXPECT_EQ(task_of(tokens), "token_classification");
  EXPECT_EQ(task_of(bare), "");
  causal.config()["task_specific_params"]["text_generation"] = {{"template", "{prompt}"}};
  EXPECT_EQ(task_of(causal), "text_generation") << "what its configuration describes";
  const test::FakeModel pairs(258, HeadKind::kSeq2SeqLm);
  EXPECT_EQ(task_of(pairs), "translation");
  causal.config()["task_specific_params"] = {{"translation", {{"target", "de"}}}};
  EXPECT_EQ(task_of(causal), "translation");
  test::expect_error(ErrorCode::kUsage, {"gives no answers"},
                     [&] { make_responder(bare, std::make_shared<test::ByteTokenizer>(), {}); });
}

TEST(TaskRegistry, Errors) {
  using test::expect_error;
  expect_error(ErrorCode::kConfig,
               {"task.type: ", "unknown task 'extractive-qa', expected one of causal_lm, ",
                "did you mean 'extractive_qa'?", "c.json:1:19"},
               [] { make(R"({"type": "extractive-qa"})"); });
  expect_error(ErrorCode::kConfig, {"task.type: missing, expected one of causal_lm, "},
               [] { make("{}"); });
  expect_error(ErrorCode::kConfig, {"task.type: expected a string, got number"},
               [] { make(R"({"type": 3})"); });
  expect_error(ErrorCode::kConfig, {"task.strides", "did you mean 'stride'?"},
               [] { make(R"({"type": "extractive_qa", "strides": 3})"); });
  expect_error(ErrorCode::kConfig, {"task.metric"},
               [] { make(R"({"type": "extractive_qa", "metric": "bleu"})"); });
  expect_error(ErrorCode::kConfig, {"task.template: 'Q:' has no {prompt} in it"},
               [] { make(R"({"type": "text_generation", "template": "Q:"})"); });
  expect_error(ErrorCode::kConfig, {"task.whole_words", "did you mean 'whole_word'?"},
               [] { make(R"({"type": "masked_lm", "whole_words": true})"); });
  expect_error(ErrorCode::kConfig, {"task.mask_probability"},
               [] { make(R"({"type": "masked_lm", "mask_probability": 2})"); });
  expect_error(ErrorCode::kConfig, {"task: expected an object with a \"type\""},
               [] { make("[]"); });
  EXPECT_EQ(find_task_kind("x"), nullptr);
}

}  // namespace
}  // namespace llmctl
