// The whole path on a small corpus: tokenizer, pretraining, resuming, generating, fine-tuning,
// scoring.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/terminal.h"
#include "llmctl/llmctl.h"
#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

/// What `eval --save-predictions` and `generate -o` write is read back by `eval --predictions` with
/// the scores of `eval -m`, which are returned.
json expect_predictions_score_as_the_model(Workbench& bench, const std::string& model,
                                           const std::string& task, const std::string& references) {
  const auto scores_of = [&](std::vector<std::string> words) {
    words.push_back("--json");
    return json::parse(bench.run(words).out)["scores"];
  };
  const std::string saved = model + "-saved.jsonl", generated = model + "-generated.jsonl";
  const json scores = scores_of(
      {"eval", "-m", model, "--task", task, "--data", references, "--save-predictions", saved});
  bench.run({"generate", "-m", model, "-f", references, "-o", generated});
  for (const std::string& predictions : {saved, generated}) {
    const json again = scores_of(
        {"eval", "--task", task, "--predictions", predictions, "--references", references});
    EXPECT_GT(again.size(), 2u);
    for (const auto& [name, value] : again.items())
      EXPECT_EQ(value, scores.at(name)) << predictions << ": " << name;
  }
  return scores;
}

TEST(Pipeline, CausalModelFromTextToText) {
  Workbench bench;
  bench.exec = true;
  bench.train_tokenizer();
  const auto config = bench.write_config("causal", "run", 20);
  const json report = json::parse(bench.run({"pretrain", "-c", config, "--json"}).out);
  EXPECT_EQ(report["steps"], 20);
  EXPECT_TRUE(fs::is_symlink(bench / "run/best"));
  EXPECT_TRUE(fs::is_symlink(bench / "run/last"));
  for (const char* name : {"run.json", "environment.json", "log.txt", "metrics.jsonl",
                           "last/config.json", "last/model.safetensors", "last/tokenizer.json",
                           "last/optimizer.safetensors", "last/manifest.json"}) {
    EXPECT_TRUE(fs::exists(bench / "run" / name)) << name;
  }
  // The whole configuration is there, and says the same run again.
  const json resolved = json::parse(slurp(bench / "run/run.json"));
  EXPECT_EQ(resolved["optim"]["beta2"], 0.95);

  // Every line of the metrics is an object; losses fall.
  std::istringstream lines(slurp(bench / "run/metrics.jsonl"));
  double first = 0, last = 0;
  for (std::string line; std::getline(lines, line);) {
    const json record = json::parse(line);
    if (record["split"] != "train" || !record.contains("loss")) continue;
    if (first == 0) first = record["loss"];
    last = record["loss"];
  }
  EXPECT_LT(last, first - 0.3);

  const json one = json::parse(
      bench.run({"generate", "-m", "run", "-p", "今天", "-n", "8", "--greedy", "--json"}).out);
  EXPECT_EQ(one["prompt"], "今天");
  EXPECT_LE(one["tokens"], 8);
  // Streamed and whole answers are the same text.
  EXPECT_EQ(bench.run({"generate", "-m", "run", "-p", "今天", "-n", "8", "--greedy"}).out,
            escape_control(one["generated_text"].get<std::string>()) + "\n");

  // A file of prompts of unequal length: the same greedy texts, in order.
  bench.write("prompts.txt", "今天\nOnce upon a time there was a fox, and the fox was\nThe\n");
  bench.run(
      {"generate", "-m", "run", "-f", "prompts.txt", "-o", "out.jsonl", "-n", "8", "--greedy"});
  std::istringstream answers(slurp(bench / "out.jsonl"));
  std::vector<json> rows;
  for (std::string line; std::getline(answers, line);) rows.push_back(json::parse(line));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0]["generated_text"], one["generated_text"]);
  EXPECT_EQ(rows[2]["prompt"], "The");

  // Scores: the same loss as in training, beside the n-gram model's.
  const json scores = json::parse(
      bench.run({"eval", "-m", "run", "--baseline", "ngram:3", "--json"}).out)["scores"];
  EXPECT_GT(scores["loss"], 0);
  EXPECT_GT(scores["ngram3.loss"], 0);
  bench.run({"eval", "-m", "run", "--fail-under", "loss=100"});
  const auto missed = bench.run({"eval", "-m", "run", "--fail-under", "loss=0.01"}, 1);
  EXPECT_THAT(missed.err, HasSubstr("loss is"));

  // A clean copy gives the same text.
  bench.run({"export", "-m", "run", "-o", "clean"});
  EXPECT_FALSE(fs::exists(bench / "clean/optimizer.safetensors"));
  EXPECT_EQ(
      json::parse(
          bench.run({"generate", "-m", "clean", "-p", "今天", "-n", "8", "--greedy", "--json"})
              .out)["generated_text"],
      one["generated_text"]);
  EXPECT_THAT(bench.run({"inspect", "clean"}).out, HasSubstr("LlamaForCausalLM"));

  // Going on with a model as a new run.
  const auto more = bench.write_config("causal", "more", 4);
  EXPECT_EQ(
      json::parse(bench.run({"pretrain", "-c", more, "--unset", "model", "-m", "run", "--json"})
                      .out)["steps"],
      4);
}

