#include "tasks/token_classification.h"

#include <gmock/gmock.h>

#include <cmath>

#include "support/byte_tokenizer.h"
#include "support/expect_error.h"
#include "support/fake_model.h"
#include "support/temp_dir.h"
#include "tasks/brief_training.h"
#include "tasks/task_files.h"
#include "tasks/text_task_fixture.h"

namespace llmctl {
namespace {

using test::answers_of;
using test::ByteTokenizer;
using test::expect_error;
using test::scored;
using test::TempDir;
using testing::ElementsAre;

std::shared_ptr<const Tokenizer> bytes() {
  return std::make_shared<ByteTokenizer>(ByteTokenizer::Kind::kPlain);
}

/// A model that reads the first byte of a word: 'A' begins a person, 'B' goes on with one, anything
/// else is outside.
class FirstLetter : public test::FakeModel {
 public:
  FirstLetter() : FakeModel(256, HeadKind::kTokenClassification, 3), facts_(FakeModel::facts()) {
    facts_.labels = 3;
    const char* names[] = {"O", "B-PER", "I-PER"};
    for (int id = 0; id < 3; ++id) config()["id2label"][std::to_string(id)] = names[id];
    const c10::AutoGradMode no_grad(false);
    table().select(1, 0).fill_(2);
    table()['A'][1] = 5;
    table()['B'][2] = 4;
  }
  const ModelFacts& facts() const override { return facts_; }

 private:
  ModelFacts facts_;
};

const std::string kConll = "Ann B-PER\nBee I-PER\nran O\n\nto O\nAda B-PER\n\nCid B-PER\n";

TEST(TokenClassification, TagsAreThoseOfTheTypesOfTheData) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.conll", kConll)}, 1.0}};
  const auto labels_with = [&](const TokenClassificationConfig& config) {
    const auto task = make_token_classification(config, bytes());
    task->read(files);
    return task->labels();
  };
  EXPECT_THAT(labels_with({}), ElementsAre("O", "B-PER", "I-PER"));
  TokenClassificationConfig config;
  config.scheme = "bioes";
  EXPECT_THAT(labels_with(config), ElementsAre("O", "B-PER", "I-PER", "E-PER", "S-PER"));
  config.scheme = "auto";
  config.labels = {"I-PER", "B-PER", "O"};
  EXPECT_EQ(labels_with(config), config.labels);
}

TEST(TokenClassification, WarnsOfHeldOutTextsThatAreLearnt) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.conll", kConll)}, 1.0}};
  files.valid = {directory.write("v.conll", "to O\nAda O\n\nBob B-PER\n")};
  testing::internal::CaptureStderr();
  make_token_classification({}, bytes())->read(files);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("1 of 2 held-out texts are also learnt from"));
}

TEST(TokenClassification, EachLabelIsNamedOnce) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.conll", kConll)}, 1.0}};
  TokenClassificationConfig config;
  config.labels = {"O", "B-PER", "I-PER", "B-PER"};
  expect_error(ErrorCode::kConfig, {"task.labels: 'B-PER' stands twice"},
               [&] { make_token_classification(config, bytes())->read(files); });
}

TEST(TokenClassification, TheModelKeepsHowTextsAreRead) {
  TokenClassificationConfig config;
  config.stride = 7;
  config.text_field = "body";
  Json model = {{"task_specific_params", {{"token_classification", {{"text_field", "old"}}}}}};
  make_token_classification(config, bytes())->describe(model);
  EXPECT_EQ(model.at("task_specific_params").at("token_classification"),
            (Json{{"stride", 7}, {"text_field", "body"}}));
}

TEST(TokenClassification, LearnsFirstTokensOfWords) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.conll", "Ann B-PER\nBee I-PER\nran O\n")}, 1.0}};
  const auto task = make_token_classification({}, bytes());
  task->read(files);
  const Batch batch = task->source({1, 1, 1, 0, 1})->batches(0)[0];
  EXPECT_THAT(test::numbers(batch.labels),
              ElementsAre(1, -100, -100, -100, 2, -100, -100, -100, 0, -100, -100));
  FirstLetter model;
  const auto loss = task->loss(model);
  EXPECT_EQ(loss->counts(batch)[0].second, 3);
  const std::vector<LossTerm> terms = loss->terms(batch, Context{});
  ASSERT_EQ(terms.size(), 1u);
  const double a = std::log(1 + std::exp(2 - 5) + std::exp(-5));
  const double b = std::log(1 + std::exp(2 - 4) + std::exp(-4));
  const double o = std::log(1 + 2 * std::exp(-2));
  EXPECT_NEAR(terms[0].sum.item<double>(), a + b + o, 1e-5);
  EXPECT_EQ(terms[0].count, 3);
}

