#include "tasks/qa_data.h"

#include <gtest/gtest.h>

#include <utility>

#include "base/log.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"
#include "tasks/qa_reader.h"

namespace llmctl {
namespace {

using test::expect_error;
using test::TempDir;

QaData read(const std::string& content, const std::string& name = "qa.json") {
  return test::read_questions(content, name);
}

std::string spanned(const QaData& data, std::size_t item) {
  const QaItem& it = data.items[item];
  if (!it.span) return "(none)";
  return data.contexts[it.context].substr(it.span->begin, it.span->end - it.span->begin);
}

TEST(QaData, Squad) {
  const QaData data = read(R"({"version": "1.1", "data": [{"title": "t", "paragraphs": [
    {"context": "狐狸🦊住在山里。A fox lives here.", "qas": [
      {"id": "a", "question": "谁住在山里？", "answers": [{"text": "狐狸", "answer_start": 0}, {"text": "狐狸🦊", "answer_start": 0}]},
      {"id": 7, "question": "Who lives here?", "answers": [{"text": "A fox", "answer_start": 8}]}]},
    {"context": "second", "qas": [{"id": "b", "question": "q", "answers": [{"text": " second ", "answer_start": -1}]}]}]}]})");
  ASSERT_EQ(data.items.size(), 3u);
  EXPECT_EQ(data.contexts.size(), 2u);
  EXPECT_EQ(data.items[0].id, "a");
  EXPECT_EQ(data.items[0].answers, (std::vector<std::string>{"狐狸", "狐狸🦊"}));
  EXPECT_EQ(spanned(data, 0), "狐狸");
  EXPECT_EQ(data.items[1].id, "7");
  EXPECT_EQ(spanned(data, 1), "A fox") << "answer_start counts code points";
  EXPECT_EQ(data.items[2].context, 1u);
  EXPECT_EQ(spanned(data, 2), "second");
  EXPECT_EQ(data.moved, 0u);
  EXPECT_FALSE(data.has_unanswerable());
}

TEST(QaData, Squad20) {
  const QaData data = read(R"({"data": [{"paragraphs": [{"context": "abc", "qas": [
    {"id": "a", "question": "q", "is_impossible": true, "answers": [], "plausible_answers": [{"text": "b", "answer_start": 1}]},
    {"id": "b", "question": "q", "is_impossible": true, "answers": [{"text": "b", "answer_start": 1}]},
    {"id": "c", "question": "q", "is_impossible": false, "answers": [{"text": "b", "answer_start": 1}]}]}]}]})");
  EXPECT_TRUE(data.has_unanswerable());
  EXPECT_TRUE(data.items[0].answers.empty() && data.items[1].answers.empty());
  EXPECT_EQ(spanned(data, 2), "b");
}

TEST(QaData, Cmrc2018OriginalForm) {
  const QaData data =
      read(R"([{"context_id": "C0", "title": "x", "context_text": "生命数耗完即算为踢爆。", "qas": [
    {"query_id": "C0_Q0", "query_text": "生命数耗完即算为什么？", "answers": ["踢爆", "踢爆。"]}]}])");
  ASSERT_EQ(data.items.size(), 1u);
  EXPECT_EQ(data.items[0].id, "C0_Q0");
  EXPECT_EQ(data.items[0].question, "生命数耗完即算为什么？");
  EXPECT_EQ(spanned(data, 0), "踢爆");
}

TEST(QaData, FlatRecords) {
  const QaData data = read(
      "{\"question\": \"q\", \"context\": \"a b\", \"answers\": {\"text\": [\"b\", \"a\"], "
      "\"answer_start\": [2, 0]}}\n"
      "{\"question\": \"q\", \"context\": \"a b\", \"answer\": \"b\"}\n"
      "{\"question\": \"q\", \"context\": \"a b\", \"answers\": {\"text\": \"a\", "
      "\"answer_start\": 0}}\n"
      "{\"question\": \"q\", \"context\": \"a b\", \"answers\": {\"text\": [], \"answer_start\": "
      "[]}}\n",
      "qa.jsonl");
  ASSERT_EQ(data.items.size(), 4u);
  EXPECT_EQ(data.items[1].id, "1") << "records without id are numbered";
  EXPECT_EQ(data.items[0].answers, (std::vector<std::string>{"b", "a"}));
  EXPECT_EQ(spanned(data, 0), "b");
  EXPECT_EQ(spanned(data, 1), "b");
  EXPECT_EQ(spanned(data, 2), "a");
  EXPECT_TRUE(data.items[3].answers.empty());
}