TEST(Pipeline, MaskedModelFillsMasksAndLearnsTasks) {
  Workbench bench;
  bench.pretrain("masked", "run", 20);
  const json filled = json::parse(
      bench.run({"generate", "-m", "run", "-p", "The [MASK] was [MASK].", "--json", "--top", "3"})
          .out);
  ASSERT_EQ(filled["masks"].size(), 2u);
  EXPECT_EQ(filled["masks"][0].size(), 3u);
  EXPECT_GE(filled["masks"][0][0]["probability"], filled["masks"][0][1]["probability"]);
  const json scores =
      json::parse(bench.run({"eval", "-m", "run", "--pseudo-perplexity", "--json"}).out)["scores"];
  EXPECT_GT(scores["pseudo_perplexity"], 1);
  EXPECT_GE(scores["masked_accuracy"], 0);

  const fs::path data = source_dir() / "data";
  const std::string train =
      R"("train": {"epochs": 1, "batch_size": 16}, "optim": {"lr": 0.003, "schedule": "linear"})";
  bench.write("qa-train.json", R"({"version": "1.1", "data": [{"title": "t", "paragraphs": [
    {"context": "Ada lives in Oakford. Her cat is called Tom.", "qas": [
      {"id": "1", "question": "Where does Ada live?", "answers": [{"text": "Oakford", "answer_start": 13}]},
      {"id": "2", "question": "What is the cat called?", "answers": [{"text": "Tom", "answer_start": 40}]}]},
    {"context": "小明住在青溪镇。他的猫叫豆豆。", "qas": [
      {"id": "3", "question": "小明住在哪里？", "answers": [{"text": "青溪镇", "answer_start": 4}]}]}]}]})");
  bench.write(
      "qa.json",
      R"({"run": {"dir": "qa"}, "model": {"init_from": "run"}, "task": {"type": "extractive_qa"},
    "data": {"train": "qa-train.json", "valid": ["qa-train.json"], "sequence_length": 64}, )" +
          train + "}");
  bench.run({"finetune", "-c", "qa.json"});
  const json qa = json::parse(
      bench.run({"eval", "-m", "qa", "--json", "--save-predictions", "predictions.json"})
          .out)["scores"];
  EXPECT_GE(qa["exact_match"], 0);
  const json again =
      json::parse(bench
                      .run({"eval", "--task", "extractive_qa", "--predictions", "predictions.json",
                            "--references", "qa-train.json", "--json"})
                      .out)["scores"];
  EXPECT_EQ(again["exact_match"], qa["exact_match"]);
  EXPECT_EQ(again["f1"], qa["f1"]);
  bench.write("passage.txt", "Ada lives in Oakford.");
  const json answer =
      json::parse(bench
                      .run({"generate", "-m", "qa", "--question", "Where does Ada live?",
                            "--context", "@passage.txt", "--json"})
                      .out);
  EXPECT_THAT(std::string("Ada lives in Oakford."),
              HasSubstr(answer["prediction"].get<std::string>()));

  bench.write(
      "classes.json",
      R"({"run": {"dir": "classes"}, "model": {"init_from": "run"}, "task": {"type": "sequence_classification"},
    "data": {"train": ")" +
          (data / "classification/sentiment-valid.csv").string() +
          R"(", "valid": {"hash": 0.2}, "sequence_length": 64}, )" + train + "}");
  bench.run({"finetune", "-c", "classes.json"});
  const json label =
      json::parse(bench.run({"generate", "-m", "classes", "-p", "这家饭馆很好。", "--json"}).out);
  EXPECT_TRUE(label["prediction"] == "positive" || label["prediction"] == "negative") << label;
  // The library says the same.
  Generator classifier((bench / "classes").string(), "cpu");
  const Classification said = classifier.classify("这家饭馆很好。");
  EXPECT_EQ(said.label, label["prediction"].get<std::string>());
  ASSERT_EQ(said.scores.size(), 2u);
  EXPECT_NEAR(said.scores[0].second, label["scores"][said.scores[0].first].get<double>(), 1e-5);
  EXPECT_THROW(classifier.fill_masks("[MASK]"), Error);
  Generator reader((bench / "qa").string(), "cpu");
  const PassageAnswer found = reader.answer("Where does Ada live?", "Ada lives in Oakford.");
  EXPECT_EQ(found.text, answer["prediction"].get<std::string>());
  EXPECT_NEAR(found.probability, answer["score"].get<double>(), 1e-5);
  EXPECT_EQ(found.begin, answer["start"].get<std::size_t>());
  bench.write("reviews.csv",
              "id,text,label\na,这家饭馆很好。,positive\nb,The room was cold.,negative\n"
              "c,Lovely food.,positive\n");
  expect_predictions_score_as_the_model(bench, "classes", "sequence_classification", "reviews.csv");
  bench.write(
      "qa.jsonl",
      "{\"id\": \"x\", \"question\": \"Where does Ada live?\", \"context\": \"Ada lives in "
      "Oakford.\", \"answers\": [\"Oakford\"]}\n"
      "{\"id\": \"y\", \"question\": \"小明住在哪里？\", \"context\": \"小明住在青溪镇。\", "
      "\"answers\": [\"青溪镇\"]}\n");
  expect_predictions_score_as_the_model(bench, "qa", "extractive_qa", "qa.jsonl");
  // A run knows what it held out.
  const json own = json::parse(bench.run({"eval", "-m", "classes", "--json"}).out);
  EXPECT_GT(own["scores"]["total"], 0);
  EXPECT_LT(own["scores"]["total"], 150);
}

