// data prepare: from raw files to shards that training takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::map<std::string, std::string> contents(const fs::path& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (entry.is_regular_file()) {
      files[fs::relative(entry.path(), directory).string()] = slurp(entry.path());
    }
  }
  return files;
}

/// A model of another tokenizer.
std::string golden_llama() {
  return (source_dir() / "tests/parity/models/llama").string();
}

TEST(Data, ADryRunOfPreparationRefusesWhatTheRunRefuses) {
  Workbench bench;
  bench.write("full/other.txt", "somebody's");
  bench.write("new.partial/other.txt", "somebody's");
  const std::vector<std::pair<std::vector<std::string>, int>> wrong = {
      {{}, 64}, {{"-o", "full"}, 73}, {{"-o", "full", "--overwrite"}, 73}, {{"-o", "new"}, 73}};
  for (auto [arguments, status] : wrong) {
    arguments.insert(arguments.begin(), {"data", "prepare", "en.txt"});
    const auto real = bench.run(arguments, status);
    arguments.push_back("--dry-run");
    EXPECT_EQ(bench.run(arguments, status).err, real.err);
  }
  expect_one_line_error(
      bench.run({"data", "vectors", "en.txt", "-o", "v.txt", "--tokenizer", "missing", "--dry-run"},
                66),
      {"missing"});
}

TEST(Data, OverwritingDoesNotRemoveAnInput) {
  Workbench bench;
  const auto refused = [&](std::vector<std::string> arguments) {
    arguments.push_back("--overwrite");
    expect_one_line_error(bench.run(arguments, 73), {"would remove an input", "another directory"});
  };
  bench.train_tokenizer();
  bench.write("tokenizer-causal/corpus.txt", slurp(bench / "en.txt"));
  refused({"tokenizer", "train", "tokenizer-causal/corpus.txt", "-o", "tokenizer-causal"});
  bench.run({"data", "prepare", "en.txt", "-o", "prepared"});
  bench.write("prepared/more.txt", slurp(bench / "en.txt"));
  refused({"data", "prepare", "en.txt", "prepared/more.txt", "-o", "prepared"});
  refused({"data", "prepare", "en.txt", "prepared/more.txt", "-o", "prepared", "--dry-run"});
  bench.run({"export", "-m", golden_llama(), "-o", "models"});
  bench.run({"export", "-m", golden_llama(), "-o", "models/inner"});
  refused({"export", "-m", "models/inner", "-o", "models"});
  for (const char* kept :
       {"tokenizer-causal/corpus.txt", "prepared/more.txt", "models/inner/config.json"}) {
    EXPECT_TRUE(fs::exists(bench / kept)) << kept;
  }
}

