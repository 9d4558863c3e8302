#include "tasks/extractive_qa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "support/byte_tokenizer.h"
#include "support/expect_error.h"
#include "support/fake_model.h"
#include "support/temp_dir.h"
#include "tasks/task_files.h"

namespace llmctl {
namespace {

using test::answers_of;
using test::ByteTokenizer;
using test::expect_error;
using test::FakeModel;
using test::held_out_of;
using test::scored;
using test::TempDir;

std::shared_ptr<const Tokenizer> bytes() {
  return std::make_shared<ByteTokenizer>(ByteTokenizer::Kind::kMasked);
}

/// `passages` passages "…<digit>…" with two questions each; the answer is the digit.
std::string squad(int passages, const std::string& prefix = "p") {
  Json data = Json::array();
  for (int i = 0; i < passages; ++i) {
    const std::string digit = std::to_string(i % 10);
    const std::string context =
        "狐狸 number " + digit + " of " + prefix + std::string(static_cast<std::size_t>(i), '.');
    Json items = Json::array();
    for (const char* question : {"多少？", "How many?"}) {
      items.push_back({{"id", prefix + std::to_string(i) + question},
                       {"question", question},
                       {"answers", {{{"text", digit}, {"answer_start", 10}}}}});
    }
    data.push_back({{"paragraphs", {{{"context", context}, {"qas", items}}}}});
  }
  return dump_json(Json{{"version", "1.1"}, {"data", data}});
}

/// A model that answers with the first digit.
FakeModel digit_model() {
  FakeModel model(261, HeadKind::kSpan, 2);
  const c10::AutoGradMode no_grad(false);
  for (char digit = '0'; digit <= '9'; ++digit) {
    model.table()[digit][0] = 20;
    model.table()[digit][1] = 20;
  }
  return model;
}

constexpr std::int64_t kLength = 96;

EvaluateOptions options() {
  EvaluateOptions out;
  out.batch_size = 4;
  return out;
}

TEST(ExtractiveQa, TrainingRows) {
  const TempDir directory;
  const auto task = make_extractive_qa({}, bytes());
  TaskData files;
  files.train = {{{directory.write("a.json", squad(6))}, 1.0}};
  files.valid = {directory.write("v.json", squad(2, "v"))};
  files.sequence_length = 96;
  task->read(files);
  const auto source = task->source({1, 4, 2, 0, 1});
  EXPECT_EQ(source->steps_per_epoch(), 3);
  const auto batches = source->batches(0);
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0].input.rows(), 2);
  EXPECT_TRUE(batches[0].extras.at("start").gt(0).all().item<bool>());
  EXPECT_EQ(task->source({1, 4, 2, 0, 1})->fingerprint(), source->fingerprint());
  EXPECT_EQ(task->source({9, 2, 2, 0, 1})->fingerprint(), source->fingerprint())
      << "of the data alone";

  const auto other = make_extractive_qa({}, bytes());
  files.train[0].files = {directory.write("b.json", squad(5))};
  other->read(files);
  EXPECT_NE(other->source({1, 4, 2, 0, 1})->fingerprint(), source->fingerprint());
  FakeModel model = digit_model();
  EXPECT_EQ(task->loss(model)->counts(batches[0])[0].second, 2);
}

TEST(ExtractiveQa, WarnsOfHeldOutQuestionsThatAreLearnt) {
  const TempDir directory;
  TaskData files = test::scored({directory.write("v.json", squad(3))}, kLength);
  files.train = {{{directory.write("a.json", squad(2))}, 1.0}};
  testing::internal::CaptureStderr();
  make_extractive_qa({}, bytes())->read(files);
  EXPECT_NE(
      testing::internal::GetCapturedStderr().find("4 of 6 held-out questions are also learnt from"),
      std::string::npos);
}

TEST(ExtractiveQa, WeightsRepeatPassages) {
  const TempDir directory;
  const auto task = make_extractive_qa({}, bytes());
  TaskData files;
  files.train = {{{directory.write("a.json", squad(10))}, 2.0},
                 {{directory.write("b.json", squad(5, "b"))}, 1.0}};
  task->read(files);
  EXPECT_EQ(task->source({1, 1, 1, 0, 1})->steps_per_epoch(), 50);
  FakeModel model = digit_model();
  EXPECT_EQ(task->validator(model, 4, *make_local_world()), nullptr) << "nothing is held out";
}