TEST(Pipeline, ACausalModelLearnsAnswersToPrompts) {
  Workbench bench;
  bench.pretrain("causal", "run", 10);
  bench.write("pairs.jsonl",
              "{\"prompt\": \"1加1等于多少？\", \"answer\": \"2。\"}\n{\"prompt\": \"Hello\", "
              "\"answer\": \"Hi there.\"}\n");
  bench.write(
      "answers.json",
      R"({"run": {"dir": "answers"}, "model": {"init_from": "run"}, "task": {"type": "text_generation"},
    "data": {"train": "pairs.jsonl", "valid": ["pairs.jsonl"], "sequence_length": 64},
    "train": {"steps": 60, "batch_size": 2}, "optim": {"lr": 0.02, "weight_decay": 0}})");
  bench.run({"finetune", "-c", "answers.json"});
  const json answer = json::parse(
      bench.run({"generate", "-m", "answers", "-p", "Hello", "--greedy", "-n", "12", "--json"})
          .out);
  EXPECT_EQ(answer["generated_text"], "Hi there.");

  // The gold answers, one of them wrong, are not taken for predictions.
  bench.write("gold.jsonl",
              "{\"prompt\": \"Hello\", \"answer\": \"Hi there.\"}\n"
              "{\"prompt\": \"1加1等于多少？\", \"answer\": \"3。\"}\n");
  const json reached =
      expect_predictions_score_as_the_model(bench, "answers", "text_generation", "gold.jsonl");
  EXPECT_EQ(reached["exact_match"], 50);

  bench.run({"finetune", "-c", "answers.json", "--set", "run.dir=half", "--set",
             R"(data.valid={"tail": 0.5})"});
  const json scores = json::parse(bench.run({"eval", "-m", "half", "--json"}).out);
  EXPECT_EQ(scores["scores"]["total"], 1);
}

