// What scoring takes over of the run that trained a model of several directions.
#include "tasks/translation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/log.h"
#include "metrics/score.h"
#include "support/byte_tokenizer.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"
#include "tasks/brief_training.h"
#include "tasks/labelled_row.h"
#include "tasks/predictions.h"
#include "tasks/record_names.h"
#include "tasks/task_files.h"

namespace llmctl {
namespace {

using test::ByteTokenizer;
using test::TempDir;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

using Ids = std::set<std::string>;

class TranslationTask : public testing::Test {
 protected:
  std::unique_ptr<Task> task_of(Json section) const {
    section["max_new_tokens"] = 1;
    TranslationConfig config;
    read_config(ConfigNode(&section, "task", nullptr), config);
    return make_translation(config, tokenizer_);
  }
  TaskEvaluation evaluation(const Json& section, const TaskData& data) {
    return task_of(section)->evaluate(*model_, data, {});
  }
  double loss(const Json& section) {
    const auto file = work_.write("scored.tsv", "en\tde\nOne.\tEins.\nTwo.\tZwei.\n");
    return evaluation(section, test::scored({file}, 64)).scores.at(kLossName);
  }
  static Ids ids_of(const TaskEvaluation& evaluation) {
    Ids ids;
    for (const Json& prediction : evaluation.predictions) ids.insert(id_text(prediction.at("id")));
    return ids;
  }
  static std::string english(int i) { return "E" + std::to_string(i); }
  static std::string german(int i) { return "D" + std::to_string(7 * i); }

  /// Ten held-out records of both languages, and some to learn from.
  TaskData both_held_out() const {
    std::string lines = "en\tde\n";
    for (int i = 0; i < 10; ++i) lines += english(i) + "\t" + german(i) + "\n";
    TaskData data = test::held_out_of({work_.write("train.tsv", lines)}, {}, 64);
    data.valid = {work_.write("valid.tsv", lines)};
    return data;
  }

