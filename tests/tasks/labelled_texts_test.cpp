#include "tasks/labelled_texts.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
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
  BadRows bad(false);
  read_labelled_texts(directory.write(name, content),
                      {config, ProblemType::kSingleLabel, 0, need_label}, bad, out);
  bad.settle();
  return out;
}

TEST(LabelledTexts, JsonLines) {
  const auto texts = read("a.jsonl", R"({"text": "很好", "label": "positive"}
{"id": "x7", "text": "bad", "label": "negative", "weight": 0.25}
)");
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_EQ(texts[0].text, "很好");
  EXPECT_EQ(texts[0].label(), "positive");
  EXPECT_EQ(texts[0].id, Json(0));
  EXPECT_EQ(texts[0].weight, 1);
  EXPECT_EQ(texts[1].id, Json("x7"));
  EXPECT_EQ(texts[1].weight, 0.25);
  EXPECT_TRUE(texts[1].place.ends_with("a.jsonl:2")) << texts[1].place;
  EXPECT_FALSE(texts[0].pair);
}

TEST(LabelledTexts, HeaderOfAHotelReviewFile) {
  const auto texts =
      read("hotel.csv",
           "\xEF\xBB\xBFlabel,review\n1,\"距离川沙公路较近,但是\"\"蔡陆线\"\"的话\"\n0,好\n");
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_EQ(texts[0].text, "距离川沙公路较近,但是\"蔡陆线\"的话");
  EXPECT_EQ(texts[0].label(), "1");
  EXPECT_EQ(texts[1].text, "好");
}

TEST(LabelledTexts, NamesOfFieldsInAnyCase) {
  const auto texts = read("a.csv", "Text,LABEL\ngood,1\n");
  EXPECT_EQ(texts[0].text, "good");
  EXPECT_EQ(texts[0].label(), "1");
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
  EXPECT_EQ(nli[0].label(), "2");
  EXPECT_EQ(read("b.json", R"({"data": [{"content": "c", "category": "sport"}]})")[0].label(),
            "sport");
  SequenceClassificationConfig config;
  config.text_field = "title";
  config.pair_field = "body";
  config.label_field = "kind";
  config.weight_field = "confidence";
  const auto named = read(
      "c.jsonl", R"({"title": "t", "body": "b", "kind": "k", "confidence": "0.5", "label": "no"})",
      config);
  EXPECT_EQ(named[0].text + named[0].pair.value() + named[0].label(), "tbk");
  EXPECT_EQ(named[0].weight, 0.5);
}

/// Records of one file have their labels in one field and are texts or pairs, all of them.
TEST(LabelledTexts, TheFieldsOfAFileAreThoseOfItsFirstRecord) {
  expect_error(ErrorCode::kData, {"a.jsonl:2: field 'label' is null"}, [] {
    read("a.jsonl", R"({"text": "a", "label": "pos", "target": "x"}
{"text": "b", "label": null, "target": "iphone"})");
  });
  expect_error(ErrorCode::kData, {"a.jsonl:1: field 'label' is null"},
               [] { read("a.jsonl", R"({"text": "b", "label": null, "target": "iphone"})"); });
  expect_error(ErrorCode::kData, {"a.jsonl:2: no field 'label' (it has text, target)"}, [] {
    read("a.jsonl", R"({"text": "a", "label": "pos", "target": "x"}
{"text": "b", "target": "iphone"})");
  });
  expect_error(ErrorCode::kData, {"a.jsonl:2: the text has no second text beside it"}, [] {
    read("a.jsonl", R"({"premise": "a", "hypothesis": "b", "label": "yes"}
{"premise": "a", "label": "no"})");
  });
  expect_error(ErrorCode::kData, {"a.jsonl:2: the text has a second text beside it"}, [] {
    read("a.jsonl", R"({"premise": "a", "label": "yes"}
{"premise": "a", "hypothesis": "b", "label": "no"})");
  });
  // Null says that there is none, as in files of both; how often is told.
  testing::internal::CaptureStderr();
  const auto texts = read("a.jsonl", R"({"text_a": "a", "text_b": null, "label": "x"}
{"text_a": "b", "text_b": "c", "label": "y"}
{"text_a": "d", "text_b": null, "label": "x"})");
  EXPECT_NE(
      testing::internal::GetCapturedStderr().find("a.jsonl: 2 records have null for a second text"),
      std::string::npos);
  ASSERT_EQ(texts.size(), 3u);
  EXPECT_FALSE(texts[0].pair);
  EXPECT_EQ(texts[1].pair, "c");
}

