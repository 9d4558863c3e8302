#include "tasks/sequence_classification.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/log.h"
#include "support/byte_tokenizer.h"
#include "support/expect_error.h"
#include "support/fake_model.h"
#include "support/temp_dir.h"
#include "tasks/class_decision.h"
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

std::shared_ptr<const Tokenizer> plain() {
  return std::make_shared<ByteTokenizer>(ByteTokenizer::Kind::kPlain);
}

/// A model that reads the first byte of a text: 'g' is class 1, anything else class 0.
FakeModel first_byte_model(std::int64_t classes = 2,
                           const std::vector<std::string>& names = {"bad", "good"}) {
  FakeModel model(256, HeadKind::kSequenceClassification, classes);
  for (std::size_t i = 0; i < names.size(); ++i)
    model.config()["id2label"][std::to_string(i)] = names[i];
  const c10::AutoGradMode no_grad(false);
  model.table().select(1, 0).fill_(2);
  model.table()['g'][1] = 5;
  return model;
}

const std::string kTexts = "label,review\ngood,g one\nbad,b two\ngood,g three\ngood,wrong\n";

TEST(SequenceClassification, LabelsAreSortedUnlessGiven) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.csv", kTexts)}, 1.0}};
  const auto task = make_sequence_classification({}, plain());
  task->read(files);
  EXPECT_EQ(task->labels(), (std::vector<std::string>{"bad", "good"}));
  SequenceClassificationConfig config;
  config.labels = {"good", "bad", "ugly"};
  const auto given = make_sequence_classification(config, plain());
  given->read(files);
  EXPECT_EQ(given->labels(), config.labels);
  const Batch batch = given->source({1, 4, 4, 0, 1})->batches(0)[0];
  EXPECT_EQ(batch.labels.eq(0).sum().item<std::int64_t>(), 3) << "good has id 0";
  EXPECT_FALSE(batch.weights.defined());
}

TEST(SequenceClassification, WeightsOfRecordsAndFiles) {
  const TempDir directory;
  TaskData files;
  files.train = {
      {{directory.write(
           "a.jsonl",
           "{\"text\": \"x\", \"label\": 0, \"weight\": 0.5}\n{\"text\": \"y\", \"label\": 1}\n")},
       1.0},
      {{directory.write("b.jsonl", "{\"text\": \"z\", \"label\": 1}\n")}, 3.0}};
  const auto task = make_sequence_classification({}, plain());
  task->read(files);
  const auto source = task->source({1, 5, 5, 0, 1});
  EXPECT_EQ(source->steps_per_epoch(), 1);
  const Batch batch = source->batches(0)[0];
  EXPECT_EQ(batch.weights.sum().item<double>(), 4.5);
  EXPECT_EQ(batch.labels.sum().item<std::int64_t>(), 4);
}

TEST(SequenceClassification, ValidatesHeldOutTexts) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.csv", kTexts)}, 1.0}};
  files.valid = {directory.write(
      "v.jsonl",
      "{\"text\": \"g\", \"label\": \"good\"}\n{\"text\": \"b\", \"label\": \"bad\"}\n"
      "{\"text\": \"w\", \"label\": \"good\"}\n")};
  const auto task = make_sequence_classification({}, plain());
  task->read(files);
  FakeModel model = first_byte_model();
  const auto world = make_local_world();
  const ValidationResult result = task->validator(model, 2, *world)->validate(Context{});
  EXPECT_NEAR(result.scores.at("accuracy"), 200.0 / 3, 1e-9);
  EXPECT_NEAR(result.scores.at("macro_f1"), 200.0 / 3, 1e-9);
  const double g = std::log(1 + std::exp(2 - 5)), b = std::log(1 + std::exp(-2)),
               w = std::log(1 + std::exp(2));
  EXPECT_NEAR(result.scores.at("loss"), (g + b + w) / 3, 1e-5);
  EXPECT_EQ(result.samples[0], "g → good   [good]");
  EXPECT_EQ(task->best_score(), "accuracy");
}

TEST(SequenceClassification, HoldsOutByHashAndEvaluatesThat) {
  const TempDir directory;
  std::string lines;
  for (int i = 0; i < 200; ++i) {
    const std::string label = i % 2 == 0 ? "good" : "bad";
    lines += dump_json(Json{{"text", label + std::to_string(i)}, {"label", label}}) + "\n";
  }
  TaskData files;
  files.train = {{{directory.write("a.jsonl", lines)}, 1.0}};
  files.held_out.hash = 0.2;
  const auto task = make_sequence_classification({}, plain());
  task->read(files);
  const std::int64_t trained = task->source({1, 1, 1, 0, 1})->steps_per_epoch();
  EXPECT_NEAR(static_cast<double>(trained), 160, 20);
  FakeModel model = first_byte_model();
  const TaskEvaluation evaluation =
      task->evaluate(model, held_out_of(files.train_files(), {.hash = 0.2}), {});
  EXPECT_EQ(evaluation.scores.at("total"), 200 - trained);
}

