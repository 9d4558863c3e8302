// Every configuration that is shipped is checked by its command, and what documents configurations
// is true.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "runs/config_catalog.h"
#include "runs/starters.h"
#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

TEST(Configurations, EveryShippedOneIsValidAndDryRuns) {
  Workbench bench;
  bench.pretrain("causal", "causal", 2);
  bench.pretrain("masked", "masked", 2);
  bench.train_tokenizer("translation");
  bench.write("questions.json", R"([{"context": "Ada lives in Oakford.", "question": "Where?",
    "answers": [{"text": "Oakford", "answer_start": 13}]}])");
  bench.write("qa.json", R"({"run": {"dir": "qa"}, "model": {"init_from": "masked"},
    "task": {"type": "extractive_qa"}, "data": {"train": "questions.json", "sequence_length": 64},
    "train": {"steps": 1, "batch_size": 1}})");
  bench.run({"finetune", "-c", "qa.json"});
  bench.write("labelled.jsonl", R"({"text": "So kind.", "label": "positive"}
{"text": "So rude.", "label": "negative"}
)");
  bench.write("classes.json", R"({"run": {"dir": "classes"}, "model": {"init_from": "masked"},
    "task": {"type": "sequence_classification"}, "data": {"train": "labelled.jsonl", "sequence_length": 64},
    "train": {"steps": 1, "batch_size": 1}})");
  bench.run({"finetune", "-c", "classes.json"});
  const std::string corpus = R"(data.train=["en.txt"])";
  const auto questions = (source_dir() / "data/qa/en-valid.json").string();
  int seen = 0;
  for (const auto& entry : fs::recursive_directory_iterator(source_dir() / "configs")) {
    if (entry.path().extension() != ".json") continue;
    ++seen;
    const std::string command = entry.path().parent_path().filename(), file = entry.path();
    SCOPED_TRACE(file);
    const bool masked =
        file.find("masked") != std::string::npos || file.find("bert") != std::string::npos ||
        file.find("qa") != std::string::npos || file.find("classification") != std::string::npos ||
        file.find("entities") != std::string::npos ||
        file.find("segmentation") != std::string::npos;
    bench.run({"config", "validate", command, "-c", file});
    bench.run({"config", "show", command, "-c", file});
    std::vector<std::string> arguments = {command, "-c", file, "--dry-run"};
    const auto add = [&](std::initializer_list<std::string> more) {
      arguments.insert(arguments.end(), more);
    };
    if (command == "pretrain") {
      add({"--set", corpus});
      if (file.find("classic") != std::string::npos) {
        add({"-m", masked ? "masked" : "causal", "--set", "data.sequence_length=64"});
      } else {
        add({"--set", std::string("tokenizer.path=tokenizer-") + (masked ? "masked" : "causal")});
      }
    } else if (command == "finetune" && file.find("translation") != std::string::npos) {
      const auto pairs = (source_dir() / "data/translation/en-zh-valid.tsv").string();
      add({"--set", "tokenizer.path=tokenizer-translation", "--set", "data.train=" + pairs, "--set",
           "data.valid=" + pairs});
      if (file.ends_with("/translation.json")) add({"--set", "task.target=zh"});
      if (file.ends_with("both.json")) add({"--set", "task.prefix={target}: "});
    } else if (file.find("distilled") != std::string::npos) {
      add({"--set", "tokenizer.path=tokenizer-masked", "--set",
           "task.distillation.teacher=classes"});
    } else if (command == "finetune") {
      add({"-m", masked ? "masked" : "causal"});
      if (file.ends_with("/classification.json"))
        add({"--set", "data.train=labelled.jsonl", "--set", R"(data.valid=["labelled.jsonl"])"});
      if (file.ends_with("/qa.json"))
        add({"--set", "data.train=" + questions, "--set",
             R"(data.valid=[")" + questions + R"("])"});
    } else if (command == "prepare") {
      arguments = {"data", "prepare", "-c", file, "--dry-run", "--set", R"(input=["en.txt"])"};
    } else {
      add({"-m", command == "eval" ? "qa" : "causal"});
    }
    ProcessOptions options;
    if (command != "pretrain" && command != "prepare") {
      fs::remove(bench / "data");
      fs::create_directory_symlink(source_dir() / "data", bench / "data");
    }
    const auto result = bench.run(arguments, 0, options);
    EXPECT_FALSE(fs::exists(bench / "runs"));
    EXPECT_NE(result.out, "");
  }
  EXPECT_GE(seen, 9);
  expect_one_line_error(
      bench.run({"eval", "-m", "causal", "--data", "nowhere.txt", "--dry-run"}, 66),
      {"nowhere.txt"});
  expect_one_line_error(
      bench.run({"eval", "-m", "causal", "--baseline", "ngram:x", "--dry-run"}, 64), {"ngram:N"});
}