TEST(LabelledTexts, FieldsThatAreNamedAndMissingTellTheKey) {
  SequenceClassificationConfig config;
  config.text_field = "review";
  expect_error(ErrorCode::kData,
               {"a.jsonl:1: no field 'review' (it has text, label)", "tasks.0.text_field"},
               [&] { read("a.jsonl", R"({"text": "a", "label": "x"})", config); });
}

TEST(LabelledTexts, AnInputHasItsTextWhereTheLearntOnesHadIt) {
  SequenceClassificationConfig config;
  config.text_field = "summary";
  const Json both = {{"text", "t"}, {"summary", "s"}};
  EXPECT_EQ(read_text_input({both, "input"}, config).text, "s");
  EXPECT_EQ(read_text_input({Json{{"text", "t"}}, "input"}, config).text, "t");
  config.pair_field = "aspect";
  const Json pair = {{"text", "t"}, {"aspect", "a"}};
  EXPECT_EQ(read_text_input({pair, "input"}, config).pair, "a");
  const Json usual = {{"sentence1", "b"}, {"sentence2", "c"}};
  EXPECT_EQ(read_text_input({usual, "input"}, config).pair, "c");
  expect_error(ErrorCode::kData, {"input: no field 'aspect' with the second text (it has text)"},
               [&] {
                 read_text_input({Json{{"text", "t"}}, "input"}, config);
               });
}

TEST(LabelledTexts, PairsWhereTheyAreAskedFor) {
  SequenceClassificationConfig config;
  config.pairs = true;
  const std::string pair = R"({"text": "a", "pair": "b", "label": "x"})"
                           "\n";
  EXPECT_EQ(read("a.jsonl", pair, config)[0].pair, "b");
  expect_error(ErrorCode::kData,
               {"a.jsonl:1: no second text beside 'text' (it has text, label)", "task.pair_field"},
               [&] { read("a.jsonl", R"({"text": "a", "label": "x"})", config); });
  expect_error(ErrorCode::kData,
               {"input: no second text beside 'sentence1' (it has sentence1); the model reads "
                R"(pairs, such as {"sentence1": "…", "sentence2": "…"})"},
               [&] {
                 read_text_input({Json{{"sentence1", "a"}}, "input"}, config);
               });
  const Json null = {{"sentence1", "a"}, {"sentence2", nullptr}, {"label", 1}};
  expect_error(ErrorCode::kData,
               {"a.jsonl:1: the second text 'sentence2' is null; give one, as all texts here are "
                "pairs (task.pairs)"},
               [&] { read("a.jsonl", dump_json(null), config); });
  expect_error(ErrorCode::kData,
               {"input: the second text 'sentence2' is null; the model reads pairs, such as "},
               [&] {
                 read_text_input({null, "input"}, config);
               });
  config.pairs = false;
  EXPECT_FALSE(read("a.jsonl", pair, config)[0].pair);
  EXPECT_FALSE(
      read_text_input({Json{{"premise", "a"}, {"hypothesis", "b"}}, "input"}, config).pair);
}

TEST(LabelledTexts, WithoutLabels) {
  EXPECT_EQ(read("a.jsonl", R"({"text": "x"})", {}, false)[0].label(), "");
  EXPECT_EQ(read("a.jsonl", R"({"text": "x", "label": "l"})", {}, false)[0].label(), "");
}

