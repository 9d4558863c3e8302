// Every registered task through what a run does with it: it trains a step, validates, is scored on
// files, its predictions are read back with the same scores, and it answers. A new task needs an
// entry in examples() here.
#include <gtest/gtest.h>

#include <cmath>

#include "support/byte_tokenizer.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"
#include "tasks/brief_training.h"
#include "tasks/record_names.h"
#include "tasks/task_files.h"

namespace llmctl {
namespace {

using test::ByteTokenizer;
using test::TempDir;

/// What a task learns from and is asked.
struct Example {
  std::string file, content;
  ByteTokenizer::Kind tokenizer = ByteTokenizer::Kind::kMasked;
  Json input;
  std::string answered;  ///< a member that the answer has
};

const std::map<std::string, Example>& examples() {
  static const std::map<std::string, Example> list{
      {"causal_lm",
       {"a.txt", "one two three\n\nfour five six\n\nseven eight\n", ByteTokenizer::Kind::kCausal,
        Json{{"prompt", "one"}}, "generated_text"}},
      {"masked_lm",
       {"a.txt", "one two three\n\nfour five six\n\nseven eight\n", ByteTokenizer::Kind::kMasked,
        Json{{"text", "one [MASK] three"}}, "filled"}},
      {"extractive_qa",
       {"a.json",
        R"([{"id": "a", "context": "Ann has 7.", "question": "What?", "answers": ["7"]},
            {"id": "b", "context": "Bob has 8.", "question": "What?", "answers": ["8"]},
            {"id": "c", "context": "Cid has 9.", "question": "What?", "answers": ["9"]}])",
        ByteTokenizer::Kind::kMasked, Json{{"question", "What?"}, {"context", "Ann has 7."}},
        kPrediction}},
      {"sequence_classification",
       {"a.csv", "text,label\ngood day,1\nbad day,0\ngood night,1\nbad night,0\n",
        ByteTokenizer::Kind::kMasked, Json{{"text", "a good day"}}, kPrediction}},
      {"token_classification",
       {"a.conll", "Ann B-PER\nran O\n\nBob B-PER\nLee I-PER\n\nran O\n",
        ByteTokenizer::Kind::kMasked, Json{{"text", "Ann ran"}}, kPrediction}},
      {"text_generation",
       {"a.jsonl",
        "{\"prompt\": \"a\", \"answer\": \"b\"}\n{\"prompt\": \"c\", \"answer\": \"d\"}\n"
        "{\"prompt\": \"e\", \"answer\": \"f\"}\n",
        ByteTokenizer::Kind::kCausal, Json{{"prompt", "a"}}, "generated_text"}},
      {"dpo",
       {"a.jsonl",
        "{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\"}\n"
        "{\"prompt\": \"d\", \"chosen\": \"e\", \"rejected\": \"f\"}\n"
        "{\"prompt\": \"g\", \"chosen\": \"h\", \"rejected\": \"i\"}\n",
        ByteTokenizer::Kind::kCausal, Json{{"prompt", "a"}}, "generated_text"}},
      {"translation",
       {"a.tsv", "source\ttarget\na b\tb a\nc\td\ne f\tf e\n", ByteTokenizer::Kind::kCausal,
        Json{{"text", "a b"}}, "generated_text"}},
  };
  return list;
}

std::unique_ptr<Task> task_of_type(const std::string& type,
                                   std::shared_ptr<const Tokenizer> tokenizer) {
  const JsonDocument document{{{"type", type}}, {}};
  return make_task(ConfigNode(&document.value, "task", &document), std::move(tokenizer));
}

class EveryTask : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryTask, TrainsIsScoredAndAnswers) {
  ASSERT_TRUE(examples().contains(GetParam())) << "a task without an example in this test";
  const Example& example = examples().at(GetParam());
  const TempDir directory;
  const auto file = directory.write(example.file, example.content);
  const auto tokenizer = std::make_shared<ByteTokenizer>(example.tokenizer);
  const auto task = task_of_type(GetParam(), tokenizer);
  TaskData data = test::scored({file}, 64);
  data.train = {{{file}, 1.0}};
  data.cache = directory / "cache";
  if (GetParam() == "dpo") {
    data.initial_model = (directory / "reference").string();
    test::tiny_llama(*tokenizer)->save(data.initial_model);
  }

  // Learning.
  task->read(data);
  const auto model = example.tokenizer == ByteTokenizer::Kind::kCausal
                         ? test::tiny_llama(*tokenizer, HeadKind::kCausalLm, task->labels())
                         : test::tiny_bert(*tokenizer, task->head(), task->labels());
  task->describe(model->config());
  test::train_briefly(*model, *task, 2, 2, 1e-3);
  const auto world = make_local_world();
  const ValidationResult validation = task->validator(*model, 2, *world)->validate(Context{});
  for (const Score& score : validation.scores) {
    EXPECT_NE(find_kind(task->validation_scores(), score.kind.name), nullptr) << score.kind.name;
    EXPECT_TRUE(std::isfinite(score.value)) << score.kind.name;
  }
  EXPECT_TRUE(validation.scores.contains(task->best_score()));

  // Scores of a model, and of the file of its predictions.
  const TaskEvaluation evaluation = task->evaluate(*model, data, {});
  for (const Score& score : evaluation.scores)
    EXPECT_NE(find_kind(task->evaluation_scores(), score.kind.name), nullptr) << score.kind.name;
  if (evaluation.predictions.empty()) {
    test::expect_error(ErrorCode::kUsage, {GetParam(), "no predictions"},
                       [&] { task->score(file, {file}); });
  } else {
    std::string lines;
    for (const Json& prediction : evaluation.predictions) lines += dump_json(prediction) + "\n";
    const auto saved = {
        directory.write("p.jsonl", lines),
        directory.write("p.json", dump_json(task->predictions_document(evaluation.predictions)))};
    for (const auto& predictions : saved) {
      const TaskEvaluation again = task->score(predictions, {file});
      EXPECT_FALSE(again.scores.empty());
      for (const Score& score : again.scores)
        EXPECT_EQ(score.value, evaluation.scores.at(score.kind.name))
            << predictions << " " << score.kind.name;
    }
  }

  // Answers, by the task that the model's configuration tells.
  // Preferred answers are answers to prompts.
  EXPECT_EQ(task_of(*model), GetParam() == "dpo" ? "text_generation" : GetParam());
  const auto responder = make_responder(*model, tokenizer, {});
  const std::vector<AnswerInput> inputs = {{example.input, "input 1"}};
  responder->check(inputs);
  const AnswerList answers = responder->answer(inputs, 0, {});
  ASSERT_EQ(answers.size(), 1u);
  const Json record = answers[0]->record();
  EXPECT_TRUE(record.contains(example.answered)) << dump_json(record);
  for (const auto* references : {&label_fields(), &answer_fields()}) {
    for (const std::string& name : *references)
      EXPECT_FALSE(record.contains(name)) << "a reference's name: " << name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryTask, ::testing::ValuesIn(task_types()),
                         [](const auto& type) { return type.param; });

TEST(RecordNames, PredictionsAndReferencesShareNone) {
  for (const std::string& name : prediction_fields()) {
    for (const auto* references : {&label_fields(), &answer_fields()})
      EXPECT_EQ(std::count(references->begin(), references->end(), name), 0) << name;
  }
}

}  // namespace
}  // namespace llmctl