TEST(Configurations, StartersAreValidForTheirCommand) {
  Workbench bench;
  for (const std::string& command : configured_commands()) {
    std::vector<std::string> kinds = starter_kinds(command);
    kinds.push_back("");
    for (const std::string& kind : kinds) {
      SCOPED_TRACE(command + " " + kind);
      std::vector<std::string> init = {"config", "init", command};
      if (!kind.empty()) init.push_back(kind);
      const auto starter = bench.run(init).out;
      if (!kind.empty()) EXPECT_THAT(starter, HasSubstr('"' + kind + '"'));
      bench.write("starter.json", starter);
      EXPECT_THAT(bench.run({"config", "validate", "-c", "starter.json"}).out,
                  HasSubstr("llmctl " + command + "\n"));
      const json shown = json::parse(bench.run({"config", "show", "-c", "starter.json"}).out);
      bench.write("shown.json", shown.dump());
      // What is shown is a configuration again, and shows the same.
      EXPECT_EQ(json::parse(bench.run({"config", "show", command, "-c", "shown.json"}).out), shown);
    }
  }
}

TEST(Configurations, StartersOfEveryModelTypeAndTaskRun) {
  Workbench bench;
  bench.train_tokenizer("causal");
  bench.train_tokenizer("masked");
  fs::create_directory_symlink(source_dir() / "data", bench / "data");
  std::set<std::string> types;
  for (const std::string& kind : starter_kinds("pretrain")) {
    SCOPED_TRACE(kind);
    bench.write("starter.json", bench.run({"config", "init", "pretrain", kind}).out);
    const json shown = json::parse(bench.run({"config", "show", "-c", "starter.json"}).out);
    types.insert(shown["model"]["model_type"]);
    const bool masked = shown["task"]["type"] == "masked_lm";
    std::vector<std::string> command = {
        "pretrain",
        "-c",
        "starter.json",
        "--set",
        R"(data.train=["en.txt"])",
        "--set",
        "eval.at_end=false",
        "--set",
        "train.steps=1",
        "--set",
        "train.batch_size=1",
        "--set",
        std::string("tokenizer.path=tokenizer-") + (masked ? "masked" : "causal")};
    // One of each kind is made, for the tasks.
    if (!kind.ends_with("_lm")) command.push_back("--dry-run");
    bench.run(command);
  }
  EXPECT_EQ(types, (std::set<std::string>{"bert", "gpt2", "llama", "qwen2", "qwen3", "roberta"}));
  for (const std::string& kind : starter_kinds("finetune")) {
    SCOPED_TRACE(kind);
    bench.write("starter.json", bench.run({"config", "init", "finetune", kind}).out);
    bench.run({"finetune", "-c", "starter.json", "--dry-run"});
  }
  expect_one_line_error(bench.run({"config", "init", "pretrain", "lama"}, 64),
                        {"'lama'", "did you mean 'llama'"});
  expect_one_line_error(bench.run({"config", "init", "pretrain", "extractive_qa"}, 64),
                        {"llmctl config init finetune extractive_qa"});
  expect_one_line_error(bench.run({"config", "init", "prepare", "llama"}, 64),
                        {"prepare", "'llama'"});
}

