// Each task on a tiny model of its own kind: a handful of records is learned by heart.
#include <gtest/gtest.h>

#include "support/byte_tokenizer.h"
#include "support/device.h"
#include "support/temp_dir.h"
#include "tasks/brief_training.h"
#include "tasks/extractive_qa.h"
#include "tasks/sequence_classification.h"
#include "tasks/task_files.h"
#include "tasks/text_generation.h"

namespace llmctl {
namespace {

using test::ByteTokenizer;
using test::scored;
using test::TempDir;

EvaluateOptions options() {
  EvaluateOptions out;
  out.batch_size = 8;
  return out;
}

std::string questions() {
  const char* names[] = {"Ann", "Bob", "Cid", "Dee", "Eve"};
  const char* colours[] = {"red", "blue", "green", "pink", "grey"};
  const char* towns[] = {"松溪镇", "云林城", "杏湖县", "长泉县", "金林城"};
  Json data = Json::array();
  const auto ask = [&](const std::string& context, const std::string& question,
                       const std::string& answer) {
    data.push_back({{"id", std::to_string(data.size())},
                    {"context", context},
                    {"question", question},
                    {"answers", {answer}}});
  };
  for (int i = 0; i < 5; ++i) {
    const std::string a = names[i], b = names[(i + 2) % 5];
    const std::string red = colours[i], blue = colours[(i + 1) % 5], here = towns[i],
                      there = towns[(i + 3) % 5];
    const std::string english = a + " has a " + red + " hat, " + b + " a " + blue + " one.";
    ask(english, "Colour of " + a + "?", red);
    ask(english, "Colour of " + b + "?", blue);
    const std::string chinese = a + "住在" + here + "，" + b + "住在" + there + "。";
    ask(chinese, a + "在哪？", here);
    ask(chinese, b + "在哪？", there);
  }
  return dump_json(data);
}

TEST(Learning, ExtractiveQa) {
  const TempDir directory;
  const auto tokenizer = std::make_shared<ByteTokenizer>(ByteTokenizer::Kind::kMasked);
  const auto file = directory.write("qa.json", questions());
  const auto task = make_extractive_qa({}, tokenizer);
  TaskData files;
  files.train = {{{file}, 1.0}};
  files.sequence_length = 128;
  task->read(files);
  const auto model = test::tiny_bert(*tokenizer, HeadKind::kSpan);
  model->to(at::Device(test::test_device()));
  // 300 steps do at any rate from 2e-3 to 6e-3; 250 did on some processors only.
  test::train_briefly(*model, *task, 400, 20, 3e-3);
  const TaskEvaluation evaluation = task->evaluate(*model, scored({file}, 128), options());
  EXPECT_EQ(evaluation.scores.at("en.exact_match"), 100);
  EXPECT_EQ(evaluation.scores.at("zh.exact_match"), 100);
  EXPECT_LT(evaluation.baselines[0].scores.at("exact_match"), 100);
}

std::string reviews() {
  std::string lines;
  const char* words[] = {"apple", "river", "椅子", "stone", "花朵",
                         "music", "paper", "月亮", "train", "bread"};
  for (int i = 0; i < 20; ++i) {
    lines += dump_json(Json{{"text", std::string(words[i % 10]) + " " + words[(i * 7 + 3) % 10] +
                                         " " + std::to_string(i)},
                            {"label", i * 11 % 3 == 0  ? "good"
                                      : i * 5 % 3 == 1 ? "bad"
                                                       : "odd"}}) +
             "\n";
  }
  return lines;
}

TEST(Learning, SequenceClassificationByEncoderAndDecoder) {
  const TempDir directory;
  const auto file = directory.write("a.jsonl", reviews());
  for (bool decoder : {false, true}) {
    const auto tokenizer = std::make_shared<ByteTokenizer>(decoder ? ByteTokenizer::Kind::kCausal
                                                                   : ByteTokenizer::Kind::kMasked);
    const auto task = make_sequence_classification({}, tokenizer);
    TaskData files;
    files.train = {{{file}, 1.0}};
    files.sequence_length = 96;
    task->read(files);
    const auto model = decoder ? test::tiny_llama(*tokenizer, task->head(), task->labels())
                               : test::tiny_bert(*tokenizer, task->head(), task->labels());
    model->to(at::Device(test::test_device()));
    test::train_briefly(*model, *task, 100, 20, 3e-3);
    const TaskEvaluation evaluation = task->evaluate(*model, scored({file}, 96), options());
    EXPECT_EQ(evaluation.scores.at("accuracy"), 100) << (decoder ? "decoder" : "encoder");
    EXPECT_EQ(evaluation.scores.at("macro_f1"), 100);
    EXPECT_LT(evaluation.baselines[0].scores.at("accuracy"), 100);
  }
}

TEST(Learning, TextGeneration) {
  const TempDir directory;
  std::string lines;
  const char* answers[] = {"one",   "two",        "三个", "four or five", "六。",
                           "seven", "eight nine", "没有", "ten",          "many"};
  for (int i = 0; i < 10; ++i) {
    lines +=
        dump_json(Json{{"prompt", (i % 2 ? "how many " : "多少 ") + std::to_string(i * 37 % 10)},
                       {"answer", answers[i]}}) +
        "\n";
  }
  const auto file = directory.write("a.jsonl", lines);
  const auto tokenizer = std::make_shared<ByteTokenizer>(ByteTokenizer::Kind::kCausal);
  const auto task = make_text_generation({}, tokenizer);
  TaskData files;
  files.train = {{{file}, 1.0}};
  files.valid = {file};
  files.sequence_length = 96;
  task->read(files);
  const auto model = test::tiny_llama(*tokenizer);
  model->to(at::Device(test::test_device()));
  test::train_briefly(*model, *task, 150, 10, 3e-3);
  const auto world = make_local_world();
  const ValidationResult validation = task->validator(*model, 4, *world)->validate(Context{});
  EXPECT_LT(validation.scores.at("loss"), 0.1);
  EXPECT_EQ(validation.scores.at("exact_match"), 100);

  const TaskEvaluation evaluation = task->evaluate(*model, scored({file}, 96), options());
  EXPECT_EQ(evaluation.scores.at("exact_match"), 100);
  EXPECT_NEAR(evaluation.scores.at("loss"), validation.scores.at("loss"), 1e-5);
  EXPECT_EQ(evaluation.predictions[0].at("generated_text"), "one");

  const auto answered = [&](const Json& generation) {
    AnswerOptions answer;
    answer.sequence_length = 96;
    answer.generation = generation;
    return test::answers_of(*task, *model, {Json{{"prompt", "多少 0"}}}, answer).front();
  };
  const Json single = answered(Json::object());
  EXPECT_EQ(single.at("generated_text"), "one");
  EXPECT_EQ(single.at("finish_reason"), "stop");
  EXPECT_GT(single.at("tokens"), 0);
  EXPECT_FALSE(single.contains("logprob"));
  const Json scored = answered({{"logprobs", 1}});
  EXPECT_LE(scored.at("logprob"), 0);
  EXPECT_EQ(scored.at("logprobs").size(), scored.at("tokens"));
  const Json brief = answered({{"max_new_tokens", 2}});
  EXPECT_EQ(brief.at("generated_text"), "on");
  EXPECT_EQ(brief.at("finish_reason"), "length");
  EXPECT_EQ(answered({{"max_new_tokens", 20}, {"stop", {"e"}}}).at("generated_text"), "on");
}

}  // namespace
}  // namespace llmctl
