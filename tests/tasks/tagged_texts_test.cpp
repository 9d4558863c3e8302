#include "tasks/tagged_texts.h"

#include <gmock/gmock.h>

#include <sstream>

#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::expect_error;
using test::TempDir;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

std::vector<std::string> words_in(const TaggedText& text) {
  std::vector<std::string> words;
  for (const ByteSpan& word : text.words)
    words.push_back(text.text.substr(word.begin, word.end - word.begin));
  return words;
}

std::vector<std::string> entities_in(const TaggedText& text) {
  std::vector<std::string> entities;
  for (const Entity& entity : text.entities)
    entities.push_back(entity.type + ":" +
                       text.text.substr(entity.begin, entity.end - entity.begin));
  return entities;
}

/// What a file holds, and what is wrong with its bad rows.
struct ReadTexts : TaggedTexts {
  std::vector<std::string> bad;
};

ReadTexts read(const std::string& name, const std::string& content,
               const TokenClassificationConfig& config = {}) {
  const TempDir directory;
  ReadTexts texts;
  BadRows bad(true);
  read_tagged_texts(directory.write(name, content), 0, config, bad, texts);
  testing::internal::CaptureStderr();
  bad.settle();
  std::istringstream lines(testing::internal::GetCapturedStderr());
  for (std::string line; std::getline(lines, line);)
    if (line.find(name) != line.npos) texts.bad.push_back(line);
  return texts;
}

TEST(TaggedTexts, WordsOfAText) {
  const std::string text = "Ann's 1,003.5 café, 我在NBA。カナ  e\u0301t well-off -x- 5. a.b";
  TaggedText cut;
  cut.text = text;
  cut.words = words_of_text(text);
  EXPECT_THAT(words_in(cut),
              ElementsAre("Ann", "'", "s", "1,003.5", "café", ",", "我", "在", "NBA", "。", "カ",
                          "ナ", "e\u0301t", "well-off", "-", "x", "-", "5", ".", "a", ".", "b"));
  EXPECT_TRUE(words_of_text("  ").empty());
}

TEST(TaggedTexts, ConllByBlanksWithCommentsAndDocuments) {
  const ReadTexts read_ = read("a.conll",
                               "-DOCSTART- -X- O O\n\n# id 1\nAnn NNP B-NP B-PER\nLee NNP I-NP "
                               "I-PER\n# NN B-NP O\n. . O O\n\n\nOakford NNP B-NP B-LOC\r\n");
  ASSERT_EQ(read_.texts.size(), 2u);
  EXPECT_TRUE(read_.bad.empty());
  EXPECT_EQ(read_.texts[0].text, "Ann Lee # .");
  EXPECT_THAT(words_in(read_.texts[0]), ElementsAre("Ann", "Lee", "#", "."));
  EXPECT_THAT(entities_in(read_.texts[0]), ElementsAre("PER:Ann Lee"));
  EXPECT_THAT(entities_in(read_.texts[1]), ElementsAre("LOC:Oakford"));
  EXPECT_EQ(read_.texts[1].id, 1);
  EXPECT_FALSE(read_.bioes);
}

TEST(TaggedTexts, ConllByTabsInChosenColumns) {
  TokenClassificationConfig config;
  config.word_column = 2;
  config.tag_column = 3;
  const ReadTexts read_ =
      read("a.tsv", "1\t小\tB-PER\tx\n2\t明\tE-PER\tx\n3\t在\tO\tx\n4\tNBA\tS-ORG\tx\n", config);
  ASSERT_EQ(read_.texts.size(), 1u);
  EXPECT_EQ(read_.texts[0].text, "小明在NBA");
  EXPECT_THAT(entities_in(read_.texts[0]), ElementsAre("PER:小明", "ORG:NBA"));
  EXPECT_TRUE(read_.bioes);
}