TEST(SequenceClassification, ErrorsOfReading) {
  const TempDir directory;
  const auto task = make_sequence_classification({}, plain());
  TaskData files;
  files.train = {{{directory.write("a.csv", "text,label\nx,one\ny,one\n")}, 1.0}};
  expect_error(ErrorCode::kData, {"a.csv: all texts have the class 'one'"},
               [&] { task->read(files); });
  files.train[0].files = {directory.write("b.csv", "text,label\n,one\n")};
  expect_error(ErrorCode::kData, {"b.csv:2: the text is empty"}, [&] { task->read(files); });
  files.skip_bad = true;
  expect_error(ErrorCode::kData, {"b.csv: no text to train on"}, [&] { task->read(files); });
  files.skip_bad = false;
  files.train[0].files = {directory.write("c.csv", kTexts)};
  files.valid = {directory.write("v.csv", "text,label\nx,good\ny,goood\n")};
  expect_error(
      ErrorCode::kData,
      {"v.csv:3: ", "unknown class 'goood', expected one of bad, good, did you mean 'good'?"},
      [&] { task->read(files); });
}

TEST(SequenceClassification, BadRowsOfAllFilesAreToldAtOnceOrLeftOut) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.jsonl",
                                   "{\"text\": \"g one\", \"label\": \"good\"}\n"
                                   "{\"text\": \"b two\", \"label\": \"bad\"}\n"
                                   "{\"text\": \"\", \"label\": \"bad\"}\n"
                                   "{\"text\": \"\xC4\xE3\", \"label\": \"bad\"}\n"
                                   "{\"text\": \"x\"}\n{\"text\"\n")},
                  1.0}};
  files.valid = {directory.write("v.csv", "text,label\nx,good\ny,goood\nz,good,1\n")};
  const auto task = make_sequence_classification({}, plain());
  testing::internal::CaptureStderr();
  expect_error(ErrorCode::kData, {"6 bad rows, listed above, the first: ", "a.jsonl:3: the text"},
               [&] { task->read(files); });
  std::string told = testing::internal::GetCapturedStderr();
  for (const char* row : {"a.jsonl:3: the text is empty", "a.jsonl:4: invalid UTF-8",
                          "a.jsonl:5: no field 'label' (it has text)", "a.jsonl:6:",
                          "v.csv:3: unknown class 'goood'", "v.csv:4: 3 fields, expected 2"})
    EXPECT_NE(told.find(row), told.npos) << row << "\n" << told;
  files.skip_bad = true;
  testing::internal::CaptureStderr();
  task->read(files);
  told = testing::internal::GetCapturedStderr();
  EXPECT_NE(told.find("6 bad rows are left out"), told.npos) << told;
  EXPECT_EQ(task->source({1, 1, 1, 0, 1})->steps_per_epoch(), 2);
  FakeModel model = first_byte_model();
  TaskData scores = scored(files.valid);
  scores.skip_bad = true;
  EXPECT_EQ(task->evaluate(model, scores, {}).scores.at("total"), 1);
}

TEST(SequenceClassification, Evaluates) {
  const TempDir directory;
  const auto file = directory.write("a.csv", kTexts);
  const auto task = make_sequence_classification({}, plain());
  FakeModel model = first_byte_model();
  const TaskEvaluation evaluation = task->evaluate(model, scored({file}), {});
  EXPECT_EQ(evaluation.scores.at("accuracy"), 75);
  EXPECT_EQ(evaluation.scores.at("total"), 4);
  EXPECT_EQ(evaluation.scores.at("class.bad.precision"), 50);
  EXPECT_NEAR(evaluation.scores.at("class.good.recall"), 200.0 / 3, 1e-9);
  ASSERT_EQ(evaluation.baselines.size(), 1u);
  EXPECT_EQ(evaluation.baselines[0].scores.at("accuracy"), 75);
  EXPECT_EQ(evaluation.baselines[0].rule, "most frequent class");
  ASSERT_EQ(evaluation.predictions.size(), 4u);
  EXPECT_EQ(evaluation.predictions[0].at("id"), 0);
  EXPECT_EQ(evaluation.predictions[0].at("prediction"), "good");
  EXPECT_NEAR(evaluation.predictions[0].at("scores").at("good").get<double>(),
              1 / (1 + std::exp(2 - 5)), 1e-6);
  EXPECT_EQ(evaluation.samples.size(), 4u);

  std::string lines;
  for (const Json& prediction : evaluation.predictions) lines += dump_json(prediction) + "\n";
  const TaskEvaluation again = task->score(directory.write("p.jsonl", lines), {file});
  for (const Score& score : again.scores)
    EXPECT_EQ(score.value, evaluation.scores.at(score.kind.name)) << score.kind.name;
}

