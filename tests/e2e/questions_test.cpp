// Questions on passages through the binary: plain text, n best answers, odds of no answer, a
// passage of five million bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::string training(const std::string& files, int steps) {
  return R"({"run": {"dir": "qa"}, "model": {"init_from": "start"}, "data": {"train": )" + files +
         R"(, "sequence_length": 64}, "task": {"type": "extractive_qa", "stride": 8},
           "optim": {"lr": 0.01, "schedule": "linear"}, "train": {"steps": )" +
         std::to_string(steps) + R"(, "batch_size": 8}})";
}

TEST(Questions, NBestAndOddsOfNoAnswerAsTheOfficialScriptsReadThem) {
  Workbench bench;
  bench.pretrain("masked", "start", 2);
  bench.write("qa.txt",
              "Ada keeps bees in Oakford.\n\nQ: Where?\nA: Oakford\nQ: Who sings?\nA:\n\n"
              "小明住在青溪镇。\n问：小明住在哪里？\n答：青溪镇\n");
  bench.write("run.json", training(R"(["qa.txt"])", 4));
  bench.run({"finetune", "-c", "run.json"});
  const json scores = json::parse(
      bench
          .run({"eval", "-m", "qa", "--data", "qa.txt", "--save-nbest", "nbest.json",
                "--save-null-odds", "odds.json", "--save-predictions", "answers.json", "--json"})
          .out)["scores"];
  EXPECT_EQ(scores["total"], 3);
  const json best = json::parse(slurp(bench / "nbest.json"));
  const json odds = json::parse(slurp(bench / "odds.json"));
  const json answers = json::parse(slurp(bench / "answers.json"));
  ASSERT_EQ(best.size(), 3u);
  ASSERT_EQ(odds.size(), 3u);
  for (const auto& [id, list] : best.items()) {
    double sum = 0, last = 1, none = 0, span = -1;
    bool has_none = false;
    for (const json& choice : list) {
      const double probability = choice["probability"];
      EXPECT_LE(probability, last) << "best first";
      last = probability;
      sum += probability;
      const double score = choice["start_logit"].get<double>() + choice["end_logit"].get<double>();
      if (choice["text"] == "") {
        has_none = true;
        none = score;
      } else if (span == -1) {
        span = score;
        EXPECT_NE(slurp(bench / "qa.txt").find(choice["text"].get<std::string>()),
                  std::string::npos);
      }
    }
    EXPECT_TRUE(has_none);
    EXPECT_NEAR(sum, 1, 1e-4);
    EXPECT_NEAR(odds[id].get<double>(), 1 / (1 + std::exp(span - none)), 1e-4);
    // Without a margin the likelier of the two is the answer.
    EXPECT_EQ(answers[id] == "", odds[id].get<double>() > 0.5) << id;
  }
  EXPECT_THAT(bench
                  .run({"eval", "-m", "qa", "--set",
                        R"(tasks=[{"data": ["qa.txt"], "max_question_tokens": 2}])"})
                  .err,
              HasSubstr("3 of 3 questions have more than 2 tokens and lose their end"));
  expect_one_line_error(
      bench.run({"eval", "-m", "start", "--data", "en.txt", "--save-null-odds", "odds.json"}, 64),
      {"save_null_odds", "extractive_qa"});
}

TEST(Questions, ScoresOfNothingAreRefused) {
  Workbench bench;
  bench.pretrain("masked", "start", 2);
  bench.write("qa.txt", "Ada keeps bees in Oakford.\n\nQ: Where?\nA: Oakford\n");
  bench.write("run.json", training(R"(["qa.txt"], "valid": {"hash": 0.5})", 2));
  EXPECT_THAT(bench.run({"finetune", "-c", "run.json"}).err, HasSubstr("0 held out"));
  expect_one_line_error(bench.run({"eval", "-m", "qa"}, 65),
                        {"qa.txt: none of its records is held out", "data.valid", "--data FILE"});
}

TEST(Questions, APassageOfFiveMillionBytesTakesLittleMemory) {
  Workbench bench;
  bench.pretrain("masked", "start", 2);
  // Digits stand in answers alone.
  std::string blocks;
  for (int i = 0; i < 8; ++i) {
    const std::string code = std::to_string(2 + i);
    blocks += "The tree is near the house. The code is " + code +
              ". The cat is in the tree.\nQ: What is the code?\nA: " + code +
              "\n\nThe cat is in the tree. The tree is near the house.\n"
              "Q: What is the code?\nA:\n\n";
  }
  bench.write("qa.txt", blocks);
  bench.write("run.json", training(R"(["qa.txt"])", 80));
  bench.run({"finetune", "-c", "run.json"});
  const std::string filler = "The tree is near the house. The cat is in the tree. ";
  const auto passage = [&](std::size_t size) {
    std::string text;
    while (text.size() < size) {
      text += filler;
      if (text.size() >= size / 3 * 2 && text.find('7') == text.npos) text += "The code is 7. ";
    }
    return text;
  };
  bench.exec = true;
  const auto ask = [&](const std::string& context) {
    bench.write("passage.txt", context);
    return bench.run({"generate", "-m", "qa", "--question", "What is the code?", "--context",
                      "@passage.txt", "--json"});
  };
  const ProcessResult little = ask(passage(600)), much = ask(passage(5'000'000));
  EXPECT_EQ(json::parse(little.out)["prediction"], "7");
  const json answer = json::parse(much.out);
  EXPECT_EQ(answer["prediction"], "7");
  EXPECT_NEAR(answer["start"].get<double>(), 3'333'400, 200);
  EXPECT_LT(much.max_rss_bytes, little.max_rss_bytes + (240u << 20));
}

}  // namespace
}  // namespace llmctl::test