TEST(LabelledTexts, EmptyTextsAreBadExceptAsReferences) {
  expect_error(ErrorCode::kData, {"a.csv:2: the text is empty; --skip-bad leaves"},
               [] { read("a.csv", "text,label\n　,1\n"); });
  const std::string fields = R"({"premise": "a", "hypothesis": "b", "label": 1}
)";
  const std::string blank = fields + R"({"premise": "a", "hypothesis": " ", "label": 1})";
  expect_error(ErrorCode::kData,
               {"a.jsonl:2: the second text is empty; where there is none, its field is null (in "
                "JSON), or no record has it"},
               [&] { read("a.jsonl", blank); });
  SequenceClassificationConfig needed;
  needed.pairs = true;
  expect_error(ErrorCode::kData, {"a.jsonl:2: the second text is empty; --skip-bad leaves"},
               [&] { read("a.jsonl", blank, needed); });
  expect_error(ErrorCode::kData, {"a.jsonl:2: the text is empty"}, [&] {
    read("a.jsonl", fields + R"({"premise": "", "hypothesis": "b", "label": 1})");
  });
  const TempDir directory;
  std::vector<LabelledText> out;
  BadRows bad(false);
  const SequenceClassificationConfig config;
  read_labelled_texts(directory.write("a.csv", "text,label\n,1\n"),
                      {config, ProblemType::kSingleLabel, 0, true, true}, bad, out);
  EXPECT_EQ(out.size(), 1u);
  EXPECT_EQ(bad.count(), 0u);
}

std::vector<LabelledText> read_as(ProblemType problem, const std::string& name,
                                  const std::string& content,
                                  const SequenceClassificationConfig& config = {}) {
  const TempDir directory;
  std::vector<LabelledText> out;
  BadRows bad(false);
  read_labelled_texts(directory.write(name, content), {config, problem}, bad, out);
  bad.settle();
  return out;
}

TEST(LabelledTexts, SeveralLabels) {
  using Labels = std::vector<std::string>;
  const auto several = ProblemType::kMultiLabel;
  const auto lists = read_as(several, "a.jsonl", R"({"text": "a", "labels": ["x", "y", 3]}
{"text": "b", "labels": []}
{"text": "c", "labels": "x, z"}
)");
  EXPECT_EQ(lists[0].labels, (Labels{"x", "y", "3"}));
  EXPECT_TRUE(lists[1].labels.empty());
  EXPECT_EQ(lists[2].labels, (Labels{"x", " z"}));
  EXPECT_EQ(read_as(several, "t.jsonl", R"({"text": "c", "tags": "x, z"})")[0].labels,
            (Labels{"x", " z"}));
  SequenceClassificationConfig config;
  config.label_separator = "|";
  EXPECT_EQ(read_as(several, "a.csv", "text,label\na,x|y\nb,\n", config)[0].labels,
            (Labels{"x", "y"}));
  expect_error(ErrorCode::kData, {"a.jsonl:1: field 'label': expected a list of labels, got null"},
               [&] { read_as(several, "a.jsonl", R"({"text": "a", "label": [null]})"); });
  expect_error(ErrorCode::kData, {"a.jsonl:1: field 'label': the label is a list", "problem_type"},
               [] { read("a.jsonl", R"({"text": "a", "label": ["x"]})"); });
  std::vector<LabelledText> texts = lists;
  BadRows bad(true);
  resolve_classes(texts, {"3", "x", "y"}, bad);
  EXPECT_EQ(bad.count(), 1u) << "z";
  ASSERT_EQ(texts.size(), 2u);
  EXPECT_EQ(texts[0].classes, (std::vector<std::size_t>{0, 1, 2}));
  EXPECT_TRUE(texts[1].classes.empty());
  testing::internal::CaptureStderr();
  bad.settle();
  EXPECT_NE(testing::internal::GetCapturedStderr().find("a.jsonl:3: unknown class ' z'"),
            std::string::npos);
}

TEST(LabelledTexts, ListsInTheCellsOfATable) {
  using Labels = std::vector<std::string>;
  const auto texts = read_as(ProblemType::kMultiLabel, "a.csv", R"(text,labels
a,"['food', 'place']"
b,"[""staff"", ""place""]"
c,['food' 'price']
d,[]
e," [ 'food','staff' ] "
)");
  ASSERT_EQ(texts.size(), 5u);
  EXPECT_EQ(texts[0].labels, (Labels{"food", "place"}));
  EXPECT_EQ(texts[1].labels, (Labels{"staff", "place"}));
  EXPECT_EQ(texts[2].labels, (Labels{"food", "price"}));
  EXPECT_TRUE(texts[3].labels.empty());
  EXPECT_EQ(texts[4].labels, (Labels{"food", "staff"}));
  EXPECT_EQ(label_names(texts), (Labels{"food", "place", "price", "staff"}));
  for (const char* cell : {"[True, False, False]", "[ True False False]", "[1. 0. 0.]"}) {
    expect_error(ErrorCode::kData, {"a.csv:2", "field 'labels'", "a flag for each label"}, [&] {
      read_as(ProblemType::kMultiLabel, "a.csv", concat("text,labels\na,\"", cell, "\"\n"));
    });
  }
  expect_error(ErrorCode::kData, {"a.csv:2", "a label is empty"}, [] {
    read_as(ProblemType::kMultiLabel, "a.csv", "text,labels\na,\"['food', '']\"\n");
  });
}