TEST(SequenceClassification, LabelsWrittenAsNumbers) {
  const TempDir directory;
  const auto file = directory.write("a.csv", "text,label\ng,1\nb,0\n");
  FakeModel model = first_byte_model(2, {"LABEL_0", "LABEL_1"});
  EXPECT_EQ(make_sequence_classification({}, plain())
                ->evaluate(model, scored({file}), {})
                .scores.at("accuracy"),
            100);
  FakeModel three = first_byte_model(3, {});
  EXPECT_EQ(make_sequence_classification({}, plain())
                ->evaluate(three, scored({file}), {})
                .scores.at("accuracy"),
            100);
  const auto unknown = directory.write("b.csv", "text,label\ng,7\n");
  expect_error(
      ErrorCode::kData, {"b.csv:2: ", "unknown class '7', expected one of LABEL_0, LABEL_1"},
      [&] { make_sequence_classification({}, plain())->evaluate(model, scored({unknown}), {}); });
}

TEST(SequenceClassification, LabelsAreNamesAndNumbersValuesNeverPositions) {
  const TempDir directory;
  const auto task = make_sequence_classification({}, plain());
  FakeModel stars = first_byte_model(2, {"1", "2"});
  const auto from_zero = directory.write("zero.csv", "text,label\ng,1\nb,0\n");
  expect_error(ErrorCode::kData, {"zero.csv:3: ", "unknown class '0', expected one of 1, 2"},
               [&] { task->evaluate(stars, scored({from_zero}), {}); });
  const auto floats = directory.write("float.csv", "text,label\ng,2.0\nb, 1\n");
  EXPECT_EQ(task->evaluate(stars, scored({floats}), {}).scores.at("accuracy"), 100);

  // Predictions of classes that no reference has are wrong, whatever their number.
  const auto ones = directory.write("one.csv", "text,label\nx,1\ny,1\n");
  const auto zeros = directory.write("zeros.jsonl", "{\"prediction\": 0}\n{\"prediction\": 0}\n");
  EXPECT_EQ(task->score(zeros, {ones}).scores.at("accuracy"), 0);
  const auto same =
      directory.write("same.jsonl", "{\"prediction\": 1.0}\n{\"prediction\": \"1\"}\n");
  EXPECT_EQ(task->score(same, {ones}).scores.at("accuracy"), 100);
}

TEST(SequenceClassification, ScoresAreNoClasses) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.csv", "text,label\nx,0.37\ny,1\n")}, 1.0}};
  expect_error(ErrorCode::kData, {"a.csv:2: the label 0.37 is a number with a fraction"},
               [&] { make_sequence_classification({}, plain())->read(files); });
}

TEST(SequenceClassification, ScoresFiles) {
  const TempDir directory;
  const auto references = directory.write("r.csv", "id,text,label\nu,x,a\nv,y,b\n");
  const auto task = make_sequence_classification({}, plain());
  const auto by_id = directory.write(
      "p.jsonl",
      "{\"id\": \"v\", \"prediction\": \"b\"}\n{\"id\": \"u\", \"prediction\": \"other\"}\n");
  EXPECT_EQ(task->score(by_id, {references}).scores.at("accuracy"), 50);
  const auto numbered = directory.write("n.csv", "text,label\nx,a\ny,b\n");
  const auto in_order =
      directory.write("o.jsonl", "{\"prediction\": \"a\"}\n{\"prediction\": \"a\"}\n");
  EXPECT_EQ(task->score(in_order, {numbered}).scores.at("accuracy"), 50);
  const auto refused = [&](const std::string& name, const std::string& lines,
                           const std::string& message) {
    expect_error(ErrorCode::kData, {message},
                 [&] { task->score(directory.write(name, lines), {references}); });
  };
  refused("s.jsonl", "{\"id\": \"u\", \"prediction\": \"a\"}\n",
          "s.jsonl: no prediction for id 'v' of the references");
  refused("t.jsonl",
          "{\"id\": \"u\", \"prediction\": \"a\"}\n{\"id\": \"u\", \"prediction\": \"a\"}\n",
          "t.jsonl:2: id 'u' stands in record 1 too");
  refused("l.jsonl", "{\"id\": \"u\", \"label\": \"a\"}\n",
          "l.jsonl:1: no prediction (looked for prediction, generated_text, predicted_label, "
          "prediction_text, "
          "predicted_answer; it has id, label)");
  refused("m.jsonl", "{\"prediction\": \"a\"}\n",
          "m.jsonl: no prediction for reference 2 of 2 (matched by their order)");
  refused("n.jsonl", "{\"prediction\": 1}\n{\"prediction\": 1}\n{\"prediction\": 1}\n",
          "n.jsonl:3: there are only 2 references");
}

