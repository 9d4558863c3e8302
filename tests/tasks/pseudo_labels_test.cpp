#include "tasks/pseudo_labels.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "support/expect_error.h"
#include "support/temp_dir.h"
#include "tasks/sequence_classification.h"

namespace llmctl {
namespace {

using test::expect_error;
using test::TempDir;

std::vector<LabelledText> texts_of(std::size_t count) {
  std::vector<LabelledText> texts(count);
  for (std::size_t i = 0; i < count; ++i) {
    texts[i].id = i;
    texts[i].text = "text " + std::to_string(i);
  }
  return texts;
}

const ClassDecision kTwo{ProblemType::kSingleLabel, {"bad", "good"}};

TEST(PseudoLabels, SureOnesWithTheirProbabilities) {
  const std::vector<std::vector<float>> values = {
      {0.95f, 0.05f}, {0.2f, 0.8f}, {0.45f, 0.55f}, {0.85f, 0.15f}};
  SelfTrainingConfig section;
  section.thresholds["good"] = 0.7;
  section.weight = 0.5;
  const TaughtRecords taught = sure_labels(kTwo, texts_of(4), values, {}, section);
  EXPECT_EQ(taught.seen, 4u);
  ASSERT_EQ(taught.records.size(), 2u);
  EXPECT_EQ(taught.records[0].at("text"), "text 0");
  EXPECT_EQ(taught.records[0].at("label"), "bad");
  EXPECT_EQ(taught.records[1].at("label"), "good");
  EXPECT_NEAR(taught.records[1].at("confidence"), 0.8, 1e-6);
  EXPECT_EQ(taught.records[1].at("weight"), 0.5);
  EXPECT_EQ(taught.counts, (std::map<std::string, std::int64_t>{{"bad", 1}, {"good", 1}}));
  section.thresholds["fair"] = 0.5;
  expect_error(ErrorCode::kConfig, {"self_training.thresholds: unknown class 'fair'"},
               [&] { sure_labels(kTwo, texts_of(4), values, {}, section); });
}

TEST(PseudoLabels, TheSurestOfEachClass) {
  const std::vector<std::vector<float>> values = {
      {0.91f, 0.09f}, {0.99f, 0.01f}, {0.02f, 0.98f}, {0.95f, 0.05f}};
  SelfTrainingConfig section;
  section.most_per_class = 2;
  const TaughtRecords taught = sure_labels(kTwo, texts_of(4), values, {}, section);
  ASSERT_EQ(taught.records.size(), 3u);
  EXPECT_EQ(taught.records[0].at("text"), "text 1") << "in the order of the texts";
  EXPECT_EQ(taught.counts.at("bad"), 2);
}

TEST(PseudoLabels, OfSeveralLabelsEachMustBeSure) {
  const ClassDecision several{ProblemType::kMultiLabel, {"x", "y"}};
  const std::vector<std::vector<float>> values = {{0.95f, 0.03f}, {0.95f, 0.6f}, {0.02f, 0.05f}};
  const TaughtRecords taught = sure_labels(several, texts_of(3), values, {}, {});
  ASSERT_EQ(taught.records.size(), 2u);
  EXPECT_EQ(taught.records[0].at("label"), Json({"x"}));
  EXPECT_EQ(taught.records[1].at("label"), Json::array());
  EXPECT_NEAR(taught.records[1].at("confidence"), 0.95, 1e-6);
  const ClassDecision number{ProblemType::kRegression, {"LABEL_0"}};
  expect_error(ErrorCode::kConfig, {"numbers"},
               [&] { sure_labels(number, texts_of(1), {{1.0f}}, {}, {}); });
}

TEST(PseudoLabels, RecordsAreReadBackByTheSameSection) {
  const TempDir directory;
  SequenceClassificationConfig config;
  config.text_field = "sentence1";
  config.label_field = "class";
  std::vector<LabelledText> texts = texts_of(1);
  texts[0].pair = "other";
  const TaughtRecords taught = sure_labels(kTwo, texts, {{0.05f, 0.95f}}, config, {});
  BadRows bad(false);
  std::vector<LabelledText> again;
  read_labelled_texts(directory.write("a.jsonl", dump_json(taught.records.at(0))), {config}, bad,
                      again);
  bad.settle();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].text, "text 0");
  EXPECT_EQ(again[0].pair, "other");
  EXPECT_EQ(again[0].label(), "good");
  EXPECT_NEAR(again[0].weight, 0.95, 1e-6);
}

TEST(PseudoLabels, RecordsOfTextsAndPairsAreReadBack) {
  const TempDir directory;
  for (const auto& [field, partner] :
       {std::pair<std::optional<std::string>, std::string>{std::nullopt, "pair"},
        {"premise", "hypothesis"}}) {
    SequenceClassificationConfig config;
    config.text_field = field;
    std::vector<LabelledText> texts = texts_of(3);
    texts[1].pair = "other";
    const std::vector<std::vector<float>> sure(3, {0.05f, 0.95f});
    std::string lines;
    for (const Json& record : sure_labels(kTwo, texts, sure, config, {}).records) {
      EXPECT_TRUE(record.contains(partner)) << record;
      lines += dump_json(record) + "\n";
    }
    BadRows bad(false);
    std::vector<LabelledText> again;
    read_labelled_texts(directory.write("a.jsonl", lines), {config}, bad, again);
    bad.settle();
    ASSERT_EQ(again.size(), 3u);
    EXPECT_FALSE(again[0].pair);
    EXPECT_EQ(again[1].pair, "other");
  }
  EXPECT_FALSE(record_of(texts_of(1)[0], {}, false).contains("pair"));
}

TEST(PseudoLabels, TextsOfRecordsAndOfLines) {
  const TempDir directory;
  BadRows bad(true);
  const auto texts =
      read_unlabelled_texts({directory.write("a.txt", "one\n\n两个\n\xC4\xE3\n"),
                             directory.write("b.csv", "text,label\nthree,whatever\n,x\n")},
                            {}, bad);
  ASSERT_EQ(texts.size(), 3u);
  EXPECT_EQ(texts[1].text, "两个");
  EXPECT_TRUE(texts[1].place.ends_with("a.txt:3"));
  EXPECT_TRUE(texts[2].labels.empty());
  EXPECT_EQ(bad.count(), 2u);
  testing::internal::CaptureStderr();
  bad.settle();
  testing::internal::GetCapturedStderr();
}

}  // namespace
}  // namespace llmctl