TEST(TokenClassification, ValidatesByEntities) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.conll", kConll)}, 1.0}};
  files.valid = files.train_files();
  const auto task = make_token_classification({}, bytes());
  task->read(files);
  FirstLetter model;
  const auto world = make_local_world();
  const ValidationResult result = task->validator(model, 2, *world)->validate(Context{});
  EXPECT_EQ(result.scores.at("precision"), 100);
  EXPECT_NEAR(result.scores.at("recall"), 200.0 / 3, 1e-9);
  EXPECT_NEAR(result.scores.at("f1"), 80, 1e-9);
  EXPECT_EQ(result.scores.find("loss")->count, 6);
  EXPECT_EQ(result.samples[0], "Ann Bee ran → Ann Bee (PER)   [Ann Bee (PER)]");
  EXPECT_EQ(result.samples[2], "Cid → nothing   [Cid (PER)]");
  EXPECT_EQ(task->best_score(), "f1");
}

TEST(TokenClassification, ValidationOfSeveralProcessesIsThatOfOne) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.conll", kConll)}, 1.0}};
  files.valid = files.train_files();
  const auto task = make_token_classification({}, bytes());
  task->read(files);
  FirstLetter model;
  const auto alone = make_local_world();
  const Scores whole = task->validator(model, 2, *alone)->validate(Context{}).scores;
  // Each validation sums twice: entities, then losses.
  class TwoSums : public World {
   public:
    TwoSums(int rank, std::vector<std::vector<double>>& sums) : rank_(rank), sums_(sums) {}
    int rank() const override { return rank_; }
    int size() const override { return 2; }
    void sum(std::span<double> values) override {
      if (rank_ == 0) {
        sums_.emplace_back(values.begin(), values.end());
        return;
      }
      const std::vector<double>& others = sums_[next_++];
      for (std::size_t i = 0; i < values.size(); ++i) values[i] += others[i];
    }
    void max(std::span<double>) override {}
    void broadcast(std::span<double>) override {}
    void barrier() override {}

   private:
    int rank_;
    std::size_t next_ = 0;
    std::vector<std::vector<double>>& sums_;
  };
  std::vector<std::vector<double>> sums;
  TwoSums first(0, sums), second(1, sums);
  task->validator(model, 2, first)->validate(Context{});
  const Scores both = task->validator(model, 2, second)->validate(Context{}).scores;
  for (const Score& score : whole) EXPECT_NEAR(both.at(score.kind.name), score.value, 1e-9);
}

TEST(TokenClassification, EvaluatesAndScoresItsPredictions) {
  const TempDir directory;
  const auto file = directory.write("a.conll", kConll);
  const auto task = make_token_classification({}, bytes());
  FirstLetter model;
  const TaskEvaluation evaluation = task->evaluate(model, scored({file}), {});
  EXPECT_NEAR(evaluation.scores.at("f1"), 80, 1e-9);
  EXPECT_NEAR(evaluation.scores.at("entity.PER.f1"), 80, 1e-9);
  EXPECT_EQ(evaluation.scores.at("total"), 3);
  EXPECT_TRUE(evaluation.baselines.empty());
  std::string lines;
  for (const Json& prediction : evaluation.predictions) lines += dump_json(prediction) + "\n";
  EXPECT_EQ(task->score(directory.write("p.jsonl", lines), {file}).scores, evaluation.scores);
  // A tag for each word is a prediction as well.
  const auto tags = directory.write("t.jsonl", R"({"prediction": ["B-PER", "I-PER", "O"]})"
                                               "\n"
                                               R"({"prediction": ["O", "B-PER"]})"
                                               "\n"
                                               R"({"prediction": ["O"]})"
                                               "\n");
  EXPECT_EQ(task->score(tags, {file}).scores, evaluation.scores);
  const auto refused = [&](const std::string& value, const std::string& message) {
    const auto predictions = directory.write(
        "r.jsonl", "{\"prediction\": " + value + "}\n{\"prediction\": []}\n{\"prediction\": []}\n");
    expect_error(ErrorCode::kData, {"r.jsonl:1: " + message},
                 [&] { task->score(predictions, {file}); });
  };
  refused(R"(["O"])", "1 tags for a text of 3 words");
  refused(R"([[0, 99, "PER"]])", "the span 0 to 99 (PER) is no part of a text of 11 characters");
  refused(R"("PER")", "expected a list of spans");
}