TEST(SequenceClassification, PredictionsInOrderStandBesideTheirTexts) {
  const TempDir directory;
  const auto refused = [&](const Task& task, const std::string& references,
                           const std::string& predictions, const std::string& text) {
    const auto gold = directory.write("r.jsonl", references);
    expect_error(ErrorCode::kData,
                 {"s.jsonl:1: '" + text + "' is not the input of reference 1 (", "r.jsonl:1)",
                  "or give the records of both files ids"},
                 [&] { task.score(directory.write("s.jsonl", predictions), {gold}); });
  };
  const auto task = make_sequence_classification({}, plain());
  const std::string references = R"({"text": "x\ny", "label": "a"}
{"text": "z", "label": "b"}
)";
  // White space may be kept otherwise, as in a file of lines.
  const std::string first = "{\"text\": \"x y\", \"prediction\": \"a\"}\n",
                    second = "{\"text\": \"z\", \"prediction\": \"b\"}\n";
  EXPECT_EQ(task->score(directory.write("p.jsonl", first + second),
                        {directory.write("g.jsonl", references)})
                .scores.at("accuracy"),
            100);
  refused(*task, references, second + first, "z");
  // Of pairs the second text tells rows apart.
  refused(*task, R"({"question": "q", "sentence": "s", "label": "a"}
{"question": "q", "sentence": "t", "label": "b"}
)",
          R"({"question": "q", "sentence": "t", "prediction": "b"}
{"question": "q", "sentence": "s", "prediction": "a"}
)",
          "t");
  for (const char* problem : {"regression", "multi_label_classification"}) {
    SequenceClassificationConfig config;
    config.problem_type = problem;
    refused(*make_sequence_classification(config, plain()), R"({"text": "u", "label": 3}
{"text": "v", "label": 2}
)",
            R"({"text": "v", "prediction": 2}
{"text": "u", "prediction": 3}
)",
            "v");
  }
}

TEST(SequenceClassification, AnswersSingleTexts) {
  FakeModel model = first_byte_model();
  const auto task = make_sequence_classification({}, plain());
  const auto answers =
      answers_of(*task, model, {Json{{"text", "great"}, {"label", "bad"}}, Json{{"prompt", "no"}}});
  EXPECT_EQ(answers[0].at("prediction"), "good");
  EXPECT_FALSE(answers[0].contains("label")) << "a reference's name";
  EXPECT_EQ(answers[1].at("prediction"), "bad");
  EXPECT_EQ(answers[1].at("scores").size(), 2u);
  expect_error(ErrorCode::kData, {"input 1: no field with the text"}, [&] {
    answers_of(*task, model, {Json{{"txt", "x"}}});
  });
}

TEST(ClassAnswer, IsWhatTheProblemTypeSays) {
  const std::vector<std::string> names = {"a", "b", "c"};
  const ClassAnswer single({ProblemType::kSingleLabel, names}, {0.2f, 0.7f, 0.1f});
  EXPECT_EQ(single.record().at("prediction"), "b");
  EXPECT_EQ(single.text(), "b  70.0 %");
  const ClassDecision several{ProblemType::kMultiLabel, names};
  const ClassAnswer two(several, {0.9f, 0.4f, 0.6f});
  EXPECT_EQ(two.record().at("prediction"), (Json{"a", "c"}));
  EXPECT_EQ(two.text(), "a  90.0 %, c  60.0 %");
  const ClassAnswer none(several, {0.1f, 0.4f, 0.3f});
  EXPECT_TRUE(none.chosen().empty());
  EXPECT_EQ(none.text(), "(no class reaches its threshold)");
  const ClassDecision lower{ProblemType::kMultiLabel, names, 1, {0.1, 0.5, 0.5}};
  EXPECT_EQ(ClassAnswer(lower, {0.1f, 0.4f, 0.3f}).chosen(), (std::vector<std::string>{"a"}));
  const ClassAnswer value({ProblemType::kRegression, {"LABEL_0"}}, {3.5f});
  EXPECT_EQ(value.record().at("prediction"), 3.5);
  EXPECT_EQ(value.record().at("scores").at("LABEL_0"), 3.5);
  EXPECT_EQ(value.text(), "3.5");
}

TaskData data_of(const TempDir& directory, const std::string& train, const std::string& valid) {
  TaskData files;
  files.train = {{{directory.write("train.jsonl", train)}, 1.0}};
  files.valid = {directory.write("valid.jsonl", valid)};
  return files;
}

TEST(SequenceClassification, CalibratesOnHeldOutTextsAndLeavesThatInTheModel) {
  const TempDir directory;
  // Of every two texts that the model is sure of, one is wrong.
  std::string lines;
  for (int i = 0; i < 40; ++i)
    lines += dump_json(Json{{"text", "g"}, {"label", i % 4 == 0 ? "bad" : "good"}}) + "\n";
  const auto task = make_sequence_classification({}, plain());
  const TaskData files = data_of(directory, lines, lines);
  task->read(files);
  FakeModel model = first_byte_model();
  model.config()["task_specific_params"]["sequence_classification"]["temperature"] = 7;
  task->describe(model.config());
  const auto world = make_local_world();
  task->validator(model, 8, *world)->validate(Context{});
  const double temperature = model.config()
                                 .at("task_specific_params")
                                 .at("sequence_classification")
                                 .at("temperature")
                                 .get<double>();
  // softmax of logits 2 and 5 at that temperature is the share of right ones, smoothed.
  EXPECT_NEAR(1 / (1 + std::exp(-3 / temperature)), 31.0 / 42, 1e-4);
  const TaskEvaluation evaluation = task->evaluate(model, scored(files.valid), {});
  EXPECT_NEAR(evaluation.scores.at("expected_calibration_error"), 100 * (30.0 / 40 - 31.0 / 42),
              0.01);
  EXPECT_NEAR(answers_of(*task, model, {Json{{"text", "g"}}})[0].at("scores").at("good"), 31.0 / 42,
              1e-4);
  SequenceClassificationConfig own;
  own.temperature = 1;
  EXPECT_NEAR(
      answers_of(*make_sequence_classification(own, plain()), model, {Json{{"text", "g"}}})[0]
          .at("scores")
          .at("good"),
      1 / (1 + std::exp(-3)), 1e-5);
}