TEST(Data, PreparedTextTrainsAModel) {
  Workbench bench;
  bench.train_tokenizer();
  const fs::path corpus = source_dir() / "data/corpus";
  const json manifest = json::parse(
      bench
          .run({"data", "prepare", (corpus / "zh.txt").string(), (corpus / "en.txt").string(), "-o",
                "prepared", "--tokenizer", "tokenizer-causal", "--set", "split.valid=0.05", "--set",
                "deduplicate.near=true", "--set", "clean.min_characters=20", "--json"})
          .out);
  EXPECT_GT(manifest["splits"]["train"]["tokens"], 100000);
  EXPECT_GT(manifest["splits"]["valid"]["documents"], 20);
  const auto config = bench.write_config("causal", "run", 4);
  bench.run({"pretrain", "-c", config, "--set", "data.train=prepared/train", "--set",
             "data.valid=prepared/valid"});
  EXPECT_TRUE(fs::exists(bench / "run/best/model.safetensors"));
  // A share of shards cannot be held out.
  expect_one_line_error(bench.run({"pretrain", "-c", config, "--set", "data.train=prepared/train",
                                   "--set", "data.valid={\"hash\": 0.1}", "--set", "run.dir=other"},
                                  78),
                        {"prepared/train", "a share of shards cannot be held out"});
  // Neither does another tokenizer take them, which a dry run and a start say alike.
  bench.run({"tokenizer", "train", "zh.txt", "-o", "other-tokenizer", "--vocab-size", "1000",
             "--set", "character_coverage=0.98"});
  for (const char* key : {"data.train", "data.valid"}) {
    std::vector<std::string> words = {"pretrain",
                                      "-c",
                                      config,
                                      "--set",
                                      "run.dir=third",
                                      "--set",
                                      "tokenizer.path=other-tokenizer",
                                      "--set",
                                      std::string("data.train=zh.txt"),
                                      "--set",
                                      "data.valid=en.txt",
                                      "--set",
                                      std::string(key) + "=prepared/train"};
    const auto start = bench.run(words, 65);
    expect_one_line_error(start, {"prepared/train", "another tokenizer"});
    words.push_back("--dry-run");
    EXPECT_EQ(bench.run(words, 65).err, start.err) << key;
    EXPECT_FALSE(fs::exists(bench / "third")) << "found before anything was written";
  }
  for (const bool dry : {true, false}) {
    std::vector<std::string> words = {"eval", "-m", golden_llama(), "--data", "prepared/valid"};
    if (dry) words.push_back("--dry-run");
    expect_one_line_error(bench.run(words, 65), {"prepared/valid", "another tokenizer"});
  }
  // Its facts, as a page too.
  const json facts = json::parse(bench
                                     .run({"data", "stats", "prepared/train", "--tokenizer",
                                           "tokenizer-causal", "-o", "page.html", "--json"})
                                     .out);
  EXPECT_EQ(facts["tokens"], manifest["splits"]["train"]["tokens"]);
  EXPECT_EQ(facts["documents"], manifest["splits"]["train"]["documents"]);
  EXPECT_THAT(slurp(bench / "page.html"), HasSubstr("Most frequent tokens"));
  EXPECT_THAT(bench.run({"data", "stats", (corpus / "zh.txt").string()}).out, HasSubstr("zh "));
  // What is there stays, unless it is to be replaced.
  expect_one_line_error(
      bench.run({"data", "prepare", (corpus / "zh.txt").string(), "-o", "prepared"}, 73),
      {"prepared", "--overwrite"});
  bench.run({"data", "prepare", (corpus / "zh.txt").string(), "-o", "prepared", "--overwrite"});
  EXPECT_FALSE(fs::exists(bench / "prepared/train"));
  EXPECT_TRUE(fs::exists(bench / "prepared/train.jsonl"));
}

TEST(Data, TheTextsFieldIsFoundOrNamedWhereverTextIsRead) {
  Workbench bench;
  std::string table = ",title,verdict\n", reviews = ",review,label\n";
  for (int i = 0; i < 60; ++i) {
    const std::string text = "\"The room no. " + std::to_string(i) + " was clean, and quiet.\"";
    table += std::to_string(i) + ",Room," + text + "\n";
    reviews += std::to_string(i) + "," + text + ",1\n";
  }
  bench.write("table.csv", table);
  bench.write("reviews.csv", reviews);
  const auto documents = [&](std::vector<std::string> arguments) {
    arguments.push_back("--json");
    const json result = json::parse(bench.run(arguments).out);
    return result.value("documents_read", result.value("documents", 0));
  };
  EXPECT_EQ(documents({"data", "prepare", "reviews.csv", "-o", "p1"}), 60);
  EXPECT_EQ(slurp(bench / "p1/train.jsonl").substr(0, 49),
            "{\"text\":\"The room no. 0 was clean, and quiet.\"}\n{");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"data", "prepare", "table.csv", "-o", "p2"},
        {"data", "stats", "table.csv"},
        {"tokenizer", "train", "table.csv", "-o", "tok"}}) {
    expect_one_line_error(bench.run(command, 65), {"table.csv:2", "title, verdict", "--fields"});
  }
  // What the error proposes.
  EXPECT_EQ(documents({"data", "prepare", "table.csv", "-o", "p2", "--fields", "verdict"}), 60);
  EXPECT_EQ(
      documents({"data", "prepare", "table.csv", "-o", "p3", "--set", "input.fields=verdict"}), 60);
  EXPECT_EQ(slurp(bench / "p2/train.jsonl"), slurp(bench / "p3/train.jsonl"));
  EXPECT_EQ(documents({"data", "stats", "table.csv", "--fields", "verdict"}), 60);
  bench.run({"tokenizer", "train", "table.csv", "--fields", "verdict", "-o", "tok", "--vocab-size",
             "300", "--set", "hard_vocab_limit=false"});
  const std::vector<std::string> pretrain = {
      "pretrain",
      "-o",
      "run",
      "--set",
      R"(model={"model_type":"llama","hidden_size":16,"num_hidden_layers":1,"num_attention_heads":2})",
      "--set",
      "tokenizer.path=tok",
      "--set",
      "data.train=table.csv",
      "--set",
      "data.sequence_length=32",
      "--set",
      "objective.type=causal_lm",
      "--set",
      "train.steps=1",
      "--set",
      "train.batch_size=1"};
  expect_one_line_error(bench.run(pretrain, 65), {"table.csv:2", "data.fields"});
  auto named = pretrain;
  named[2] = "run2";
  named.insert(named.end(), {"--set", R"(data.fields=["verdict"])"});
  EXPECT_THAT(bench.run(named).err, HasSubstr("of 60 documents"));
  // Lines as documents, as data stats has them.
  bench.write("lines.txt", "one line\nanother line\n");
  EXPECT_EQ(documents({"data", "prepare", "lines.txt", "--split", "line", "-o", "p4"}), 2);
}