TEST(TokenClassification, PredictionsInOrderStandBesideTheirTexts) {
  const TempDir directory;
  const auto references =
      directory.write("r.jsonl", R"({"text": "Ann ran", "entities": [[0, 3, "PER"]]}
{"tokens": ["Ada", "sat"], "tags": ["B-PER", "O"]}
)");
  const auto task = make_token_classification({}, bytes());
  const std::string first = R"({"text": "Ann ran", "prediction": [[0, 3, "PER"]]})",
                    second = R"({"tokens": ["Ada", "sat"], "prediction": [[0, 3, "PER"]]})";
  const auto ordered = directory.write("p.jsonl", first + "\n" + second + "\n");
  EXPECT_EQ(task->score(ordered, {references}).scores.at("f1"), 100);
  // The spans would fit.
  const auto shuffled = directory.write("s.jsonl", second + "\n" + first + "\n");
  expect_error(ErrorCode::kData,
               {"s.jsonl:1: 'Ada sat' is not the input of reference 1 (", "r.jsonl:1)"},
               [&] { task->score(shuffled, {references}); });
}

TEST(TokenClassification, BadRowsStopTheRun) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.conll", "Ann I-PER\n\nBob B-PER\n\nran I-PER\n")}, 1.0}};
  const auto task = make_token_classification({}, bytes());
  expect_error(ErrorCode::kData,
               {"a.conll:1: the tag I-PER cannot begin a sentence in BIO", "2 bad rows"},
               [&] { task->read(files); });
  files.skip_bad = true;
  task->read(files);
  EXPECT_EQ(task->source({1, 1, 1, 0, 1})->steps_per_epoch(), 1) << "Bob alone";
  files.train[0].files = {directory.write("b.conll", "ran O\n")};
  expect_error(ErrorCode::kData, {"no text has a labelled span"}, [&] { task->read(files); });
}

TEST(TokenClassification, LabelsThatNobodyNamedAreBadRows) {
  const TempDir directory;
  TaskData files;
  files.train = {{{directory.write("a.conll", "Ann B-PER\n\nOakford B-LOC\n")}, 1.0}};
  TokenClassificationConfig config;
  config.labels = {"O", "B-PER", "I-PER"};
  const auto task = make_token_classification(config, bytes());
  expect_error(ErrorCode::kData, {"a.conll:3: unknown label 'LOC', task.labels has PER"},
               [&] { task->read(files); });
  files.skip_bad = true;
  task->read(files);
  EXPECT_EQ(task->source({1, 1, 1, 0, 1})->steps_per_epoch(), 1);
}

TEST(TokenClassification, TypesThatTheModelDoesNotKnowAreTold) {
  const TempDir directory;
  const auto file = directory.write("a.conll", "Ann B-PER\n\nOakford B-LOC\n");
  FirstLetter model;
  const TaskEvaluation evaluation =
      make_token_classification({}, bytes())->evaluate(model, scored({file}), {});
  EXPECT_EQ(evaluation.scores.at("recall"), 50);
  ASSERT_EQ(evaluation.notes.size(), 1u);
  EXPECT_THAT(evaluation.notes[0], testing::HasSubstr("spans of LOC"));
  ASSERT_EQ(evaluation.tables.size(), 1u);
  EXPECT_THAT(evaluation.tables[0].rows[0], ElementsAre("LOC", "0", "0", "0", "1", "0"));
}

TEST(TokenClassification, AnswersWithSpansInCharacters) {
  FirstLetter model;
  const auto task = make_token_classification({}, bytes());
  const auto answers = answers_of(*task, model,
                                  {Json{{"text", "我 saw Ann Bee."}},
                                   Json{{"tokens", {"Ann", "B.C."}}}, Json{{"text", "ran"}}});
  const Json& span = answers[0].at("prediction").at(0);
  EXPECT_EQ(answers[0].at("prediction").size(), 1u);
  EXPECT_EQ(span.at("text"), "Ann Bee");
  EXPECT_EQ(span.at("label"), "PER");
  EXPECT_EQ(span.at("start"), 6);
  EXPECT_EQ(span.at("end"), 13);
  const double a = 1 / (1 + std::exp(2 - 5) + std::exp(-5));
  const double b = 1 / (1 + std::exp(2 - 4) + std::exp(-4));
  EXPECT_NEAR(span.at("probability").get<double>(), (a + b) / 2, 1e-6);
  EXPECT_FALSE(answers[0].contains("text"));
  EXPECT_EQ(answers[1].at("text"), "Ann B.C.");
  EXPECT_EQ(answers[1].at("prediction").at(0).at("end"), 8);
  EXPECT_TRUE(answers[2].at("prediction").empty());
}