/// Of a text that begins with 'g' x is likely, and y less unlikely than of others.
FakeModel several_labels_model() {
  FakeModel model = first_byte_model(2, {"x", "y"});
  model.set_problem_type(ProblemType::kMultiLabel);
  const c10::AutoGradMode no_grad(false);
  model.table().fill_(-3);
  model.table()['g'][0] = 2;
  model.table()['g'][1] = -2;
  return model;
}

TEST(SequenceClassification, SeveralLabelsHaveThresholdsOfTheirOwn) {
  const TempDir directory;
  const std::string lines = R"({"text": "g", "labels": ["x", "y"]}
{"text": "g", "labels": ["x"]}
{"text": "b", "labels": []}
{"text": "h", "labels": ["y"]}
)";
  SequenceClassificationConfig config;
  config.problem_type = "multi_label_classification";
  const auto task = make_sequence_classification(config, plain());
  const TaskData files = data_of(directory, lines, lines);
  task->read(files);
  EXPECT_EQ(task->labels(), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(task->best_score(), "micro_f1");
  const Batch batch = task->source({1, 4, 4, 0, 1})->batches(0)[0];
  EXPECT_EQ(batch.labels.sizes(), (at::IntArrayRef{4, 2}));
  EXPECT_EQ(batch.labels.sum(0)[0].item<std::int64_t>(), 2);
  EXPECT_EQ(batch.labels.sum(0)[1].item<std::int64_t>(), 2);

  FakeModel model = several_labels_model();
  const c10::AutoGradMode no_grad(false);
  model.table()['h'][1] = -1;
  task->describe(model.config());
  const auto world = make_local_world();
  const ValidationResult result = task->validator(model, 8, *world)->validate(Context{});
  // y is never likelier than 0.5; its own threshold finds it.
  EXPECT_NEAR(result.scores.at("micro_f1"), 100 * 2 * 4.0 / (4 + 5), 1e-9);
  EXPECT_EQ(result.scores.at("subset_accuracy"), 75);
  const Json stored = model.config().at("task_specific_params").at("sequence_classification");
  EXPECT_LT(stored.at("thresholds").at("y"), 0.5);
  const auto answers = answers_of(*task, model, {Json{{"text", "g"}}, Json{{"text", "b"}}});
  EXPECT_EQ(answers[0].at("prediction"), (Json{"x", "y"}));
  EXPECT_EQ(answers[1].at("prediction"), Json::array());
  const TaskEvaluation evaluation = task->evaluate(model, scored(files.valid), {});
  EXPECT_EQ(evaluation.scores.at("class.y.recall"), 100);
  std::string predicted;
  for (const Json& one : evaluation.predictions) predicted += dump_json(one) + "\n";
  const TaskEvaluation again = task->score(directory.write("p.jsonl", predicted), files.valid);
  EXPECT_EQ(again.scores.at("micro_f1"), evaluation.scores.at("micro_f1"));
}

TEST(SequenceClassification, ThresholdsOfSomeLabelsLeaveTheOthersTheirs) {
  const TempDir directory;
  const std::string lines = R"({"text": "g", "labels": ["x", "y"]}
{"text": "b", "labels": []}
)";
  SequenceClassificationConfig config;
  config.problem_type = "multi_label_classification";
  config.thresholds = {{"x", 0.95}};
  const auto task = make_sequence_classification(config, plain());
  const TaskData files = data_of(directory, lines, lines);
  task->read(files);
  FakeModel model = several_labels_model();
  task->describe(model.config());
  task->validator(model, 8, *make_local_world())->validate(Context{});
  const Json stored =
      model.config().at("task_specific_params").at("sequence_classification").at("thresholds");
  EXPECT_EQ(stored.at("x"), 0.95);
  EXPECT_LT(stored.at("y"), 0.5) << "tuned";
  // Another one of y alone leaves x the model's.
  config.thresholds = {{"y", 0.9}};
  const auto other = make_sequence_classification(config, plain());
  EXPECT_EQ(answers_of(*other, model, {Json{{"text", "g"}}})[0].at("prediction"), Json::array());
}