TEST(ExtractiveQa, WarnsOfScoredAnswersThatAreNotInTheirPassages) {
  const TempDir directory;
  const std::string in = R"({"context": "Ann lives here.", "question": "who", "answer": "Ann"})",
                    out = R"({"context": "Ann lives here.", "question": "who", "answer": "Zed"})",
                    none = R"({"context": "Ann lives here.", "question": "who", "answer": ""})";
  TaskData files;
  files.train = {{{directory.write("train.jsonl", in + "\n")}, 1.0}};
  files.valid = {directory.write("valid.jsonl", in + "\n" + out + "\n" + none + "\n")};
  ::testing::internal::CaptureStderr();
  make_extractive_qa({}, bytes())->read(files);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              testing::HasSubstr("the answers of 1 of 3 questions that are scored do not occur"));
  const std::string predictions = directory.write("p.json", R"({"0": "Ann"})").string();
  ::testing::internal::CaptureStderr();
  make_extractive_qa({}, bytes())
      ->score(predictions, {directory.write("gold.jsonl", out + "\n").string()});
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), testing::HasSubstr("gold.jsonl:1: 'Zed'"));
}

TEST(ExtractiveQa, HoldsOutWholePassages) {
  const TempDir directory;
  const auto task = make_extractive_qa({}, bytes());
  TaskData files;
  files.train = {{{directory.write("a.json", squad(20))}, 1.0}};
  files.held_out.tail = 0.25;
  files.sequence_length = 96;
  task->read(files);
  EXPECT_EQ(task->source({1, 1, 1, 0, 1})->steps_per_epoch(), 30);
  FakeModel model = digit_model();
  const auto world = make_local_world();
  const ValidationResult result = task->validator(model, 4, *world)->validate(Context{});
  EXPECT_EQ(result.scores.at("exact_match"), 100);
  EXPECT_EQ(result.scores.at("zh.exact_match"), 100);
  EXPECT_FALSE(result.scores.contains("total"));
  EXPECT_LT(result.scores.at("loss"), 0.1);
  ASSERT_EQ(result.samples.size(), 4u);
  EXPECT_EQ(result.samples[0], "多少？ → 5   [5]");
}

TEST(ExtractiveQa, EvaluatesWhatARunHoldsOut) {
  const TempDir directory;
  const auto file = directory.write("a.json", squad(20));
  const auto task = make_extractive_qa({}, bytes());
  FakeModel model = digit_model();
  const double all = task->evaluate(model, scored({file}, kLength), options()).scores.at("total");
  const TaskEvaluation evaluation =
      task->evaluate(model, held_out_of({file}, {.tail = 0.25}, kLength), options());
  EXPECT_EQ(evaluation.scores.at("total"), all / 4);
  EXPECT_EQ(evaluation.predictions.size(), static_cast<std::size_t>(all / 4));
}

TEST(ExtractiveQa, WindowsWithoutTheAnswer) {
  const TempDir directory;
  Json data = Json::array({{{"context", std::string(200, 'x') + "7"},
                            {"question", "q"},
                            {"answers", {{{"text", "7"}, {"answer_start", 200}}}}}});
  TaskData files;
  files.train = {{{directory.write("a.json", dump_json(data))}, 1.0}};
  files.sequence_length = 64;
  ExtractiveQaConfig config;
  const auto all = make_extractive_qa(config, bytes());
  all->read(files);
  config.train_on_empty_windows = false;
  const auto some = make_extractive_qa(config, bytes());
  some->read(files);
  EXPECT_GT(all->source({1, 1, 1, 0, 1})->steps_per_epoch(), 4);
  EXPECT_EQ(some->source({1, 1, 1, 0, 1})->steps_per_epoch(), 1);
}

TEST(ExtractiveQa, AnswersThatDoNotOccurAreBadRows) {
  const TempDir directory;
  TaskData files;
  files.train = {
      {{directory.write("a.json", R"([{"context": "ab", "question": "q", "answers": ["b"]},
      {"context": "ab", "question": "q", "answers": ["c"]}, {"context": "ab", "question": "q", "answers": []}])")},
       1.0}};
  const auto task = make_extractive_qa({}, bytes());
  expect_error(ErrorCode::kData, {"a.json: [1]: the answer 'c' does not occur in the passage"},
               [&] { task->read(files); });
  files.skip_bad = true;
  task->read(files);
  EXPECT_EQ(task->source({1, 1, 1, 0, 1})->steps_per_epoch(), 2);
  files.train[0].files = {
      directory.write("b.json", R"([{"context": "ab", "question": "q", "answers": ["c"]}])")};
  expect_error(ErrorCode::kData, {"b.json: no question to train on is left"},
               [&] { task->read(files); });
}

