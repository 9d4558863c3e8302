#include "tasks/labelled_texts.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::expect_error;
using test::TempDir;

std::vector<LabelledText> read(const std::string& name, const std::string& content,
                               const SequenceClassificationConfig& config = {},
                               bool need_label = true) {
  const TempDir directory;
  std::vector<LabelledText> out;
  read_labelled_texts(directory.write(name, content), 0, config, need_label, out);
  return out;
}

TEST(LabelledTexts, JsonLines) {
  const auto texts = read("a.jsonl", R"({"text": "很好", "label": "positive"}
{"id": "x7", "text": "bad", "label": "negative", "weight": 0.25}
)");
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_EQ(texts[0].text, "很好");
  EXPECT_EQ(texts[0].label, "positive");
  EXPECT_EQ(texts[0].id, Json(0));
  EXPECT_EQ(texts[0].weight, 1);
  EXPECT_EQ(texts[1].id, Json("x7"));
  EXPECT_EQ(texts[1].weight, 0.25);
  EXPECT_EQ(texts[1].record, 2u);
  EXPECT_FALSE(texts[0].pair);
}

TEST(LabelledTexts, HeaderOfAHotelReviewFile) {
  const auto texts = read(
      "hotel.csv", "\xEF\xBB\xBFlabel,review\n1,\"距离川沙公路较近,但是\"\"蔡陆线\"\"的话\"\n0,\n");
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_EQ(texts[0].text, "距离川沙公路较近,但是\"蔡陆线\"的话");
  EXPECT_EQ(texts[0].label, "1");
  EXPECT_EQ(texts[1].text, "");
}

TEST(LabelledTexts, NamesOfFieldsInAnyCase) {
  const auto texts = read("a.csv", "Text,LABEL\ngood,1\n");
  EXPECT_EQ(texts[0].text, "good");
  EXPECT_EQ(texts[0].label, "1");
}

TEST(LabelledTexts, PairsOfKnownDataSets) {
  // QNLI, QQP and passages of questions: both texts, never one of them alone.
  for (const auto& [first, second] : {std::pair{"question", "sentence"},
                                      {"question1", "question2"},
                                      {"question", "passage"},
                                      {"query", "passage"}}) {
    const Json record = {{second, "b"}, {first, "a"}, {"label", 0}};
    const auto texts = read("a.jsonl", dump_json(record));
    EXPECT_EQ(texts[0].text, "a") << first;
    EXPECT_EQ(texts[0].pair, "b") << second;
  }
}