TEST(SequenceClassification, ThresholdsNameClassesOfTheData) {
  const TempDir directory;
  SequenceClassificationConfig config;
  config.problem_type = "multi_label_classification";
  config.thresholds = {{"fod", 0.5}};
  const std::string lines = R"({"text": "g", "labels": ["food", "place"]})";
  const TaskData files = data_of(directory, lines, lines);
  expect_error(ErrorCode::kConfig, {"task.thresholds: 'fod' is no class", "did you mean 'food'?"},
               [&] { make_sequence_classification(config, plain())->read(files); });
}

TEST(SequenceClassification, ThresholdsAreOfSeveralLabels) {
  const TempDir directory;
  SequenceClassificationConfig config;
  config.thresholds = {{"good", 0.9}};
  const auto task = make_sequence_classification(config, plain());
  TaskData files;
  files.train = {{{directory.write("a.csv", kTexts)}, 1.0}};
  expect_error(ErrorCode::kConfig, {"thresholds: are of several labels"},
               [&] { task->read(files); });
  FakeModel model = first_byte_model();
  expect_error(ErrorCode::kConfig, {"thresholds: are of several labels"}, [&] {
    answers_of(*task, model, {Json{{"text", "g"}}});
  });
}

TEST(SequenceClassification, ALabelThatIsPredictedTwiceCountsOnce) {
  const TempDir directory;
  SequenceClassificationConfig config;
  config.problem_type = "multi_label_classification";
  const auto references = directory.write("r.jsonl", R"({"text": "t", "labels": ["a"]}
{"text": "u", "labels": ["b"]}
)");
  const auto predictions = directory.write("p.jsonl", R"({"prediction": ["a", "a"]}
{"prediction": "b, b"}
)");
  const Scores scores =
      make_sequence_classification(config, plain())->score(predictions, {references}).scores;
  EXPECT_EQ(scores.at("micro_f1"), 100);
  EXPECT_EQ(scores.at("subset_accuracy"), 100);
}

TEST(SequenceClassification, FieldsOfTheTextsAreKeptWithTheModel) {
  SequenceClassificationConfig config;
  config.text_field = "review";
  config.pair_field = "aspect";
  Json model = Json::object();
  make_sequence_classification(config, plain())->describe(model);
  EXPECT_EQ(model.at("task_specific_params").at("sequence_classification"),
            (Json{{"text_field", "review"}, {"pair_field", "aspect"}}));
}

TEST(SequenceClassification, PairsAreReadWhereTheyWereLearnt) {
  const TempDir directory;
  const auto written = [&](const std::string& name, const std::string& second) {
    return directory.write(name, "{\"text\": \"g\"" + second +
                                     ", \"label\": \"good\"}\n{\"text\": \"b\"" + second +
                                     ", \"label\": \"bad\"}\n");
  };
  const auto singles = written("singles.jsonl", "");
  const auto pairs = written("pairs.jsonl", ", \"pair\": \"p\"");
  const auto learnt = [&](const std::vector<std::filesystem::path>& train,
                          const std::vector<std::filesystem::path>& valid,
                          const SequenceClassificationConfig& config = {}) {
    TaskData files;
    for (const auto& file : train) files.train.push_back({{file}, 1.0});
    files.valid = valid;
    const auto task = make_sequence_classification(config, plain());
    task->read(files);
    FakeModel model = first_byte_model();
    task->describe(model.config());
    return model;
  };
  const auto stored = [](FakeModel& model) {
    return model.config().at("task_specific_params").at("sequence_classification");
  };
  const auto task = make_sequence_classification({}, plain());

  FakeModel paired = learnt({pairs}, {pairs});
  EXPECT_EQ(stored(paired), (Json{{"pairs", true}}));
  answers_of(*task, paired, {Json{{"text", "g"}, {"pair", "p"}}});
  for (const auto& ask : std::vector<std::function<void()>>{
           [&] {
             answers_of(*task, paired, {Json{{"text", "g"}}});
           },
           [&] { task->evaluate(paired, scored({singles}), {}); },
           [&] { learnt({pairs}, {singles}); },
       })
    expect_error(ErrorCode::kData, {"no second text beside 'text'"}, ask);

  // A second text that was not learnt is not read.
  FakeModel single = learnt({singles}, {pairs});
  EXPECT_EQ(stored(single), (Json{{"pairs", false}}));
  EXPECT_EQ(answers_of(*task, single, {Json{{"text", "g"}, {"pair", "p"}}}),
            answers_of(*task, single, {Json{{"text", "g"}}}));
  SequenceClassificationConfig alone;
  alone.pairs = false;
  FakeModel chosen = learnt({pairs}, {}, alone);
  EXPECT_EQ(stored(chosen), (Json{{"pairs", false}}));

  FakeModel both = learnt({singles, pairs}, {pairs, singles});
  EXPECT_FALSE(both.config().contains("task_specific_params"));

  SequenceClassificationConfig unlabelled;
  unlabelled.consistency = 1;
  unlabelled.unlabelled = {directory.write("lines.txt", "g\n").string()};
  learnt({singles}, {}, unlabelled);
  expect_error(ErrorCode::kData, {"lines.txt: lines of text, and what is learnt are pairs"},
               [&] { learnt({pairs}, {}, unlabelled); });
}