TEST(ExtractiveQa, Evaluates) {
  const TempDir directory;
  FakeModel model = digit_model();
  const auto task = make_extractive_qa({}, bytes());
  const auto file = directory.write("a.json", squad(4));
  const TaskEvaluation evaluation = task->evaluate(model, scored({file}, kLength), options());
  EXPECT_EQ(evaluation.scores.at("exact_match"), 100);
  EXPECT_EQ(evaluation.scores.at("en.f1"), 100);
  EXPECT_EQ(evaluation.predictions.size(), 8u);
  EXPECT_EQ(evaluation.predictions[6].at("id"), "p3多少？");
  EXPECT_EQ(evaluation.predictions[6].at("prediction"), "3");
  ASSERT_EQ(evaluation.baselines.size(), 1u);
  EXPECT_EQ(evaluation.baselines[0].rule, "word overlap");
  EXPECT_EQ(evaluation.baselines[0].scores.at("exact_match"), 0);
  EXPECT_EQ(evaluation.baselines[0].scores.at("total"), 8);
  EXPECT_EQ(evaluation.samples.size(), 4u);

  // The predictions written to a file score the same.
  const Json document = task->predictions_document(evaluation.predictions);
  EXPECT_EQ(document.at("p3多少？"), "3");
  const auto predictions = directory.write("predictions.json", dump_json(document));
  EXPECT_EQ(task->score(predictions, {file}).scores, evaluation.scores);
}

TEST(ExtractiveQa, UnanswerableQuestions) {
  const TempDir directory;
  FakeModel model = digit_model();
  const c10::AutoGradMode no_grad(false);
  model.table()[258][0] = 15;  // [CLS]
  model.table()[258][1] = 15;
  const auto file = directory.write(
      "a.json", R"([{"id": "a", "context": "no number", "question": "q", "answers": []},
      {"id": "b", "context": "a 7", "question": "q", "answers": ["7"]}])");
  const TaskEvaluation evaluation =
      make_extractive_qa({}, bytes())->evaluate(model, scored({file}, kLength), options());
  EXPECT_EQ(evaluation.predictions[0].at("prediction"), "");
  EXPECT_EQ(evaluation.predictions[1].at("prediction"), "7");
  EXPECT_EQ(evaluation.scores.at("no_answer.exact_match"), 100);
  ExtractiveQaConfig config;
  config.no_answer = false;
  EXPECT_NE(make_extractive_qa(config, bytes())
                ->evaluate(model, scored({file}, kLength), options())
                .predictions[0]
                .at("prediction"),
            "");
}

TEST(ExtractiveQa, TheMarginOfNoAnswerIsTunedOnHeldOutQuestions) {
  const TempDir directory;
  const auto file = directory.write(
      "a.json", R"([{"id": "a", "context": "no number", "question": "q", "answers": []},
      {"id": "b", "context": "a 7", "question": "q", "answers": ["7"]},
      {"id": "c", "context": "an 8", "question": "q", "answers": ["8"]}])");
  TaskData files;
  files.train = {{{file}, 1.0}};
  files.valid = {file};
  files.sequence_length = kLength;
  FakeModel model = digit_model();
  const auto task = make_extractive_qa({}, bytes());
  task->read(files);
  task->describe(model.config());
  const auto world = make_local_world();
  const ValidationResult result = task->validator(model, 4, *world)->validate(Context{});
  EXPECT_EQ(result.scores.at("exact_match"), 100);
  const Json stored = model.config().at("task_specific_params").at("extractive_qa");
  EXPECT_EQ(stored.at("no_answer"), true);
  EXPECT_EQ(stored.at("no_answer_margin"), -20) << "half way between -40 and 0";
  const TaskEvaluation evaluation = task->evaluate(model, scored({file}, kLength), options());
  EXPECT_EQ(evaluation.scores.at("exact_match"), 100);
  const Json best = evaluation.predictions[0].at("n_best");
  double total = 0;
  bool empty = false;
  for (const Json& choice : best) {
    total += choice.at("probability").get<double>();
    empty = empty || choice.at("text") == "";
  }
  EXPECT_NEAR(total, 1, 1e-9);
  EXPECT_TRUE(empty) << "no answer is one of them";
  EXPECT_EQ(evaluation.predictions[1].at("n_best")[0].at("text"), "7");
  EXPECT_EQ(evaluation.predictions[1].at("n_best")[0].at("start_logit"), 20);

  // References with an answer each do not change what the model says.
  const auto answerable = directory.write(
      "b.json", R"([{"id": "a", "context": "no number", "question": "q", "answers": ["no"]}])");
  EXPECT_EQ(task->evaluate(model, scored({answerable}, kLength), options())
                .predictions[0]
                .at("prediction"),
            "");

  ExtractiveQaConfig own;
  own.no_answer_margin = 0.5;
  const auto fixed = make_extractive_qa(own, bytes());
  fixed->read(files);
  fixed->describe(model.config());
  EXPECT_NEAR(fixed->validator(model, 4, *world)->validate(Context{}).scores.at("exact_match"),
              200.0 / 3, 1e-9);
  const Json kept = model.config().at("task_specific_params").at("extractive_qa");
  EXPECT_EQ(kept.at("no_answer"), true) << "generate goes by the margin, too";
  EXPECT_EQ(kept.at("no_answer_margin"), 0.5);
  EXPECT_EQ(kept.at("max_answer_tokens"), own.max_answer_tokens);
}