TEST(Pipeline, AFileIsScoredAsTheRunScoresIt) {
  Workbench bench;
  bench.train_tokenizer();
  const auto config = bench.write_config("causal", "run", 4);
  bench.run({"pretrain", "-c", config, "--set", R"(data.valid=["zh.txt"])", "--set",
             "data.split=file", "--set", "data.packing=concat", "--set", "data.sequence_length=24",
             "--set", "data.cache=own-cache"});
  const auto scores = [&](std::vector<std::string> more) {
    std::vector<std::string> words = {"eval", "-m", "run", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return json::parse(bench.run(words).out)["scores"];
  };
  const json own = scores({});
  EXPECT_EQ(scores({"--data", "zh.txt"}), own) << "the run's length, packing and split hold";
  EXPECT_NE(scores({"--set", "tasks.0.sequence_length=9", "--data", "zh.txt"})["loss"],
            own["loss"]);

  // Keys of a task are checked, also those set beside flags.
  const auto refused = [&](const std::string& set) {
    return bench.run({"eval", "-m", "run", "--data", "zh.txt", "--set", set}, 78).err;
  };
  EXPECT_THAT(refused("tasks.0.max_token=5"), HasSubstr("did you mean 'max_tokens'?"));
  EXPECT_THAT(refused("tasks.0.max_tokens=-1"), HasSubstr("tasks.0.max_tokens"));
  bench.write("two.json", R"({"tasks": [{"type": "causal_lm"}, {"type": "causal_lm"}]})");
  EXPECT_THAT(bench.run({"eval", "-m", "run", "-c", "two.json", "--data", "zh.txt"}, 64).err,
              HasSubstr("the configuration has 2 tasks"));
}

TEST(Pipeline, TokenizersEncodeAndDecode) {
  Workbench bench;
  bench.train_tokenizer();
  const std::string text = "  Ada 12 说：“你好😀”！";
  const auto ids = bench.run({"tokenizer", "encode", "-m", "tokenizer-causal", text}).out;
  EXPECT_EQ(
      bench.run({"tokenizer", "decode", "-m", "tokenizer-causal", ids.substr(0, ids.size() - 1)})
          .out,
      text + "\n");
  ProcessOptions input;
  input.input = text + "\nsecond line\n";
  const auto lines =
      bench.run({"tokenizer", "encode", "-m", "tokenizer-causal", "--json"}, 0, input).out;
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
  const auto report = json::parse(
      bench.run({"tokenizer", "inspect", "tokenizer-causal", "en.txt", "zh.txt", "--json"}).out);
  EXPECT_EQ(report["files"].size(), 2u);
  // Several side by side, file by file.
  bench.train_tokenizer("masked");
  const auto both = json::parse(bench
                                    .run({"tokenizer", "inspect", "tokenizer-causal", "en.txt",
                                          "zh.txt", "--with", "tokenizer-masked", "--json"})
                                    .out);
  ASSERT_EQ(both["tokenizers"].size(), 2u);
  EXPECT_EQ(both["tokenizers"][0]["files"], report["files"]);
  EXPECT_THAT(
      bench
          .run({"tokenizer", "inspect", "tokenizer-causal", "en.txt", "--with", "tokenizer-masked"})
          .out,
      testing::ContainsRegex("en.txt +tokenizer-causal [^\n]*\nen.txt +tokenizer-masked "));
  // Truncation, a pair, and offsets in characters and bytes.
  const auto encoded = json::parse(
      bench.run({"tokenizer", "encode", "-m", "tokenizer-masked", "--json", "我们 go"}).out);
  EXPECT_EQ(encoded["offsets"].size(), encoded["ids"].size());
  EXPECT_EQ(encoded["byte_offsets"].back()[1], 9);
  EXPECT_EQ(encoded["offsets"].back()[1], 5);
  const auto cut = json::parse(
      bench
          .run({"tokenizer", "encode", "-m", "tokenizer-masked", "--json", "--special", "--pair",
                "two more words", "--max-length", "9", "one or two words, and many more"})
          .out);
  EXPECT_EQ(cut["ids"].size(), 9u);
  EXPECT_EQ(std::count(cut["pieces"].begin(), cut["pieces"].end(), "[SEP]"), 2);
  bench.run({"tokenizer", "train", "en.txt", "-o", "tokenizer-causal", "--vocab-size", "500"}, 73);
  bench.run({"tokenizer", "train", "en.txt", "-o", "tokenizer-causal", "--vocab-size", "500",
             "--overwrite"});
}

}  // namespace
}  // namespace llmctl::test