/// A field that is not found is no answer that is not there.
TEST(QaData, AnswersOfAnotherNameAreNoQuestionsWithoutAnswer) {
  for (const char* file :
       {"question,context,answer_text\nWhere?,In Oakford.,Oakford\n", "question,context\nq,c\n"}) {
    expect_error(ErrorCode::kData, {"qa.csv:2", "no field 'answers' or 'answer'", "is_impossible"},
                 [&] { read(file, "qa.csv"); });
  }
  expect_error(ErrorCode::kData,
               {"[0].qas[0]: no field 'answers'", "it has id, question, answer_text"}, [] {
                 read(R"([{"context": "x", "qas": [
                   {"id": "a", "question": "q", "answer_text": "x"}]}])");
               });
  const QaData data = read(
      "Question,Context,Answer,Is_Impossible\n"
      "Where?,In Oakford.,Oakford,false\n"
      "When?,In Oakford.,,\n"
      "Who?,In Oakford.,Oakford,True\n",
      "qa.csv");
  ASSERT_EQ(data.items.size(), 3u);
  EXPECT_EQ(spanned(data, 0), "Oakford") << "names count in whatever case";
  EXPECT_TRUE(data.items[1].answers.empty());
  EXPECT_TRUE(data.items[2].answers.empty());
  EXPECT_TRUE(read(R"([{"context": "x", "question": "q", "is_impossible": true}])")
                  .items[0]
                  .answers.empty());
}

TEST(QaData, NearestOccurrence) {
  const QaData data = read(R"([{"context": "ab 一 ab 二 ab 三", "qas": [
    {"id": "0", "question": "q", "answers": [{"text": "ab", "answer_start": 6}]},
    {"id": "1", "question": "q", "answers": [{"text": "ab", "answer_start": 99}]},
    {"id": "2", "question": "q", "answers": [{"text": "xy", "answer_start": 0}, {"text": "三", "answer_start": 13}]},
    {"id": "3", "question": "q", "answers": [{"text": "xy", "answer_start": 0}]}]}])");
  EXPECT_EQ(data.items[0].span, (ByteSpan{7, 9}));
  EXPECT_EQ(data.items[1].span, (ByteSpan{14, 16}));
  EXPECT_EQ(spanned(data, 2), "三") << "the first reference that occurs";
  EXPECT_EQ(data.items[3].span, std::nullopt);
  EXPECT_EQ(data.items[3].answers.size(), 1u);
  EXPECT_EQ(data.moved, 2u);
}