TEST(Configurations, SchemasNameEveryKey) {
  for (const char* command : {"pretrain", "finetune", "generate", "eval", "prepare"}) {
    const json schema = json::parse(run_llmctl({"config", "schema", command}).out);
    EXPECT_EQ(schema["$schema"], "http://json-schema.org/draft-07/schema#");
    EXPECT_EQ(schema["additionalProperties"], false);
  }
  const auto keys = run_llmctl({"config", "keys", "pretrain"}).out;
  for (const char* key : {"`run.seed`", "`optim.lr`", "`task (masked_lm).mask_probability`",
                          "`model (llama).hidden_size`"}) {
    EXPECT_THAT(keys, HasSubstr(key));
  }
}

TEST(Configurations, TheirReferenceIsWhatTheProgramSays) {
  EXPECT_EQ(slurp(source_dir() / "configs/README.md"), run_llmctl({"config", "keys", "--all"}).out)
      << "run: llmctl config keys --all > configs/README.md";
  const auto nobodys = run_llmctl({"config", "keys"});
  EXPECT_EQ(nobodys.status, 64);
  EXPECT_THAT(nobodys.err, HasSubstr("Name one of pretrain, "));
}

TEST(Readme, IsShort) {
  const std::string readme = slurp(source_dir() / "README.md");
  EXPECT_LE(std::count(readme.begin(), readme.end(), '\n'), 350);
}

TEST(Readme, EveryCommandLineInItParses) {
  // Fenced lines that begin with "llmctl" or "$ llmctl": the command exists, and so does every long
  // option.
  const std::string readme = slurp(source_dir() / "README.md");
  const std::regex line(R"((?:^|\n)(?:\$ )?(?:build/release/bin/)?llmctl ([a-z][^\n|>]*))");
  int seen = 0;
  for (std::sregex_iterator match(readme.begin(), readme.end(), line), end; match != end; ++match) {
    std::istringstream words((*match)[1].str());
    std::vector<std::string> path;
    std::string word, help;
    while (words >> word &&
           word.find_first_not_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos &&
           path.size() < 2) {
      auto next = path;
      next.push_back(word);
      next.push_back("--help");
      const auto result = run_llmctl(next);
      if (result.status != 0) break;
      path.push_back(word);
      help = result.out;
    }
    ASSERT_FALSE(path.empty()) << (*match)[0];
    ++seen;
    const std::string text = (*match)[1];
    const std::regex option(R"((?:^|\s)(--[a-z][a-z-]*))");
    for (std::sregex_iterator one(text.begin(), text.end(), option); one != end; ++one) {
      EXPECT_THAT(help, HasSubstr((*one)[1].str())) << (*match)[0];
    }
  }
  EXPECT_GE(seen, 12);
}

TEST(Data, TheGeneratorMakesTheBundledFiles) {
  const auto result =
      run_process({"python3", (source_dir() / "data/generate.py").string(), "--check"});
  if (result.status == 127) GTEST_SKIP() << "python3 is not installed";
  EXPECT_EQ(result.status, 0) << result.describe();
}

// What the quickstart shows as answered is not what it has read.
TEST(Data, TheQuickstartsExamplesAreInNoFileThatItTrainsOn) {
  const std::string script = slurp(source_dir() / "apps/quickstart");
  std::string files;
  for (const char* folder : {"corpus", "instructions", "classification"}) {
    for (const auto& entry : fs::directory_iterator(source_dir() / "data" / folder)) {
      files += slurp(entry.path());
    }
  }
  ASSERT_THAT(files, HasSubstr("What is the reverse of \\\"loud\\\"?"));  // as JSON writes it
  for (const std::string text :
       {"你好，我叫王芳。", "“大”的反义词是什么？", "Hello, my name is Nora.",
        "What is the opposite of \"loud\"?", "The room was loud and nobody answered the bell.",
        "这家饭馆的菜很好吃，下次还来。"}) {
    EXPECT_THAT(script, HasSubstr(text));
    const std::string quoted = json(text).dump();
    EXPECT_EQ(files.find(quoted.substr(1, quoted.size() - 2)), files.npos) << text;
    EXPECT_EQ(files.find(text), files.npos) << text;
  }
}

}  // namespace
}  // namespace llmctl::test