TEST(Data, WhatIsNoTextIsNamedWhereverTextIsRead) {
  Workbench bench;
  bench.train_tokenizer();
  const auto config = bench.write_config("causal", "run", 1);
  const std::string zeros(300, '\0');
  bench.write("program.txt",
              "\x7f"
              "ELF" +
                  zeros);
  bench.write("picture.txt", "\x89PNG\r\n\x1a\n" + zeros);
  bench.write("wide.txt", std::string("\xff\xfe\0\0a\0\0\0b\0\0\0", 12));
  fs::copy(golden_llama() + "/model.safetensors", bench / "weights.txt");
  // Compressed files are read by their content: what is inside counts.
  const std::string pack = "gzip -c '" + (bench / "program.txt").string() + "' > '" +
                           (bench / "packed.txt").string() + "'";
  ASSERT_EQ(std::system(pack.c_str()), 0);
  bench.write("question.json", "{}");
  for (const auto& [file, what] : {std::pair{"program.txt", "a program (ELF)"},
                                   {"picture.txt", "a picture (PNG)"},
                                   {"wide.txt", "iconv -f UTF-32 -t UTF-8"},
                                   {"weights.txt", "(safetensors)"},
                                   {"packed.txt", "a program (ELF)"}}) {
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"tokenizer", "train", file, "-o", "t", "--vocab-size", "300"},
          {"tokenizer", "encode", "-m", "tokenizer-causal", "-f", file},
          {"data", "prepare", file, "-o", "p"},
          {"data", "stats", file},
          {"data", "vectors", file, "-o", "v.txt"},
          {"pretrain", "-c", config, "--set", std::string("data.train=") + file},
          {"pretrain", "-c", config, "--dry-run", "--set", std::string("data.train=") + file},
          {"eval", "-m", golden_llama(), "--data", file},
          {"generate", "-m", golden_llama(), "-f", file}}) {
      SCOPED_TRACE(::testing::PrintToString(command));
      expect_one_line_error(bench.run(command, 65), {file, what});
    }
  }
}

TEST(Data, WhatWasDroppedIsWrittenWhereAskedFor) {
  Workbench bench;
  bench.write("a.txt", "The same text.\n\nThe same text.\n\nx\n\nAnother text.\n");
  const auto result = bench.run(
      {"data", "prepare", "a.txt", "-o", "out", "--dropped", "--set", "clean.min_characters=5"});
  EXPECT_THAT(result.out, HasSubstr("out/dropped.jsonl"));
  EXPECT_EQ(slurp(bench / "out/dropped.jsonl"),
            R"({"source":"a.txt","place":5,"rule":"length","text":"x"})"
            "\n"
            R"({"source":"a.txt","place":3,"rule":"exact_duplicate","text":"The same text."})"
            "\n");
  EXPECT_THAT(slurp(bench / "out/report.html"), HasSubstr("length: examples of what was dropped"));
  bench.run({"data", "prepare", "a.txt", "-o", "plain"});
  EXPECT_FALSE(fs::exists(bench / "plain/dropped.jsonl"));
}

TEST(Data, VectorsAndQuestionsAboutThem) {
  Workbench bench;
  bench.run({"data", "vectors", (source_dir() / "data/corpus/en.txt").string(), "-o", "vectors.txt",
             "--set", "dim=16", "--set", "epochs=1"});
  const json answers = json::parse(bench
                                       .run({"data", "vectors", "--vectors", "vectors.txt",
                                             "--nearest", "river", "--top", "3", "--json"})
                                       .out);
  EXPECT_EQ(answers[0]["query"], "river");
  EXPECT_EQ(answers[0]["nearest"].size(), 3u);
  EXPECT_THAT(bench
                  .run({"data", "vectors", "--vectors", "vectors.txt", "--analogy", "red", "green",
                        "river"})
                  .out,
              HasSubstr("red : green = river : ?"));
  expect_one_line_error(
      bench.run({"data", "vectors", "--vectors", "vectors.txt", "--nearest", "xyzzy"}, 65),
      {"'xyzzy' has no vector"});
  expect_one_line_error(bench.run({"data", "vectors", "--nearest", "river"}, 64),
                        {"--vectors FILE"});
  expect_one_line_error(bench.run({"data", "vectors", "a.txt"}, 64), {"-o FILE"});
}