TEST(QaData, StartsBesideAnswersThatAreTexts) {
  // The first "ab" is not meant.
  const QaData data = read(
      R"({"context": "ab 一 ab", "question": "q", "answer": "ab", "answer_start": 5})"
      "\n"
      R"({"context": "ab 一 ab", "question": "q", "answers": ["ab", "一"], "answer_start": [5, 3]})"
      "\n"
      R"({"context": "ab 一 ab", "question": "q", "answers": ["ab"], "answer_start": 5})"
      "\n"
      R"({"context": "ab 一 ab", "question": "q", "answer": "ab"})"
      "\n"
      R"({"context": "ab 一 ab", "question": "q", "answer": "", "answer_start": -1})"
      "\n",
      "a.jsonl");
  ASSERT_EQ(data.items.size(), 5u);
  for (const std::size_t item : {0u, 1u, 2u}) EXPECT_EQ(data.items[item].span, (ByteSpan{7, 9}));
  EXPECT_EQ(data.items[3].span, (ByteSpan{0, 2}));
  EXPECT_EQ(data.items[4].span, std::nullopt);
  EXPECT_EQ(data.moved, 0u);
  const QaData table = read(
      "question,context,answer,answer_start\nq,ab 一 ab,ab,5\nq,ab 一 ab,ab,\nq,ab 一 ab,,\n"
      "q,ab 一 ab,ab,5.0\n",
      "a.csv");
  EXPECT_EQ(table.items[0].span, (ByteSpan{7, 9}));
  EXPECT_EQ(table.items[1].span, (ByteSpan{0, 2}));
  EXPECT_TRUE(table.items[2].answers.empty());
  EXPECT_EQ(table.items[3].span, (ByteSpan{7, 9})) << "as pandas writes columns with empty cells";
  for (const char* answers :
       {R"("answer": "ab", "answer_start": 5.0)", R"("answer": ["ab"], "answer_start": [5.0])",
        R"("answers": {"text": ["ab"], "answer_start": [5.0]})",
        R"("answers": [{"text": "ab", "answer_start": 5.0}])"}) {
    const QaData flat =
        read(concat(R"([{"context": "ab 一 ab", "question": "q", )", answers, "}]"));
    EXPECT_EQ(flat.items[0].span, (ByteSpan{7, 9})) << answers;
  }
  for (const char* wrong : {"\"five\"", "5.5", "{}", "[5.5]"}) {
    expect_error(ErrorCode::kData, {"answer_start", "expected an integer"}, [&] {
      read(concat(R"([{"context": "ab", "question": "q", "answer": "ab", "answer_start": )", wrong,
                  "}]"));
    });
  }
  expect_error(ErrorCode::kData, {"[0].answer_start: expected 2 numbers", "got 1"}, [] {
    read(R"([{"context": "ab", "question": "q", "answers": ["a", "b"], "answer_start": 0}])");
  });
}

TEST(QaData, SaysWhichFieldsOfFlatRecordsAreNotUsed) {
  const auto said = [](const std::string& content, const std::string& name) {
    set_log_level(LogLevel::kInfo);
    testing::internal::CaptureStderr();
    read(content, name);
    return testing::internal::GetCapturedStderr();
  };
  const std::string flat =
      R"({"context": "ab", "Question": "q", "answer": "ab", "begin": 0, "id": 1})";
  for (const auto& [content, name] : {std::pair{flat, "a.jsonl"}, {"[" + flat + "]", "a.json"}}) {
    EXPECT_NE(said(content, name)
                  .find("of each record context, Question, answer, id are read; not used: begin"),
              std::string::npos)
        << said(content, name);
  }
  EXPECT_EQ(said(R"([{"context": "x", "title": "t", "qas": []}])", "a.json"), "");
}

TEST(QaData, Errors) {
  expect_error(ErrorCode::kData, {"qa.json", ": no field 'data'"}, [] { read("{}"); });
  expect_error(ErrorCode::kData, {"data: expected a list, got object"},
               [] { read(R"({"data": {}})"); });
  expect_error(ErrorCode::kData, {"data[0].paragraphs[0]: no field 'context'"},
               [] { read(R"({"data": [{"paragraphs": [{"qas": []}]}]})"); });
  expect_error(ErrorCode::kData, {"[0].qas[0]: no field 'question'"},
               [] { read(R"([{"context": "x", "qas": [{"id": "a"}]}])"); });
  expect_error(
      ErrorCode::kData, {"[0].qas[0].answers[0].answer_start: expected an integer, got string"},
      [] {
        read(
            R"([{"context": "x", "qas": [{"question": "q", "answers": [{"text": "x", "answer_start": "0"}]}]}])");
      });
  expect_error(ErrorCode::kData, {"[0].qas[0].answers[0].text: expected text, got array"}, [] {
    read(
        R"([{"context": "x", "qas": [{"question": "q", "answers": [{"text": [], "answer_start": 0}]}]}])");
  });
  expect_error(ErrorCode::kData, {"[0].context: expected text, got array"},
               [] { read(R"([{"context": [], "qas": []}])"); });
  expect_error(ErrorCode::kData, {"[0]: expected an object, got number"}, [] { read("[3]"); });
  expect_error(ErrorCode::kData, {":2: no field 'context'"}, [] {
    read("{\"question\": \"q\", \"context\": \"c\", \"answer\": \"\"}\n{\"question\": \"q\"}\n",
         "a.jsonl");
  });
  expect_error(ErrorCode::kData, {"answer_start: expected 2 numbers, got 1"}, [] {
    read(
        R"([{"context": "x", "question": "q", "answers": {"text": ["x", "x"], "answer_start": [0]}}])");
  });
  expect_error(ErrorCode::kMissing, {"nowhere.json"}, [] {
    QaData data;
    BadRows bad(false);
    read_qa_file("/nowhere.json", bad, data);
  });
}