TEST(TokenClassification, ModelsOfOtherClassesAreRefused) {
  FirstLetter model;
  model.config()["id2label"]["1"] = "NOUN";
  const auto task = make_token_classification({}, bytes());
  expect_error(ErrorCode::kData, {"id2label: the class 'NOUN' is no tag of entities"}, [&] {
    answers_of(*task, model, {Json{{"text", "Ann"}}});
  });
}

TEST(TokenClassification, SegmentsChineseBesideIcu) {
  const TempDir directory;
  const auto file =
      directory.write("a.txt", "我们 去 图书馆 。\n他 在 学校 。\n学校 的 图书馆 很 大 。\n");
  TokenClassificationConfig config;
  config.format = "segmented";
  const auto tokenizer = std::make_shared<ByteTokenizer>(ByteTokenizer::Kind::kMasked);
  const auto task = make_token_classification(config, tokenizer);
  TaskData files;
  files.train = {{{file}, 1.0}};
  files.sequence_length = 64;
  task->read(files);
  EXPECT_THAT(task->labels(), ElementsAre("B", "I", "E", "S"));
  const auto model = test::tiny_bert(*tokenizer, task->head(), task->labels());
  test::train_briefly(*model, *task, 60, 3, 3e-3);
  const TaskEvaluation evaluation = task->evaluate(*model, scored({file}, 64), {});
  EXPECT_EQ(evaluation.scores.at("f1"), 100);
  EXPECT_EQ(evaluation.scores.at("total"), 14);
  if (!evaluation.baselines.empty()) {
    EXPECT_EQ(evaluation.baselines[0].rule, "ICU words");
    EXPECT_GT(evaluation.baselines[0].scores.at("f1"), 50);
  }
  const auto answer = std::move(
      task->responder(*model, {})
          ->answer(std::vector<AnswerInput>{{Json{{"text", "他在学校。"}}, "x"}}, 0, {})[0]);
  EXPECT_EQ(answer->text(), "他 在 学校 。");
  EXPECT_FALSE(answer->record().at("prediction").at(0).contains("label"));
}

TEST(TokenClassification, EncoderAndDecoderLearnNames) {
  const TempDir directory;
  const auto file = directory.write(
      "a.jsonl",
      R"({"text": "Ann lives in Oakford.", "entities": [[0, 3, "PER"], [13, 20, "LOC"]]})"
      "\n"
      R"({"text": "小明住在青溪镇。", "entities": [[0, 2, "PER"], [4, 7, "LOC"]]})"
      "\n"
      R"({"text": "Nobody lives here.", "entities": []})"
      "\n");
  for (const bool decoder : {false, true}) {
    const auto tokenizer = std::make_shared<ByteTokenizer>(decoder ? ByteTokenizer::Kind::kCausal
                                                                   : ByteTokenizer::Kind::kMasked);
    const auto task = make_token_classification({}, tokenizer);
    TaskData files;
    files.train = {{{file}, 1.0}};
    files.sequence_length = 64;
    task->read(files);
    const auto model = decoder ? test::tiny_llama(*tokenizer, task->head(), task->labels())
                               : test::tiny_bert(*tokenizer, task->head(), task->labels());
    test::train_briefly(*model, *task, 80, 3, 3e-3);
    EXPECT_EQ(task->evaluate(*model, scored({file}, 64), {}).scores.at("f1"), 100)
        << (decoder ? "decoder" : "encoder");
    // Windows see less and find the same here.
    EXPECT_GT(task->evaluate(*model, scored({file}, 24), {}).scores.at("f1"), 0);
  }
}

TEST(SpansAnswer, IsReadableText) {
  const SpansAnswer names({{"Ann", "PER", 0, 3, 0.991}, {"青溪镇", "LOC", 4, 7, 0.5}},
                          std::nullopt);
  EXPECT_EQ(names.text(), "Ann  PER  0-3  99.1 %\n青溪镇  LOC  4-7  50.0 %");
  EXPECT_EQ(SpansAnswer({}, std::nullopt).text(), "(no span)");
}

}  // namespace
}  // namespace llmctl
