// What a training learns of its records, shown.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/llmctl.h"
#include "support/paths.h"
#include "support/terminal.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class InspectRows : public ::testing::Test {
 protected:
  /// The rows of a task, whose section is `task`, on one file.
  std::string rows(const std::string& start, const std::string& file, const std::string& task,
                   std::vector<std::string> more = {}) {
    bench.write("run.json", R"({"model": {"init_from": ")" + start + R"("}, "data": {"train": [")" +
                                file + R"("], "sequence_length": 64}, "task": )" + task + "}");
    more.insert(more.begin(), {"inspect", "rows", "-c", "run.json"});
    return bench.run(more).out;
  }

  Workbench bench;
};

TEST_F(InspectRows, AnswersAndPreferences) {
  bench.pretrain("causal", "start", 1);
  bench.write("talk.jsonl", R"({"messages": [{"role": "user", "content": "What is it?"},)"
                            R"({"role": "assistant", "content": "A 小 dog."}]})"
                            "\n"
                            R"({"prompt": "Who?", "answer": "Nobody."})"
                            "\n");
  const std::string task = R"({"type": "text_generation", "chat_template": "zephyr"})";
  const std::string text = rows("start", "talk.jsonl", task);
  EXPECT_THAT(text, HasSubstr("talk.jsonl:1: "));
  EXPECT_THAT(text, HasSubstr("What is it?</s>"));
  EXPECT_THAT(text, HasSubstr("⟦A 小 dog.</s>⟧"));
  EXPECT_THAT(text, HasSubstr("⟦Nobody.</s>⟧"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b[")));
  // Both sides, and the second record alone.
  const std::string both =
      R"({"type": "text_generation", "chat_template": "zephyr", "roles_to_train": ["user", "assistant"]})";
  const std::string second = rows("start", "talk.jsonl", both, {"--skip", "1"});
  EXPECT_THAT(second, HasSubstr("⟦Who?</s>⟧"));
  EXPECT_THAT(second, HasSubstr("⟦Nobody.</s>⟧"));
  EXPECT_THAT(second, Not(HasSubstr("talk.jsonl:1")));
  // Ids and labels.
  const json row = json::parse(rows("start", "talk.jsonl", task, {"--json", "-n", "1"}))[0];
  const json& part = row["parts"][0];
  ASSERT_EQ(part["ids"].size(), part["labels"].size());
  EXPECT_EQ(part["labels"][0], -100);
  std::size_t learned = 0;
  for (std::size_t i = 0; i < part["ids"].size(); ++i) {
    if (part["labels"][i] == -100) continue;
    EXPECT_EQ(part["labels"][i], part["ids"][i]);
    ++learned;
  }
  EXPECT_GT(learned, 2u);
  EXPECT_THAT(text, HasSubstr(std::to_string(learned) + " learned"));
  const std::string tokens = rows("start", "talk.jsonl", task, {"--tokens", "-n", "1"});
  EXPECT_THAT(tokens, HasSubstr("label"));
  EXPECT_THAT(tokens, HasSubstr(part["tokens"].back().get<std::string>()));

  bench.write("pairs.jsonl", R"({"prompt": "Who?", "chosen": "Ann.", "rejected": "Nobody."})"
                             "\n");
  const std::string pair = rows("start", "pairs.jsonl", R"({"type": "dpo"})");
  EXPECT_THAT(pair, HasSubstr("chosen:\n"));
  EXPECT_THAT(pair, HasSubstr("⟦Ann.</s>⟧"));
  EXPECT_THAT(pair, HasSubstr("rejected:\n"));
  EXPECT_THAT(pair, HasSubstr("⟦Nobody.</s>⟧"));
}

TEST_F(InspectRows, ColoursOnTerminalsOnly) {
  bench.pretrain("causal", "start", 1);
  bench.write("talk.jsonl", R"({"prompt": "Who?", "answer": "Nobody."})"
                            "\n");
  rows("start", "talk.jsonl", R"({"type": "text_generation"})");
  const std::vector<std::string> command = {llmctl_binary().string(), "inspect", "rows", "-c",
                                            "run.json"};
  Terminal coloured(command, bench.path(), {{"TERM", "xterm"}, {"NO_COLOR", ""}});
  EXPECT_EQ(coloured.finish(), 0);
  EXPECT_THAT(coloured.output(), HasSubstr("\x1b[32mNobody.</s>\x1b[0m"));
  EXPECT_THAT(coloured.output(), Not(HasSubstr("⟦")));
  Terminal plain(command, bench.path(), {{"TERM", "xterm"}, {"NO_COLOR", "1"}});
  EXPECT_EQ(plain.finish(), 0);
  EXPECT_THAT(plain.output(), HasSubstr("⟦Nobody.</s>⟧"));
  EXPECT_THAT(plain.output(), Not(HasSubstr("\x1b[32m")));
}

TEST_F(InspectRows, SpansAndTags) {
  bench.pretrain("masked", "start", 1);
  bench.write("qa.json", R"([{"id": "q1", "context": "Ada 住在 Oakford.", "question": "Where?",
    "answers": [{"text": "Oakford", "answer_start": 7}]}])");
  const std::string text = rows("start", "qa.json", R"({"type": "extractive_qa"})");
  EXPECT_THAT(text, HasSubstr("qa.json: [0]: "));
  EXPECT_THAT(text, HasSubstr("⟦Oakford⟧."));
  const json row =
      json::parse(rows("start", "qa.json", R"({"type": "extractive_qa"})", {"--json"}))[0];
  const json& spans = row["parts"][0]["spans"];
  const std::size_t start = row["start_position"], end = row["end_position"];
  EXPECT_EQ(row["id"], "q1");
  // With the blank before it, as SentencePiece cuts texts.
  EXPECT_GE(spans[start][0], 6);
  EXPECT_LE(spans[start][0], 7);
  EXPECT_EQ(spans[end][1], 14);
  EXPECT_TRUE(spans[0].is_null());

  bench.write("names.conll", "Ann B-PER\nran O\n\n");
  const std::string tags = rows("start", "names.conll", R"({"type": "token_classification"})");
  EXPECT_THAT(tags, HasSubstr("names.conll:1: "));
  EXPECT_THAT(tags, HasSubstr("/B-PER⟧"));
  EXPECT_THAT(tags, HasSubstr("/O⟧"));
}

TEST_F(InspectRows, TranslationsAndTasksWithoutLabelsOfTokens) {
  bench.train_tokenizer("translation");
  bench.write("pairs.tsv", "en\tzh\nA dog.\t狗。\n");
  bench.write("run.json", R"({"model": {"model_type": "marian", "d_model": 32, "encoder_layers": 1,
    "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 64},
    "tokenizer": {"path": "tokenizer-translation"}, "data": {"train": ["pairs.tsv"], "sequence_length": 32},
    "task": {"type": "translation", "source": "en", "target": "zh"}})");
  const std::string text = bench.run({"inspect", "rows", "-c", "run.json"}).out;
  EXPECT_THAT(text, HasSubstr("pairs.tsv:2: source "));
  EXPECT_THAT(text, HasSubstr("source:\n"));
  EXPECT_THAT(text, HasSubstr("</s>⟧\n"));

  bench.pretrain("masked", "start", 1);
  bench.write("texts.csv", "text,label\ngood,1\nbad,0\n");
  bench.write("run.json", R"({"model": {"init_from": "start"}, "data": {"train": ["texts.csv"]},
    "task": {"type": "sequence_classification"}})");
  expect_one_line_error(bench.run({"inspect", "rows", "-c", "run.json"}, 64),
                        {"sequence_classification", "no labels of tokens"});
}

}  // namespace
}  // namespace llmctl::test