std::string said_of_reading(Task& task, const TaskData& files) {
  set_log_level(LogLevel::kInfo);
  testing::internal::CaptureStderr();
  task.read(files);
  return testing::internal::GetCapturedStderr();
}

TEST(SequenceClassification, HeldOutTextsAreNotLearntFromOthersLabels) {
  using testing::HasSubstr;
  using testing::Not;
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.csv", kTexts)}, 1.0}};
  files.valid = {directory.write("v.csv", "label,review\ngood,g one\nbad,held\n")};
  files.train_only = {
      directory.write("weak.csv", "label,review\ngood,held\ngood,g one\nbad,fresh\n")};
  const auto task = make_sequence_classification({}, plain());
  const std::string said = said_of_reading(*task, files);
  EXPECT_THAT(said, HasSubstr("2 texts of data.train_only are held out for validation"));
  EXPECT_EQ(task->training_records(), 5u) << "four of data.train, one of data.train_only";
  EXPECT_THAT(said, HasSubstr("1 of 2 held-out texts are also learnt from"));

  // The second text counts.
  files.train[0].files = {directory.write("p.csv", "label,text,pair\ngood,g,one\nbad,b,two\n")};
  files.valid = {directory.write("q.csv", "label,text,pair\ngood,g,two\nbad,b,one\n")};
  files.train_only = {directory.write("w.csv", "label,text,pair\ngood,g,three\n")};
  const std::string pairs = said_of_reading(*make_sequence_classification({}, plain()), files);
  EXPECT_THAT(pairs, Not(HasSubstr("also learnt from")));
  EXPECT_THAT(pairs, Not(HasSubstr("train_only")));
}

TEST(SequenceClassification, TextsAreCutAsTheStartModelWasTrained) {
  using testing::HasSubstr;
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.csv", kTexts)}, 1.0}};
  files.initial_model = "first";
  files.initial_params = {{"sequence_classification", {{"truncation_side", "left"}}}};
  const auto side_after = [&](const SequenceClassificationConfig& config, std::string* said) {
    const auto task = make_sequence_classification(config, plain());
    *said = said_of_reading(*task, files);
    Json described = Json::object();
    task->describe(described);
    return described.at("task_specific_params").at("sequence_classification").at("truncation_side");
  };
  std::string said;
  EXPECT_EQ(side_after({}, &said), "left");
  EXPECT_THAT(said, HasSubstr("as first was trained, truncation_side left"));
  SequenceClassificationConfig given;
  given.truncation_side = "middle";
  EXPECT_EQ(side_after(given, &said), "middle");
  EXPECT_THAT(said, testing::Not(HasSubstr("as first was trained")));
}

TEST(SequenceClassification, ATeacherReadsWhatTheStudentReads) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.csv", kTexts)}, 1.0}};
  SequenceClassificationConfig config;
  config.distillation.emplace();
  config.distillation->teacher = "teacher";
  const auto task = make_sequence_classification(config, plain());
  task->read(files);
  const auto& student = dynamic_cast<const Student&>(*task);
  FakeModel teacher = first_byte_model(), model = first_byte_model();
  student.check_teacher(teacher, *plain(), model);
  Json& stored = teacher.config()["task_specific_params"]["sequence_classification"]["pairs"];
  stored = false;
  student.check_teacher(teacher, *plain(), model);
  stored = true;
  expect_error(ErrorCode::kConfig,
               {"task.distillation.teacher: teacher was trained for pairs of texts",
                "the training data hold texts alone"},
               [&] { student.check_teacher(teacher, *plain(), model); });
}

TEST(SequenceClassification, NoiseOfMasksNeedsATokenForThem) {
  const TempDir directory;
  SequenceClassificationConfig config;
  config.consistency = 1;
  config.word_noise = 0.1;
  TaskData files;
  files.train = {{{directory.write("a.csv", kTexts)}, 1.0}};
  expect_error(ErrorCode::kConfig, {"task.word_noise_kind: mask", "use drop or swap"},
               [&] { make_sequence_classification(config, plain())->read(files); });
  config.word_noise_kind = "drop";
  make_sequence_classification(config, plain())->read(files);
}