TEST(LabelledTexts, ListsWrittenAsTextAreWellFormed) {
  using Labels = std::vector<std::string>;
  EXPECT_EQ(split_labels(R"(["it's", 'b'])", ","), (Labels{"it's", "b"}));
  EXPECT_EQ(split_labels(R"(['it\'s', "a \"b\"", 'c\\d', 'e, f'])", ","),
            (Labels{"it's", "a \"b\"", "c\\d", "e, f"}));
  EXPECT_EQ(split_labels(R"(["\u996d", "\n", true])", ","), (Labels{"饭", "\n", "true"}))
      << "what JSON escapes";
  EXPECT_EQ(split_labels("[1, 2.0, -3]", ","), (Labels{"1", "2.0", "-3"}));
  EXPECT_EQ(split_labels("[ 1\n 22]", ","), (Labels{"1", "22"}));
  EXPECT_EQ(split_labels("['a', nan]", ","), (Labels{"a", "nan"}));
  EXPECT_EQ(split_labels("['a',]", ","), (Labels{"a"}));
  EXPECT_EQ(split_labels("['a', 'b']", "|"), (Labels{"a", "b"}));
  EXPECT_TRUE(split_labels(" [ ] ", ",").empty());
  for (const char* label : {"[x", "[x]", "x]", "['x", "['x]", "['x''y']", "[1'x']", R"(['\q'])",
                            R"(['x\])", "[null]", "[[1]]", "[;]"})
    EXPECT_EQ(split_labels(label, ","), (Labels{label}));
  EXPECT_EQ(split_labels("[x, y]", ","), (Labels{"[x", " y]"}));
  EXPECT_EQ(split_labels("['a',, 'b']", ","), (Labels{"['a'", " 'b']"}));
}

TEST(LabelledTexts, FlagsAreNoNamesOfLabels) {
  for (const char* labels : {"[1, 1, 0, 0]", "[true, false, false]", "[0, 0]"}) {
    expect_error(ErrorCode::kData, {"a.jsonl:1", "field 'labels'", "a flag for each label"}, [&] {
      read_as(ProblemType::kMultiLabel, "a.jsonl",
              concat(R"({"text": "t", "labels": )", labels, "}"));
    });
  }
  expect_error(ErrorCode::kData, {"a.jsonl:1", "a label is empty"}, [] {
    read_as(ProblemType::kMultiLabel, "a.jsonl", R"({"text": "t", "labels": ["food", ""]})");
  });
  EXPECT_EQ(read_as(ProblemType::kMultiLabel, "a.jsonl", R"({"text": "t", "labels": [0, 1]})")[0]
                .labels.size(),
            2u);
}

TEST(LabelledTexts, NumbersOfRegression) {
  const auto numbers = ProblemType::kRegression;
  const auto texts = read_as(numbers, "a.csv", "sentence1,sentence2,score\na,b,3.5\nc,d,-1\n");
  EXPECT_EQ(texts[0].value, 3.5);
  EXPECT_EQ(texts[1].value, -1);
  EXPECT_EQ(texts[0].pair, "b");
  for (const char* bad : {"much", "nan", ""})
    expect_error(ErrorCode::kData, {"a.csv:2: field 'label': expected a number, got '"},
                 [&] { read_as(numbers, "a.csv", std::string("text,label\nx,") + bad + "\n"); });
}

TEST(LabelledTexts, ConfidenceMultipliesWeight) {
  const auto texts = read("a.jsonl", R"({"text": "a", "label": 1, "weight": 3, "confidence": 0.5}
{"text": "b", "label": 1, "confidence": "0.25"})");
  EXPECT_EQ(texts[0].weight, 1.5);
  EXPECT_EQ(texts[1].weight, 0.25);
  SequenceClassificationConfig config;
  config.confidence_field = "p";
  EXPECT_EQ(
      read("a.jsonl", R"({"text": "a", "label": 1, "p": 0.5, "confidence": 7})", config)[0].weight,
      0.5);
  expect_error(ErrorCode::kData, {"field 'confidence': expected a number from 0 to 1, got '1.5'"},
               [] { read("a.jsonl", R"({"text": "a", "label": 1, "confidence": 1.5})"); });
}

TEST(LabelledTexts, WeightsThatAreLeftEmptyAreOne) {
  const auto cells = read("a.csv", "text,label,weight,confidence\na,1,,0.5\nb,0,2, \nc,0,,\n");
  EXPECT_EQ(cells[0].weight, 0.5);
  EXPECT_EQ(cells[1].weight, 2);
  EXPECT_EQ(cells[2].weight, 1);
  SequenceClassificationConfig config;
  config.weight_field = "w";
  const auto named = read("a.jsonl", R"({"text": "a", "label": 1, "w": null}
{"text": "b", "label": 1, "w": ""})",
                          config);
  EXPECT_EQ(named[0].weight, 1);
  EXPECT_EQ(named[1].weight, 1);
  expect_error(ErrorCode::kData, {"a.jsonl:1: no field 'w' (it has text, label)"},
               [&] { read("a.jsonl", R"({"text": "a", "label": 1})", config); });
}