  static constexpr int kRecords = 24;
  const TempDir work_;
  const std::shared_ptr<const Tokenizer> tokenizer_ =
      std::make_shared<ByteTokenizer>(ByteTokenizer::Kind::kCausal);
  const std::unique_ptr<Model> model_ = test::tiny_llama(*tokenizer_);
  const Json both_ = {{"directions", {"en-de", "de-en"}}};
};

TEST_F(TranslationTask, OneOfSeveralDirectionsIsScoredWithItsMark) {
  task_of(both_)->describe(model_->config());
  const double marked = loss({{"directions", {"en-de"}}, {"prefix", ">>{target}<< "}});
  EXPECT_NE(marked, loss({{"directions", {"en-de"}}, {"prefix", ""}}));
  EXPECT_EQ(marked, loss({{"directions", {"en-de"}}}));
  EXPECT_EQ(marked, loss({{"source", "en"}, {"target", "de"}}));
  // Of the only direction nothing stands before a text.
  task_of({{"source", "en"}, {"target", "de"}})->describe(model_->config());
  EXPECT_EQ(loss({{"directions", {"en-de"}}}), loss({{"directions", {"en-de"}}, {"prefix", ""}}));
}

TEST_F(TranslationTask, AShareHoldsRecordsOutInAllTheirDirections) {
  std::string lines;
  for (int i = 0; i < kRecords; ++i)
    lines += dump_json(Json{{"id", i}, {"en", english(i)}, {"de", german(i)}}) + "\n";
  const auto file = work_.write("a.jsonl", lines);
  for (const HeldOutShare share : {HeldOutShare{.hash = 0.4}, HeldOutShare{.tail = 0.3}}) {
    TaskData data = test::held_out_of({file}, share, 64);
    data.keep_places = true;
    const auto task = task_of(both_);
    task->read(data);
    task->describe(model_->config());
    std::multiset<std::string> learnt;
    for (const LabelledRow& row : task->labelled_rows(0, 2 * kRecords)) learnt.insert(row.place);

    Ids all, english_german, german_english;
    for (int i = 0; i < kRecords; ++i) {
      const std::size_t pairs = learnt.count(file.string() + ":" + std::to_string(i + 1));
      EXPECT_TRUE(pairs == 0 || pairs == 2) << "record " << i << " has learnt pairs: " << pairs;
      if (pairs != 0) continue;
      english_german.insert(std::to_string(i) + ":en-de");
      german_english.insert(std::to_string(i) + ":de-en");
    }
    all.insert(english_german.begin(), english_german.end());
    all.insert(german_english.begin(), german_english.end());
    EXPECT_THAT(all, Not(IsEmpty()));
    EXPECT_EQ(ids_of(evaluation(both_, data)), all);
    // The same ones where other directions than the run's are scored.
    EXPECT_EQ(ids_of(evaluation({{"directions", {"de-en"}}}, data)), german_english);
    EXPECT_EQ(ids_of(evaluation({{"source", "en"}, {"target", "de"}}, data)), english_german);
    EXPECT_EQ(ids_of(evaluation({{"directions", {"de-en", "en-de"}}}, data)), all);
  }
}

TEST_F(TranslationTask, WarnsOfHeldOutPairsThatAreLearntInEitherDirection) {
  TaskData data =
      test::held_out_of({work_.write("train.tsv", "en\tde\nOne.\tEins.\nTwo.\tZwei.\n")}, {}, 64);
  data.valid = {work_.write("valid.tsv", "en\tde\nOne.\tEins.\nTwo.\tDu.\n")};
  const auto said = [&](const Json& section) {
    testing::internal::CaptureStderr();
    task_of(section)->read(data);
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_THAT(said({{"source", "en"}, {"target", "de"}}),
              HasSubstr("1 of 2 held-out pairs are also learnt from"));
  EXPECT_THAT(said(both_), HasSubstr("2 of 4 held-out pairs are also learnt from"));
}

TEST_F(TranslationTask, TextsStandInTheFormOfTheStartModel) {
  TaskData data = both_held_out();
  data.initial_model = "first";
  std::string said;
  const auto described_after = [&](const Json& settings, const Json& section) {
    data.initial_params = {{"translation", settings}};
    const auto task = task_of(section);
    set_log_level(LogLevel::kInfo);
    testing::internal::CaptureStderr();
    task->read(data);
    said = testing::internal::GetCapturedStderr();
    Json config = Json::object();
    task->describe(config);
    return config.at("task_specific_params").at("translation");
  };
  const Json one = {{"source", "en"}, {"target", "de"}};
  const Json kept = {{"source", "en"},
                     {"target", "de"},
                     {"prefix", "to German: "},
                     {"template", "Translate: {prompt}\n"}};
  EXPECT_EQ(described_after(kept, one).at("prefix"), "to German: ");
  EXPECT_THAT(said, HasSubstr("behind \"to German: \", as those that first learned from"));
  EXPECT_THAT(said, HasSubstr("in the form that first was trained with"));
  EXPECT_EQ(described_after(kept, one).at("template"), "Translate: {prompt}\n");
  // The marks of a model of several directions, of which one is learnt further.
  EXPECT_EQ(described_after({{"directions", {"en-de", "de-en"}}}, one).at("prefix"),
            ">>{target}<< ");
  // What tells no directions apart does not stand before several.
  EXPECT_FALSE(described_after(kept, both_).contains("prefix"));
  Json own = one;
  own["prefix"] = "";
  own["template"] = "{prompt} = ";
  EXPECT_EQ(described_after(kept, own).at("prefix"), "");
  EXPECT_EQ(described_after(kept, own).at("template"), "{prompt} = ");
  EXPECT_THAT(said, Not(HasSubstr("first")));
  EXPECT_FALSE(described_after({{"source", "en"}, {"target", "de"}}, one).contains("prefix"));
}

TEST_F(TranslationTask, RecordsOfTheReverseDirectionAreDrawnAlike) {
  std::string lines;
  for (int i = 0; i < kRecords; ++i) {
    const Json there = {{"id", i},
                        {"source", english(i)},
                        {"target", german(i)},
                        {"source_language", "en"},
                        {"target_language", "de"}};
    const Json back = {{"id", i},
                       {"source", german(i)},
                       {"target", english(i)},
                       {"source_language", "de"},
                       {"target_language", "en"}};
    lines += dump_json(there) + "\n" + dump_json(back) + "\n";
  }
  const TaskData data =
      test::held_out_of({work_.write("a.jsonl", lines)}, HeldOutShare{.hash = 0.4}, 64);
  task_of(both_)->describe(model_->config());
  const Ids ids = ids_of(evaluation(both_, data));
  EXPECT_THAT(ids, Not(IsEmpty()));
  for (int i = 0; i < kRecords; ++i) {
    const std::string id = std::to_string(i);
    EXPECT_EQ(ids.contains(id + ":en-de"), ids.contains(id + ":de-en")) << id;
  }
}

TEST_F(TranslationTask, OneDirectionHoldsOutByItsSourceTexts) {
  std::string lines;
  std::vector<std::string> texts;
  for (int i = 0; i < kRecords; ++i) {
    lines += dump_json(Json{{"id", i}, {"en", english(i)}, {"de", german(i)}}) + "\n";
    texts.push_back(german(i));
  }
  const HeldOutShare share{.hash = 0.4};
  const TaskData data = test::held_out_of({work_.write("a.jsonl", lines)}, share, 64);
  const Json section = {{"source", "de"}, {"target", "en"}};
  task_of(section)->describe(model_->config());
  const std::vector<bool> out = held_out({texts.begin(), texts.end()}, share);
  Ids wanted;
  for (int i = 0; i < kRecords; ++i)
    if (out[static_cast<std::size_t>(i)]) wanted.insert(std::to_string(i));
  EXPECT_EQ(ids_of(evaluation(section, data)), wanted);
}

TEST_F(TranslationTask, ValidationsTranslateEachDirection) {
  const TaskData data = both_held_out();
  for (const int samples : {2, 4, 5, 7}) {
    Json section = both_;
    section["validation_samples"] = samples;
    const auto task = task_of(section);
    task->read(data);
    const auto world = make_local_world();
    const Scores scores = task->validator(*model_, 8, *world)->validate({}).scores;
    for (const char* name : {"en-de.bleu", "de-en.bleu"}) {
      ASSERT_TRUE(scores.contains(name)) << name << " of " << samples;
      EXPECT_GE(scores.find(name)->count, samples / 2) << name << " of " << samples;
    }
    EXPECT_EQ(scores.find("bleu")->count, samples);
  }
}

TEST_F(TranslationTask, ValidationsOfOneDirectionTranslatePairsAtEvenDistances) {
  const auto task = task_of({{"source", "en"}, {"target", "de"}, {"validation_samples", 4}});
  task->read(both_held_out());
  const auto world = make_local_world();
  EXPECT_THAT(
      task->validator(*model_, 8, *world)->validate({}).samples,
      ElementsAre(StartsWith("E0 →"), StartsWith("E2 →"), StartsWith("E5 →"), StartsWith("E7 →")));
}

TEST_F(TranslationTask, ValidationPromisesWhatItGives) {
  const auto promised = [](const Task& task) {
    std::vector<std::string> names;
    for (const ScoreKind& kind : task.validation_scores()) names.push_back(kind.name);
    return names;
  };
  Json section = both_;
  section["validation_samples"] = 0;
  const auto silent = task_of(section);
  silent->read(both_held_out());
  EXPECT_THAT(promised(*silent), ElementsAre("loss", "perplexity"));
  EXPECT_EQ(silent->best_score(), "loss");

  const auto task = task_of(both_);
  EXPECT_THAT(promised(*task), Contains("de-en.bleu")) << "before anything is read";
  TaskData data = both_held_out();
  data.valid = {work_.write("one.jsonl",
                            R"({"source": "One.", "target": "Eins.", "target_language": "de"})"
                            "\n")};
  task->read(data);
  const std::vector<std::string> names = promised(*task);
  EXPECT_THAT(names, Contains("bleu"));
  EXPECT_THAT(names, Contains("en-de.bleu"));
  EXPECT_THAT(names, Not(Contains("de-en.bleu")));
  EXPECT_EQ(task->best_score(), "bleu");
}

TEST_F(TranslationTask, TellsWhatEachDirectionHas) {
  TaskData data = both_held_out();
  data.train = {
      {{work_.write("one.jsonl", R"({"source": "One.", "target": "Eins.", "target_language": "de"})"
                                 "\n")},
       1.0}};
  const auto task = task_of(both_);
  testing::internal::CaptureStderr();
  task->read(data);
  const std::string log = testing::internal::GetCapturedStderr();
  for (const char* line :
       {"translation: en-de: 1 pairs to train on, 10 held out",
        "translation: de-en: 0 pairs to train on, 10 held out",
        "warning: task.directions: no pair to train on is of the direction de-en",
        "validation: de-en: BLEU's tokenizer is 13a (target language en)"}) {
    EXPECT_THAT(log, HasSubstr(line));
  }
  EXPECT_THAT(log, Not(HasSubstr("of the direction en-de")));
}

TEST_F(TranslationTask, ScoresWithTheModelsOwnGenerationSettings) {
  const Json section = {{"source", "en"}, {"target", "de"}};
  TaskData data = test::scored({work_.write("a.tsv", "en\tde\nOne.\tEins.\n")}, 64);
  work_.write("tokenizer/generation_config.json", "[]");
  work_.write("model/generation_config.json", "[]");
  data.directory = work_ / "tokenizer";
  EXPECT_NO_THROW(evaluation(section, data)) << "a tokenizer's directory is not asked";
  data.generation_directory = work_ / "model";
  test::expect_error(ErrorCode::kData, {"model/generation_config.json: expected an object"},
                     [&] { evaluation(section, data); });
  // Of the model that a training begins with.
  TaskData trained = both_held_out();
  trained.generation_directory = data.generation_directory;
  const auto task = task_of(both_);
  task->read(trained);
  const auto world = make_local_world();
  const auto validator = task->validator(*model_, 8, *world);
  test::expect_error(ErrorCode::kData, {"model/generation_config.json: expected an object"},
                     [&] { validator->validate({}); });
}

}  // namespace
}  // namespace llmctl
