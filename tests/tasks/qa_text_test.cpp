#include "tasks/qa_text.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temp_dir.h"
#include "tasks/qa_reader.h"

namespace llmctl {
namespace {

using test::expect_error;
using test::TempDir;

QaData read(const std::string& content, const std::string& name = "qa.txt", bool skip = false) {
  return test::read_questions(content, name, skip);
}

TEST(QaText, PassagesWithTheirQuestions) {
  const QaData data = read(
      "Ada lives in Oakford,\nwhere she keeps bees.\n\nShe is old.\n\n"
      "Q: What does Ada keep?\nA: bees\n\n"
      "question: Where does Ada live?\n\nAnswer: Oakford\nA: in Oakford\n"
      "Q: Who is Bob?\nA:\n\n"
      "C: 小明住在青溪镇。\n问：小明住在哪里？\n答：青溪镇\n"
      "文：小红有一只猫。\n问题:小红有什么？\n答案: 一只猫\n");
  ASSERT_EQ(data.contexts.size(), 3u);
  EXPECT_EQ(data.contexts[0], "Ada lives in Oakford,\nwhere she keeps bees.\n\nShe is old.");
  EXPECT_EQ(data.contexts[1], "小明住在青溪镇。");
  ASSERT_EQ(data.items.size(), 5u);
  EXPECT_EQ(data.items[0].question, "What does Ada keep?");
  EXPECT_EQ(data.items[0].answers, std::vector<std::string>{"bees"});
  EXPECT_EQ(data.items[0].span, (ByteSpan{38, 42}));
  EXPECT_TRUE(data.items[0].place.ends_with("qa.txt:6"));
  EXPECT_EQ(data.items[1].answers, (std::vector<std::string>{"Oakford", "in Oakford"}));
  EXPECT_TRUE(data.items[2].answers.empty());
  EXPECT_TRUE(data.has_unanswerable());
  EXPECT_EQ(data.items[3].answers, std::vector<std::string>{"青溪镇"});
  EXPECT_EQ(data.items[4].question, "小红有什么？");
  EXPECT_EQ(data.items[4].context, 2u);
  EXPECT_EQ(data.items[4].id, "4");
}

TEST(QaText, PassagesMayHaveColons) {
  const QaData data = read("Note: the shop opens at 9:00.\n\nQ: When does it open?\nA: at 9:00\n");
  EXPECT_EQ(data.contexts.at(0), "Note: the shop opens at 9:00.");
}

TEST(QaText, WhatDoesNotBelongIsBad) {
  const std::string good = "Ada keeps bees.\nQ: What?\nA: bees\n";
  const auto refused = [](const std::string& content, const std::vector<std::string>& parts) {
    expect_error(ErrorCode::kData, parts, [&] { read(content); });
  };
  refused(good + "and honey\n", {"qa.txt:4", "a line of text"});
  refused("Q: What?\nA: bees\n", {"qa.txt:1", "without a passage"});
  refused("A: bees\n" + good, {"qa.txt:1", "without a question"});
  refused("Ada keeps bees.\nQ: What?\nQ: Who?\nA: Ada\n", {"qa.txt:2", "without an answer"});
  refused("Ada keeps bees.\nQ: What?\n", {"qa.txt:2", "without an answer"});
  refused(good + "\nA passage alone.\n", {"qa.txt:5", "without a question"});
  refused(good + "Q:\nA: bees\n", {"qa.txt:4", "the question is empty"});
  refused(good + "Q: \xff?\nA: bees\n", {"qa.txt:4"});
  EXPECT_EQ(read(good + "and honey\nQ: Who?\nA: Ada\n", "qa.txt", true).items.size(), 2u);
}

TEST(QaText, TablesHaveARowForEachQuestion) {
  const QaData data = read(
      "question\tanswer\tcontext\nWhat does Ada keep?\tbees\tAda keeps bees.\nWho is Bob?\t\tAda "
      "keeps bees.\n",
      "qa.tsv");
  ASSERT_EQ(data.items.size(), 2u);
  EXPECT_EQ(data.items[0].answers, std::vector<std::string>{"bees"});
  EXPECT_EQ(data.contexts[data.items[0].context], "Ada keeps bees.");
  EXPECT_TRUE(data.items[1].answers.empty());
  EXPECT_EQ(
      read("id,context,question,answer\n7,\"Bees, many.\",What?,Bees\n", "qa.csv").items[0].id,
      "7");
  expect_error(ErrorCode::kData, {"qa.tsv:2", "no field 'question'"},
               [] { read("ask\tanswer\tcontext\nWhat?\tbees\tbees\n", "qa.tsv"); });
}

}  // namespace
}  // namespace llmctl