TEST(LabelledTexts, LabelsThatPandasMissesAreMissing) {
  for (const char* missing : {"nan", "NaN", " NaN"}) {
    const std::string told =
        concat("a.csv:3: the label is missing (", missing, ", as pandas writes what is missing)");
    auto texts = read("a.csv", concat("text,label\na,pos\nb,", missing, "\n"));
    BadRows reviewed(false), resolved(false);
    auto copy = texts;
    review_labels(copy, reviewed);
    EXPECT_EQ(copy.size(), 1u);
    expect_error(ErrorCode::kData, {told}, [&] { reviewed.settle(); });
    resolve_classes(texts, {"neg", "pos"}, resolved);
    EXPECT_EQ(texts.size(), 1u);
    expect_error(ErrorCode::kData, {told}, [&] { resolved.settle(); });
  }
  auto scores = read("a.csv", "text,label\na,0.5\n");
  BadRows bad(false);
  review_labels(scores, bad);
  expect_error(ErrorCode::kData, {"a.csv:2: the label 0.5 is a number with a fraction"},
               [&] { bad.settle(); });
}

TEST(LabelledTexts, EqualSharesOfEachClassAreHeldOut) {
  std::vector<LabelledText> texts;
  for (int i = 0; i < 110; ++i) {
    LabelledText text;
    text.text = "text " + std::to_string(i);
    text.classes = {i < 90 ? 0u : i < 109 ? 1u : 2u};
    text.value = i;
    texts.push_back(text);
  }
  const auto counts = [&](const std::vector<bool>& out) {
    std::vector<int> of_class(3);
    for (std::size_t i = 0; i < texts.size(); ++i)
      of_class[texts[i].classes.front()] += out[i] ? 1 : 0;
    return of_class;
  };
  const HeldOutShare tenth{.stratified = 0.1};
  const auto out = held_out_texts(texts, ProblemType::kSingleLabel, tenth);
  EXPECT_EQ(counts(out), (std::vector<int>{9, 2, 0}));
  EXPECT_EQ(counts(held_out_texts(texts, ProblemType::kMultiLabel, {.stratified = 0.5})),
            (std::vector<int>{45, 10, 0}));
  const auto values = held_out_texts(texts, ProblemType::kRegression, tenth);
  for (int tenths = 0; tenths < 10; ++tenths)
    EXPECT_EQ(std::count(values.begin() + tenths * 11, values.begin() + (tenths + 1) * 11, true),
              1);
}

TEST(LabelledTexts, Errors) {
  expect_error(ErrorCode::kData,
               {"a.jsonl:2: no field with the text (looked for text, sentence, ",
                "it has words, label); name it in task.text_field (of eval in tasks.0.text_field)"},
               [] {
                 read("a.jsonl",
                      "{\"text\": \"x\", \"label\": 1}\n{\"words\": \"x\", \"label\": 1}\n");
               });
  expect_error(
      ErrorCode::kData,
      {"a.csv:2: no field with the class", "it has text, stars); name it in task.label_field"},
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
  for (std::size_t i = 0; i < labels.size(); ++i) texts[i].labels = {labels[i]};
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
