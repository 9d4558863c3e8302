// Names and words in texts, through the binary: learning, scores, predictions, answers, bad rows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "llmctl/llmctl.h"
#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const std::string kConll =
    "-DOCSTART- O\n\nAnn B-PER\nlives O\nin O\nOakford B-LOC\n. O\n\nBob B-PER\nLee I-PER\nleft O\n"
    "Oakford B-LOC\n. O\n\nNobody O\nlives O\nhere O\n. O\n";

std::string config_of(const std::string& run, const std::string& data, const std::string& task) {
  return R"({"run": {"dir": ")" + run + R"("}, "model": {"init_from": "start"}, "data": )" + data +
         R"(, "task": {"type": "token_classification")" + task +
         R"(}, "train": {"steps": 60, "batch_size": 8}, "optim": {"lr": 0.005, "schedule": "linear"},
           "checkpoint": {"keep_best": "valid/f1"}})";
}

TEST(Entities, AreLearntScoredAndFound) {
  Workbench bench;
  bench.pretrain("masked", "start", 2);
  bench.write("names.conll", kConll);
  bench.write(
      "names.jsonl",
      R"({"id": "a", "text": "小明住在青溪镇。", "entities": [[0, 2, "PER"], [4, 7, "LOC"]]})"
      "\n");
  bench.write("run.json", config_of("names",
                                    R"({"train": ["names.conll", "names.jsonl"],
                                        "valid": ["names.conll"], "sequence_length": 48})",
                                    ""));
  const json report = json::parse(bench.run({"finetune", "-c", "run.json", "--json"}).out);
  EXPECT_EQ(report["steps"], 60);
  const json saved = json::parse(slurp(bench / "names/best/config.json"));
  EXPECT_EQ(saved["architectures"][0], "BertForTokenClassification");
  EXPECT_EQ(saved["id2label"]["0"], "O");
  EXPECT_EQ(saved["id2label"]["1"], "B-LOC");
  EXPECT_EQ(saved["label2id"]["I-PER"], 4);

  const auto scores_of = [&](std::vector<std::string> words) {
    words.push_back("--json");
    return json::parse(bench.run(words).out)["scores"];
  };
  const json scores = scores_of({"eval", "-m", "names", "--save-predictions", "saved.jsonl"});
  EXPECT_EQ(scores["total"], 4);
  EXPECT_GT(scores["f1"], 50);
  EXPECT_TRUE(scores.contains("entity.LOC.recall"));
  const json again = scores_of({"eval", "--task", "token_classification", "--predictions",
                                "saved.jsonl", "--references", "names.conll"});
  EXPECT_EQ(again, scores);
  bench.run({"eval", "-m", "names", "--fail-under", "f1=101"}, 78);

  bench.run({"generate", "-m", "names", "-f", "names.jsonl", "-o", "found.jsonl"});
  const json found = json::parse(slurp(bench / "found.jsonl"));
  EXPECT_EQ(found["id"], "a");
  EXPECT_EQ(scores_of({"eval", "--task", "token_classification", "--predictions", "found.jsonl",
                       "--references", "names.jsonl"}),
            scores_of({"eval", "-m", "names", "--data", "names.jsonl"}));
  const json one = json::parse(
      bench.run({"generate", "-m", "names", "-p", "Ann lives in Oakford.", "--json"}).out);
  for (const json& span : one["prediction"]) {
    const std::size_t start = span["start"], end = span["end"];
    EXPECT_EQ(std::string("Ann lives in Oakford.").substr(start, end - start), span["text"]);
    EXPECT_GT(span["probability"], 0);
  }
  // The library says the same.
  Generator finder((bench / "names").string(), "cpu");
  const std::vector<TextSpan> spans = finder.find_spans("Ann lives in Oakford.");
  ASSERT_EQ(spans.size(), one["prediction"].size());
  for (std::size_t i = 0; i < spans.size(); ++i) {
    EXPECT_EQ(spans[i].label, one["prediction"][i]["label"].get<std::string>());
    EXPECT_EQ(spans[i].begin, one["prediction"][i]["start"].get<std::size_t>());
  }
  EXPECT_THAT(bench.run({"generate", "-m", "names", "-p", "Ann lives in Oakford."}).out,
              HasSubstr("  LOC  13-20  "));
}

TEST(Entities, WordsOfChineseStandBesideIcu) {
  Workbench bench;
  bench.pretrain("masked", "start", 2);
  bench.write("words.txt", "我们 去 图书馆 。\n他 在 学校 。\n学校 的 图书馆 很 大 。\n");
  bench.write("run.json", config_of("words", R"({"train": ["words.txt"], "valid": ["words.txt"],
                                     "sequence_length": 48})",
                                    R"(, "format": "segmented")"));
  bench.run({"finetune", "-c", "run.json"});
  const json scores = json::parse(bench.run({"eval", "-m", "words", "--json"}).out)["scores"];
  EXPECT_GT(scores["f1"], 50);
  if (scores.contains("ICU_words.f1")) EXPECT_GT(scores["ICU_words.f1"], 50);
  const std::string cut = bench.run({"generate", "-m", "words", "-p", "他在学校。"}).out;
  EXPECT_THAT(cut, HasSubstr(" "));
  std::string whole = cut;
  std::erase(whole, ' ');
  EXPECT_EQ(whole, "他在学校。\n");
}

TEST(Entities, BadRowsAreNamedWithTheirLines) {
  Workbench bench;
  bench.pretrain("masked", "start", 2);
  bench.write("names.conll", kConll);
  bench.write("bad.conll", "Ann B-PER\nran O\n\nran O\nBob I-PER\n\nAnn B-PER O\n");
  bench.write("run.json",
              config_of("bad", R"({"train": ["bad.conll"], "valid": ["names.conll"]})", ""));
  const auto result = bench.run({"finetune", "-c", "run.json"}, 65);
  EXPECT_THAT(result.err, HasSubstr("bad.conll:5: the tag I-PER cannot follow O in BIO"));
  EXPECT_THAT(result.err, HasSubstr("bad.conll:7: 3 columns, the first line has 2"));
  EXPECT_FALSE(std::filesystem::exists(bench / "bad"));
  const auto skipped = bench.run({"finetune", "-c", "run.json", "--set", "data.skip_bad=true"});
  EXPECT_THAT(skipped.err, HasSubstr("2 bad rows are left out"));
}

}  // namespace
}  // namespace llmctl::test