TEST(Data, VectorsOfPiecesBeginTheEmbeddingOfANewModel) {
  Workbench bench;
  bench.train_tokenizer();
  const std::string text = (source_dir() / "data/corpus/en.txt").string();
  bench.run({"data", "vectors", text, "--tokenizer", "tokenizer-causal", "-o", "pieces.txt",
             "--set", "dim=16", "--set", "epochs=1"});
  const auto pretrain = [&](const std::string& run, const std::string& width, int status) {
    return bench.run(
        {"pretrain", "--set",
         "model={\"model_type\": \"llama\", \"hidden_size\": " + width +
             ", \"num_hidden_layers\": 1, \"num_attention_heads\": 2}",
         "--set", "tokenizer={\"path\": \"tokenizer-causal\", \"vectors\": \"pieces.txt\"}",
         "--set", "objective.type=causal_lm", "--set", "data.train=" + text, "--set",
         "data.sequence_length=64", "--set", "train.steps=2", "--set", "train.batch_size=2", "-o",
         run},
        status);
  };
  EXPECT_THAT(pretrain("begun", "16", 0).err, HasSubstr("pieces begin with vectors of pieces.txt"));
  EXPECT_TRUE(fs::exists(bench / "begun/last/model.safetensors"));
  expect_one_line_error(pretrain("wide", "32", 78), {"tokenizer.vectors", "--set dim=32"});
  EXPECT_FALSE(fs::exists(bench / "wide"));
}

TEST(Data, GoesOnAfterAKillToTheSameBytes) {
  Workbench bench;
  bench.train_tokenizer();
  // Documents of the corpora recombined, more than two parts (of 32 MiB) of the work long.
  const std::string text = slurp(source_dir() / "data/corpus/en.txt");
  std::string loud = text, corpus;
  std::replace(loud.begin(), loud.end(), '.', '!');
  for (int copy = 0; corpus.size() < 70'000'000; ++copy) {
    corpus += "Part " + std::to_string(copy) + ". ";
    corpus += copy % 3 == 1 ? loud : text;
    corpus += "\n\n";
  }
  bench.write("corpus.txt", corpus);
  const auto command = [](const std::string& output, const std::string& threads) {
    return std::vector<std::string>{"data",
                                    "prepare",
                                    "corpus.txt",
                                    "-o",
                                    output,
                                    "--tokenizer",
                                    "tokenizer-causal",
                                    "--threads",
                                    threads,
                                    "--set",
                                    "deduplicate.near=true",
                                    "--dropped"};
  };
  bench.run(command("whole", "1"));
  ProcessOptions kill;
  kill.signals = {signal_when_exists(SIGKILL, bench / "cut.partial/segment-0.json")};
  kill.env["LLMCTL_CACHE"] = (bench / "cache").string();
  kill.directory = bench.path();
  EXPECT_EQ(run_llmctl(command("cut", "2"), kill).signal, SIGKILL);
  EXPECT_FALSE(fs::exists(bench / "cut"));
  // SIGTERM: a word about going on.
  ProcessOptions stop = kill;
  stop.signals = {signal_when_exists(SIGTERM, bench / "cut.partial/segment-1.json")};
  const auto stopped = run_llmctl(command("cut", "2"), stop);
  if (stopped.status != 0) {
    EXPECT_EQ(stopped.status, 143) << stopped.describe();
    EXPECT_THAT(stopped.err, HasSubstr("the same command goes on where it was"));
  }
  if (!fs::exists(bench / "cut")) {
    const auto result = bench.run(command("cut", "2"));
    EXPECT_THAT(result.err, HasSubstr("going on with"));
  }
  EXPECT_EQ(contents(bench / "cut"), contents(bench / "whole"));
  EXPECT_FALSE(fs::exists(bench / "cut.partial"));
}

}  // namespace
}  // namespace llmctl::test