TEST(TaggedTexts, KeysOfAKindOfFileThatIsNotThereAreRefused) {
  const ReadTexts columns = read("a.conll", "Ann B-PER\n");
  const ReadTexts tokens = read("a.jsonl", R"({"tokens": ["Ann"], "tags": ["B-PER"]})");
  const ReadTexts spans = read("b.jsonl", R"({"text": "Ann", "entities": [[0, 3, "PER"]]})");
  TokenClassificationConfig config;
  config.format = "segmented";
  const ReadTexts segmented = read("a.txt", "小明 在\n", config);
  for (const ReadTexts* one : {&columns, &tokens, &spans, &segmented}) check_reading({}, {one});

  const auto refused = [](const std::string& key, const TokenClassificationConfig& given,
                          std::initializer_list<const TaggedTexts*> others,
                          const TaggedTexts& own) {
    expect_error(ErrorCode::kConfig, {"task." + key + ": is of ", "leave it out"},
                 [&] { check_reading(given, others); });
    for (const TaggedTexts* other : others) check_reading(given, {other, &own});
  };
  TokenClassificationConfig given;
  given.tag_column = 2;
  refused("tag_column", given, {&tokens, &spans, &segmented}, columns);
  given = {};
  given.word_column = 2;
  refused("word_column", given, {&tokens, &spans, &segmented}, columns);
  given = {};
  given.tokens_field = "tokens";
  refused("tokens_field", given, {&columns, &segmented}, tokens);
  given = {};
  given.tags_field = "tags";
  refused("tags_field", given, {&columns, &spans, &segmented}, tokens);
  given = {};
  given.spans_field = "entities";
  refused("spans_field", given, {&columns, &tokens, &segmented}, spans);
}

TEST(TaggedTexts, OldConllFilesBeginEntitiesWithI) {
  const ReadTexts read_ = read("a.txt", "Ann I-PER\nBob B-PER\nmet O\nCid I-PER\n");
  EXPECT_TRUE(read_.bad.empty());
  EXPECT_THAT(entities_in(read_.texts[0]), ElementsAre("PER:Ann", "PER:Bob", "PER:Cid"));
}

TEST(TaggedTexts, BadSentencesAreListedWithTheirLines) {
  const ReadTexts read_ = read("a.conll",
                               "Ann B-PER\nran O\n\nBob O\nLee I-PER\n\nAnn B-PER x\n\nalone\n\n"
                               "Ann NOUN\n\nCid B-PER\n\nA\xff B-PER\nran O\n");
  ASSERT_EQ(read_.texts.size(), 2u);
  EXPECT_THAT(read_.bad,
              ElementsAre(EndsWith("a.conll:5: the tag I-PER cannot follow O in BIO"),
                          EndsWith("a.conll:7: 3 columns, the first line has 2"),
                          EndsWith("a.conll:9: expected a word and its tag in columns between "
                                   "blanks or tabs, got 1 column"),
                          EndsWith("a.conll:11: 'NOUN' is no tag (expected O, or B-, I-, E- or S- "
                                   "with a type behind it)"),
                          HasSubstr("a.conll:15: ")));
}

TEST(TaggedTexts, RecordsWithSpans) {
  const ReadTexts read_ = read(
      "a.jsonl",
      R"({"id": "x", "text": "Ann met 小明 in Oakford.", "entities": [{"start": 8, "end": 10, "label": "PER"}, {"start": 0, "end": 4, "label": "PER", "text": "Ann"}, {"start_offset": 14, "end_offset": 21, "type": "LOC"}]})"
      "\n"
      R"({"text": "iPhone15 now", "labels": [[0, 6, "PRODUCT"]]})"
      "\n");
  EXPECT_THAT(read_.bad, ElementsAre());
  ASSERT_EQ(read_.texts.size(), 2u);
  EXPECT_EQ(read_.texts[0].id, "x");
  EXPECT_THAT(entities_in(read_.texts[0]), ElementsAre("PER:Ann", "PER:小明", "LOC:Oakford"));
  EXPECT_THAT(words_in(read_.texts[1]), ElementsAre("iPhone", "15", "now"))
      << "a word is cut where a span ends in it";
}