TEST(LabelledTexts, FieldsThatAreNotUsedAreNamedOnce) {
  testing::internal::CaptureStderr();
  read("a.jsonl", R"({"text": "a", "label": "x", "title": "t", "id": 1}
{"text": "b", "label": "y", "title": "t", "id": 2})");
  const std::string told = testing::internal::GetCapturedStderr();
  EXPECT_NE(told.find("of each record text, label are read; not used: title\n"), told.npos) << told;
  EXPECT_EQ(told.find("not used"), told.rfind("not used")) << told;
  testing::internal::CaptureStderr();
  read("a.jsonl", R"({"text": "a", "label": "x"})");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(LabelledTexts, PairsAndOtherFormats) {
  const auto tsv = read("a.tsv", "sentence1\tsentence2\tlabel\na \"b\tc\tyes\n");
  EXPECT_EQ(tsv[0].text, "a \"b");
  EXPECT_EQ(tsv[0].pair, "c");
  const auto nli = read("a.json", R"([{"premise": "p", "hypothesis": "h", "label": 2}])");
  EXPECT_EQ(nli[0].pair, "h");
  EXPECT_EQ(nli[0].label, "2");
  EXPECT_EQ(read("b.json", R"({"data": [{"content": "c", "category": "sport"}]})")[0].label,
            "sport");
  SequenceClassificationConfig config;
  config.text_field = "title";
  config.pair_field = "body";
  config.label_field = "kind";
  config.weight_field = "confidence";
  const auto named = read(
      "c.jsonl", R"({"title": "t", "body": "b", "kind": "k", "confidence": "0.5", "label": "no"})",
      config);
  EXPECT_EQ(named[0].text + named[0].pair.value() + named[0].label, "tbk");
  EXPECT_EQ(named[0].weight, 0.5);
}

TEST(LabelledTexts, WithoutLabels) {
  EXPECT_EQ(read("a.jsonl", R"({"text": "x"})", {}, false)[0].label, "");
  EXPECT_EQ(read("a.jsonl", R"({"text": "x", "label": "l"})", {}, false)[0].label, "l");
}

TEST(LabelledTexts, Errors) {
  expect_error(ErrorCode::kData,
               {"a.jsonl, record 2: no field with the text (looked for text, sentence, ",
                "it has words, label); name it in task.text_field (of eval in tasks.0.text_field)"},
               [] {
                 read("a.jsonl",
                      "{\"text\": \"x\", \"label\": 1}\n{\"words\": \"x\", \"label\": 1}\n");
               });
  expect_error(ErrorCode::kData,
               {"a.csv, record", "no field with the class",
                "it has text, stars); name it in task.label_field"},
               [] { read("a.csv", "text,stars\nx,1\n"); });
  expect_error(ErrorCode::kData, {"field 'label': the class is empty"},
               [] { read("a.csv", "text,label\nx,\n"); });
  expect_error(ErrorCode::kData, {"field 'weight': expected a number of at least 0, got '-1'"},
               [] { read("a.jsonl", R"({"text": "x", "label": 1, "weight": -1})"); });
  expect_error(ErrorCode::kData, {"field 'weight': expected a number of at least 0, got 'much'"},
               [] { read("a.jsonl", R"({"text": "x", "label": 1, "weight": "much"})"); });
  SequenceClassificationConfig config;
  config.text_field = "title";
  expect_error(ErrorCode::kData, {"no field 'title' (it has text, label)"},
               [&] { read("a.jsonl", R"({"text": "x", "label": 1})", config); });
  expect_error(ErrorCode::kData, {"input 3: no field with the text"}, [] {
    read_text_input({Json{{"x", 1}}, "input 3"}, {});
  });
}

std::vector<LabelledText> with_labels(const std::vector<std::string>& labels) {
  std::vector<LabelledText> texts(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) texts[i].label = labels[i];
  return texts;
}

TEST(LabelNames, SortedByNameOrNumber) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(label_names(with_labels({"spam", "ham", "spam"})), (Names{"ham", "spam"}));
  EXPECT_EQ(label_names(with_labels({"10", "2", "-1"})), (Names{"-1", "2", "10"}));
  EXPECT_EQ(label_names(with_labels({"10", "2", "x"})), (Names{"10", "2", "x"}));
}

TEST(LabelNames, SpellingsOfAClassAreOne) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(label_names(with_labels({"1.0", "0", "0.0", " 1", "+1"})), (Names{"0", "1"}));
  EXPECT_EQ(label_names(with_labels({" spam", "spam\t", "\u3000spam"})), (Names{"spam"}));
  EXPECT_EQ(class_name("1e3"), "1000");
  EXPECT_EQ(class_name("1.5"), "1.5");
  EXPECT_EQ(class_name("nan"), "nan");
}

TEST(LabelNames, IdsByNameAndValueNeverByPosition) {
  const std::vector<std::string> names = {"ham", "spam"};
  EXPECT_EQ(label_id("spam", names), 1u);
  EXPECT_EQ(label_id(" spam ", names), 1u);
  EXPECT_EQ(label_id("0", names), std::nullopt);
  EXPECT_EQ(label_id("eggs", names), std::nullopt);
  EXPECT_EQ(label_id("1", {"1", "0"}), 0u);
  EXPECT_EQ(label_id("1.0", {"1", "0"}), 0u);
  EXPECT_EQ(label_id("0", {"1", "2"}), std::nullopt);
  EXPECT_EQ(label_id("1", {"LABEL_0", "LABEL_1"}), 1u) << "classes that have no names";
  EXPECT_EQ(label_id("LABEL_1", {"LABEL_0", "LABEL_1"}), 1u);
}

}  // namespace
}  // namespace llmctl