TEST(SequenceClassification, NumbersAreLearntAsNumbers) {
  const TempDir directory;
  const std::string lines = R"({"text": "a", "score": 1}
{"text": "b", "score": 2.5}
{"text": "c", "score": 4}
)";
  SequenceClassificationConfig config;
  config.problem_type = "regression";
  const auto task = make_sequence_classification(config, plain());
  const TaskData files = data_of(directory, lines, lines);
  task->read(files);
  EXPECT_EQ(task->labels(), (std::vector<std::string>{"LABEL_0"}));
  const Batch batch = task->source({1, 3, 3, 0, 1})->batches(0)[0];
  EXPECT_EQ(batch.labels.sum().item<float>(), 7.5f);
  FakeModel model(256, HeadKind::kSequenceClassification, 1);
  model.set_problem_type(ProblemType::kRegression);
  const c10::AutoGradMode no_grad(false);
  model.table()['a'][0] = 1;
  model.table()['b'][0] = 2;
  model.table()['c'][0] = 3;
  const auto world = make_local_world();
  const ValidationResult result = task->validator(model, 8, *world)->validate(Context{});
  EXPECT_NEAR(result.scores.at("pearson"), 1, 1e-9);
  EXPECT_NEAR(result.scores.at("mse"), (0.25 + 1) / 3, 1e-9);
  EXPECT_NEAR(result.scores.at("mae"), 1.5 / 3, 1e-9);
  EXPECT_EQ(result.scores.at("loss"), result.scores.at("mse"));
  EXPECT_EQ(answers_of(*task, model, {Json{{"text", "b"}}})[0].at("prediction"), 2);
  const TaskEvaluation evaluation = task->evaluate(model, scored(files.valid), {});
  EXPECT_EQ(evaluation.baselines[0].rule, "mean value");
  EXPECT_NEAR(evaluation.baselines[0].scores.at("mse"), 1.5, 1e-9);
}

TEST(SequenceClassification, ClassWeights) {
  const TempDir directory;
  const std::string lines = R"({"text": "a", "label": "x"}
{"text": "b", "label": "x"}
{"text": "c", "label": "x"}
{"text": "d", "label": "y", "weight": 0.5}
)";
  const auto weights = [&](const Json& class_weights) {
    SequenceClassificationConfig config;
    config.class_weights = class_weights;
    const auto task = make_sequence_classification(config, plain());
    task->read(data_of(directory, lines, lines));
    return task->source({1, 4, 4, 0, 1})->batches(0)[0].weights;
  };
  const at::Tensor balanced = weights("balanced");
  EXPECT_NEAR(balanced.sum().item<double>(), 3 * 4 / 6.0 + 0.5 * 4 / 2, 1e-6);
  EXPECT_NEAR(balanced.max().item<double>(), 1, 1e-6);
  EXPECT_EQ(weights({{"y", 4}}).sum().item<double>(), 5);
  expect_error(ErrorCode::kConfig, {"task.class_weights: unknown class 'z'"}, [&] {
    weights({{"z", 4}});
  });
}

TEST(SequenceClassification, TablesBehindTheScores) {
  const TempDir directory;
  const auto file = directory.write("a.csv", kTexts);
  FakeModel model = first_byte_model();
  const TaskEvaluation evaluation =
      make_sequence_classification({}, plain())->evaluate(model, scored({file}), {});
  ASSERT_EQ(evaluation.tables.size(), 3u);
  EXPECT_EQ(evaluation.tables[0].rows,
            (std::vector<std::vector<std::string>>{{"bad", "1", "0"}, {"good", "1", "2"}}));
  EXPECT_EQ(evaluation.tables[0].shades, (std::vector<float>{1, 0, 1.0f / 3, 2.0f / 3}));
  EXPECT_EQ(evaluation.tables[1].title, "reliability");
  ASSERT_EQ(evaluation.tables[2].rows.size(), 1u);
  EXPECT_EQ(evaluation.tables[2].rows[0][0], "wrong");
  EXPECT_EQ(evaluation.tables[2].rows[0][4], file.string() + ":5");
}

std::string refusal(const std::string& section) {
  const JsonDocument document = parse_json_document(section, "run.json");
  SequenceClassificationConfig config;
  const Error error =
      test::error_of([&] { read_config(ConfigNode(&document.value, "task", &document), config); });
  return error.what();
}

TEST(SequenceClassification, OptionsThatDoNotGoTogether) {
  using testing::HasSubstr;
  EXPECT_THAT(refusal(R"({"focal_gamma": 2, "label_smoothing": 0.1})"), HasSubstr("hard targets"));
  EXPECT_THAT(refusal(R"({"problem_type": "regression", "class_weights": "balanced"})"),
              HasSubstr("has no meaning where labels are numbers"));
  EXPECT_THAT(refusal(R"({"class_weights": "equal"})"), HasSubstr("expected \"balanced\""));
  EXPECT_THAT(refusal(R"({"class_weights": {"a": 0}})"), HasSubstr("above 0"));
  EXPECT_THAT(refusal(R"({"labels": ["1", "b", "1.0"]})"), HasSubstr("'1.0' stands twice"));
  EXPECT_THAT(refusal(R"({"word_noise_kind": "drop"})"), HasSubstr("is of word_noise"));
  EXPECT_THAT(refusal(R"({"distillation": {"teacher": "t", "hidden_layers": [[0, 0]]}})"),
              HasSubstr("hidden_weight"));
  EXPECT_THAT(refusal(R"({"problem_type": "single_label_classification",
                          "thresholds": {"a": 0.5}})"),
              HasSubstr("of several labels"));
}

}  // namespace
}  // namespace llmctl