TEST(TaggedTexts, RecordsWithTokensAndTags) {
  TokenClassificationConfig config;
  config.labels = {"O", "B-PER", "I-PER"};
  const ReadTexts read_ = read("a.jsonl",
                               R"({"tokens": ["Ann", "Lee", "ran"], "ner_tags": [1, 2, 0]})"
                               "\n"
                               R"({"words": ["小", "明"], "tags": ["B-PER", "I-PER"]})"
                               "\n",
                               config);
  EXPECT_THAT(read_.bad, ElementsAre());
  EXPECT_THAT(entities_in(read_.texts[0]), ElementsAre("PER:Ann Lee"));
  EXPECT_THAT(entities_in(read_.texts[1]), ElementsAre("PER:小明"));
  expect_error(ErrorCode::kConfig, {"a.jsonl:1", "task.labels"},
               [] { read("a.jsonl", R"({"tokens": ["Ann"], "ner_tags": [1]})"); });
}

TEST(TaggedTexts, BadRecordsAreListed) {
  const ReadTexts read_ =
      read("a.jsonl",
           R"({"text": "Ann Lee ran", "entities": [[0, 7, "PER"], [4, 11, "PER"]]})"
           "\n"
           R"({"text": "Ann", "entities": [[0, 4, "PER"]]})"
           "\n"
           R"({"text": "Ann", "entities": [{"start": 0, "end": 3, "label": "PER", "text": "Bob"}]})"
           "\n"
           R"({"text": "Ann", "entities": [{"start": 0, "end": 3}]})"
           "\n"
           R"({"text": " ", "entities": []})"
           "\n"
           R"({"text": "Ann"})"
           "\n"
           R"({"tokens": ["Ann", "ran"], "tags": ["O"]})"
           "\n"
           R"({"tokens": ["Bob", "met", "Ann"], "tags": ["B-PER", "O", "I-PER"]})"
           "\n"
           R"({"text": "fine", "entities": []})"
           "\n");
  EXPECT_EQ(read_.texts.size(), 1u);
  EXPECT_THAT(
      read_.bad,
      ElementsAre(
          HasSubstr("a.jsonl:1: the spans 'Ann Lee' (PER) and 'Lee ran' (PER) overlap"),
          HasSubstr("a.jsonl:2: the span 0 to 4 (PER) is no part of a text of 3 characters"),
          HasSubstr("a.jsonl:3: the span 0 to 3 is 'Ann', not 'Bob'"),
          HasSubstr("a.jsonl:4: a span needs a 'label'"), HasSubstr("a.jsonl:5: the text is empty"),
          HasSubstr("a.jsonl:6: no field with the spans"),
          HasSubstr("a.jsonl:7: 2 words in 'tokens' and 1 tags in 'tags'"),
          HasSubstr("a.jsonl:8: the tag I-PER cannot follow O in BIO")));
}

TEST(TaggedTexts, WholeNumbersWithAPointAreNumbers) {
  const ReadTexts read_ = read(
      "a.jsonl", R"({"text": "Ann ran", "entities": [{"start": 0.0, "end": 3.0, "label": "PER"}]})"
                 "\n"
                 R"({"text": "Ann ran", "entities": [[4.0, 7, "ACT"]]})"
                 "\n"
                 R"({"text": "Ann ran", "entities": [{"start": 0.5, "end": 3, "label": "PER"}]})"
                 "\n"
                 R"({"text": "Ann ran", "entities": [[0, 1e300, "PER"]]})"
                 "\n"
                 R"({"text": "Ann ran", "entities": [{"start": "0", "end": 3, "label": "PER"}]})"
                 "\n");
  ASSERT_EQ(read_.texts.size(), 2u);
  EXPECT_THAT(entities_in(read_.texts[0]), ElementsAre("PER:Ann"));
  EXPECT_THAT(entities_in(read_.texts[1]), ElementsAre("ACT:ran"));
  EXPECT_THAT(
      read_.bad,
      ElementsAre(HasSubstr("a.jsonl:3: 0.5 is no whole number of characters, in the span {"),
                  HasSubstr("a.jsonl:4: 1e+300 is no whole number of characters, in the span ["),
                  HasSubstr("a.jsonl:5: a span needs 'start' and 'end' in characters, got {")));
  TokenClassificationConfig config;
  config.labels = {"O", "B-PER"};
  const ReadTexts tags = read("a.jsonl",
                              R"({"tokens": ["Ann", "ran"], "tags": [1.0, 0.0]})"
                              "\n"
                              R"({"tokens": ["Ann", "ran"], "tags": [0.5, 0.0]})"
                              "\n",
                              config);
  EXPECT_THAT(tags.bad, ElementsAre(HasSubstr("a.jsonl:2: expected tags, got 0.5")));
  ASSERT_EQ(tags.texts.size(), 1u);
  EXPECT_THAT(entities_in(tags.texts[0]), ElementsAre("PER:Ann"));
}