TEST(ExtractiveQa, ScoresFiles) {
  const TempDir directory;
  const auto references = directory.write("r.json", squad(2));
  const auto task = make_extractive_qa({}, bytes());
  const std::string all =
      R"("p0多少？": "0", "p0How many?": "the 0", "p1How many?": "x", "p1多少？": "")";
  const auto predictions = directory.write("p.json", "{" + all + "}");
  const TaskEvaluation evaluation = task->score(predictions, {references});
  EXPECT_EQ(evaluation.scores.at("exact_match"), 50);
  EXPECT_EQ(evaluation.scores.at("zh.exact_match"), 50);
  expect_error(ErrorCode::kData, {"q.json: no prediction for id 'p0多少？' of the references"},
               [&] { task->score(directory.write("q.json", R"({"z": ""})"), {references}); });
  expect_error(ErrorCode::kData, {"more.json, id 'other': no reference has the id 'other'"}, [&] {
    task->score(directory.write("more.json", "{" + all + R"(, "other": "y"})"), {references});
  });
  expect_error(
      ErrorCode::kData,
      {"4 bad rows, listed above, the first: ", "r.json: data[0]", "id 'p0多少？' occurs twice"},
      [&] {
        task->score(predictions, {references, references});
      });
  expect_error(ErrorCode::kData, {"d.jsonl:2: id 'a' stands in record 1 too"}, [&] {
    task->score(directory.write("d.jsonl",
                                "{\"id\": \"a\", \"prediction\": \"\"}\n"
                                "{\"id\": \"a\", \"prediction\": \"\"}\n"),
                {references});
  });
  expect_error(ErrorCode::kData, {"e.json: no questions"},
               [&] { task->score(predictions, {directory.write("e.json", "[]")}); });
}

TEST(ExtractiveQa, PredictionsInOrderStandBesideTheirPassages) {
  const TempDir directory;
  const auto references =
      directory.write("r.jsonl", R"({"question": "q", "context": "number 1", "answers": ["1"]}
{"question": "q", "context": "number 2", "answers": ["2"]}
)");
  const auto task = make_extractive_qa({}, bytes());
  const std::string first = R"({"question": "q", "context": "number 1", "prediction": "1"})",
                    second = R"({"question": "q", "context": "number 2", "prediction": "2"})";
  const auto ordered = directory.write("p.jsonl", first + "\n" + second + "\n");
  EXPECT_EQ(task->score(ordered, {references}).scores.at("exact_match"), 100);
  const auto shuffled = directory.write("s.jsonl", second + "\n" + first + "\n");
  expect_error(ErrorCode::kData,
               {"s.jsonl:1: 'number 2' is not the input of reference 1 (", "r.jsonl:1)"},
               [&] { task->score(shuffled, {references}); });
}

TEST(ExtractiveQa, AnswersSingleQuestions) {
  FakeModel model = digit_model();
  const auto task = make_extractive_qa({}, bytes());
  AnswerOptions options;
  options.sequence_length = kLength;
  const auto answers = answers_of(*task, model,
                                  {Json{{"question", "多少？"}, {"context", "🦊 有 7 只"}},
                                   Json{{"question", "q"}, {"context", ""}}},
                                  options);
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].at("prediction"), "7");
  EXPECT_EQ(answers[0].at("start"), 4) << "in code points";
  EXPECT_EQ(answers[0].at("end"), 5);
  EXPECT_GT(answers[0].at("score").get<double>(), 0.9);
  EXPECT_EQ(answers[1].at("prediction"), "");
  expect_error(ErrorCode::kData,
               "input 1: question answering needs the texts 'question' and 'context'", [&] {
                 answers_of(*task, model, {Json{{"question", "q"}}}, options);
               });
  expect_error(ErrorCode::kUsage, {"use --question TEXT --context TEXT"},
               [&] { task->responder(model, options)->input_of("text"); });
}

}  // namespace
}  // namespace llmctl