TEST(QaData, Drcd) {
  const QaData data =
      read(R"({"version": "1.3", "data": [{"title": "梵語", "id": "1147", "paragraphs": [
    {"context": "在歐洲，梵語的學術研究，由德國學者陸特和漢斯雷頓開創。", "id": "1147-5", "qas": [
      {"id": "1147-5-1", "question": "陸特和漢斯雷頓開創了哪一地區對梵語的學術研究？",
       "answers": [{"id": "1", "text": "歐洲", "answer_start": 1}]}]}]}]})",
           "DRCD_dev.json");
  ASSERT_EQ(data.items.size(), 1u);
  EXPECT_EQ(data.items[0].id, "1147-5-1");
  EXPECT_EQ(spanned(data, 0), "歐洲");
  EXPECT_EQ(data.moved, 0u);
}

TEST(QaData, BadItemsAreNotedAndTheOthersRead) {
  const TempDir directory;
  QaData data;
  BadRows bad(true);
  read_qa_file(directory.write("a.json", R"([{"context": "one two", "qas": [
      {"id": "a", "question": "q", "answers": ["one"]},
      {"id": "b", "question": " ", "answers": ["one"]},
      {"id": "c", "question": "q", "answers": ["three"]},
      {"id": "a", "question": "q", "answers": ["two"]}]},
      {"context": "", "question": "q", "answers": []}, 7])"),
               bad, data);
  EXPECT_EQ(bad.count(), 3u);
  drop_unfound_answers(data, bad);
  EXPECT_EQ(bad.count(), 4u);
  drop_repeated_ids(data, bad);
  EXPECT_EQ(bad.count(), 5u);
  ASSERT_EQ(data.items.size(), 1u);
  EXPECT_EQ(spanned(data, 0), "one");
  testing::internal::CaptureStderr();
  bad.settle();
  const std::string told = testing::internal::GetCapturedStderr();
  for (const char* row :
       {"a.json: [0].qas[1].question: is empty", "a.json: [1].context: is empty",
        "a.json: [2]: expected an object, got number",
        "a.json: [0].qas[2]: the answer 'three' does not occur in the passage (id 'c')",
        "a.json: [0].qas[3]: id 'a' occurs twice", "5 bad rows are left out"})
    EXPECT_NE(told.find(row), told.npos) << row << "\n" << told;
}

TEST(QaPredictions, MapListAndLines) {
  const TempDir directory;
  const auto read = [&](const std::string& name, const std::string& content) {
    std::string out;
    for (const Prediction& one : read_qa_predictions(directory.write(name, content)))
      out += one.id + "=" + one.text() + ";";
    return out;
  };
  EXPECT_EQ(read("m.json", R"({"a": "x", "b": ""})"), "a=x;b=;");
  EXPECT_EQ(read("l.json", R"([{"id": "a", "prediction": "x"}, {"id": "b", "prediction": ""}])"),
            "a=x;b=;");
  EXPECT_EQ(
      read("l.jsonl", "{\"id\": 1, \"prediction\": \"x\"}\n{\"id\": 2, \"prediction\": \"\"}\n"),
      "1=x;2=;");
  expect_error(ErrorCode::kData, {"bad.json, id 'b': the prediction is null"},
               [&] { read("bad.json", R"({"a": "x", "b": null})"); });
  expect_error(ErrorCode::kData, {"gold.jsonl:1: no prediction (looked for prediction"},
               [&] { read("gold.jsonl", "{\"id\": 1, \"answer\": \"x\"}\n"); });
  expect_error(ErrorCode::kData, {"some.jsonl:2: some records have an id and some have none"}, [&] {
    read("some.jsonl", "{\"id\": 1, \"prediction\": \"x\"}\n{\"prediction\": \"x\"}\n");
  });
}

}  // namespace
}  // namespace llmctl