TEST(TaggedTexts, FieldsThatAreNullAreNamed) {
  const ReadTexts read_ =
      read("a.jsonl", R"({"text": "Ann", "entities": null})"
                      "\n"
                      R"({"tokens": ["Ann"], "tags": null})"
                      "\n"
                      R"({"text": "Ann", "entities": null, "spans": [[0, 3, "PER"]]})"
                      "\n");
  EXPECT_THAT(read_.bad, ElementsAre(EndsWith("a.jsonl:1: field 'entities' is null ([] for none)"),
                                     EndsWith("a.jsonl:2: field 'tags' is null")));
  ASSERT_EQ(read_.texts.size(), 1u);
  EXPECT_THAT(entities_in(read_.texts[0]), ElementsAre("PER:Ann"));
}

TEST(TaggedTexts, FilesOfOtherKindsAreRefused) {
  expect_error(ErrorCode::kData, {"a.csv: a csv file; expected JSON Lines"},
               [] { read("a.csv", "text,label\nAnn,PER\n"); });
}

TEST(TaggedTexts, SegmentedLines) {
  TokenClassificationConfig config;
  config.format = "segmented";
  const ReadTexts read_ = read("a.txt", "我们 2008年 去  图书馆 。\n\nuse iPhone 6 吗\n", config);
  ASSERT_EQ(read_.texts.size(), 2u);
  EXPECT_EQ(read_.texts[0].text, "我们2008年去图书馆。");
  EXPECT_THAT(entities_in(read_.texts[0]),
              ElementsAre("_:我们", "_:2008年", "_:去", "_:图书馆", "_:。"));
  EXPECT_THAT(words_in(read_.texts[0]),
              ElementsAre("我", "们", "2008", "年", "去", "图", "书", "馆", "。"));
  EXPECT_EQ(read_.texts[1].text, "use iPhone 6吗");
  EXPECT_TRUE(read_.bioes);
  expect_error(ErrorCode::kData, {"a.txt: no line has blanks between words"},
               [&] { read("a.txt", "我们去图书馆。\n", config); });
}

TEST(TaggedTexts, SingleInputs) {
  const TaggedText text = read_tagged_input({Json{{"text", "Ann ran"}}, "prompt 1"}, {});
  EXPECT_THAT(words_in(text), ElementsAre("Ann", "ran"));
  EXPECT_FALSE(text.from_words);
  const TaggedText words =
      read_tagged_input({Json{{"tokens", {"U.S.", "小", "明"}}}, "prompt 1"}, {});
  EXPECT_EQ(words.text, "U.S.小明");
  EXPECT_THAT(words_in(words), ElementsAre("U.S.", "小", "明"));
  EXPECT_TRUE(words.from_words);
  expect_error(ErrorCode::kData, {"prompt 1: no field with the text"}, [] {
    read_tagged_input({Json{{"x", "y"}}, "prompt 1"}, {});
  });
}

}  // namespace
}  // namespace llmctl
