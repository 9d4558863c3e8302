// The command line itself: help, versions, mistakes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/utf8.h"
#include "support/llmctl.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace llmctl::test {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

const char* const kCommands[] = {"help",     "version",  "completion", "tokenizer", "pretrain",
                                 "finetune", "generate", "eval",       "inspect",   "config",
                                 "export",   "doctor",   "bench"};

TEST(CommandLine, AloneItPrintsItsHelpOnStderr) {
  ProcessOptions binary;
  binary.exec = true;
  const auto result = run_llmctl({}, binary);
  EXPECT_EQ(result.status, 64) << result.describe();
  EXPECT_EQ(result.out, "");
  EXPECT_THAT(result.err, HasSubstr("pretrain"));
}

TEST(CommandLine, HelpNamesEveryCommandAndGoesToStdout) {
  const auto result = run_llmctl({"--help"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err, "");
  for (const char* command : kCommands) EXPECT_THAT(result.out, HasSubstr(command));
  EXPECT_THAT(result.out, HasSubstr("Exit codes"));
}

TEST(CommandLine, EveryCommandHasHelpAndVersion) {
  for (const char* command : kCommands) {
    for (const char* flag : {"--help", "-h"}) {
      const auto help = run_llmctl({command, flag});
      EXPECT_EQ(help.status, 0) << command << help.describe();
      EXPECT_THAT(help.out, HasSubstr("--json")) << command;
      EXPECT_THAT(help.out, HasSubstr("Examples:")) << command;
    }
    const auto version = run_llmctl({command, "--version"});
    EXPECT_EQ(version.status, 0) << command << version.describe();
    EXPECT_THAT(version.out, StartsWith("llmctl 0."));
  }
}

TEST(CommandLine, CommonOptionsStandBeforeTheCommandToo) {
  EXPECT_THAT(run_llmctl({"--color", "always", "doctor"}).out, HasSubstr("\x1b["));
  EXPECT_THAT(run_llmctl({"--json", "version"}).out, HasSubstr("\"version\": \"llmctl 0."));
  EXPECT_THAT(run_llmctl({"--json", "config", "keys", "eval"}).out, StartsWith("["));
}

TEST(CommandLine, HelpAndVersionAreCommandsToo) {
  EXPECT_EQ(run_llmctl({"help"}).out, run_llmctl({"--help"}).out);
  EXPECT_EQ(run_llmctl({"help", "tokenizer", "train"}).out,
            run_llmctl({"tokenizer", "train", "--help"}).out);
  EXPECT_EQ(run_llmctl({"version"}).out, run_llmctl({"--version"}).out);
  EXPECT_THAT(run_llmctl({"tokenizer", "train", "--help"}).out,
              HasSubstr("Usage: llmctl tokenizer train [OPTIONS] FILE..."));
}

TEST(CommandLine, HelpFitsTheTerminal) {
  for (const std::size_t width : {40, 60, 80, 132}) {
    ProcessOptions options;
    options.env["COLUMNS"] = std::to_string(width);
    for (const std::vector<std::string>& words : {std::vector<std::string>{"--help"},
                                                  {"generate", "--help"},
                                                  {"tokenizer", "train", "-h"}}) {
      std::istringstream lines(run_llmctl(words, options).out);
      for (std::string line; std::getline(lines, line);) {
        // A single word may be longer than a narrow line.
        const bool breaks = line.find(' ', line.find_first_not_of(' ')) != line.npos;
        EXPECT_TRUE(display_width(line) <= width || !breaks) << width << ": " << line;
      }
    }
  }
}

/// Words that bash would offer behind `line`.
std::string completed(const std::string& line) {
  static const std::string script = run_llmctl({"completion", "bash"}).out;
  const auto result =
      run_process({"bash", "-c",
                   script + "COMP_WORDS=(" + line +
                       ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                       "compopt() { :; }\n_llmctl\nprintf '%s ' \"${COMPREPLY[@]}\""});
  EXPECT_EQ(result.err, "") << line;
  return result.out;
}

TEST(CommandLine, BashCompletesCommandsOptionsAndFiles) {
  EXPECT_EQ(completed("llmctl tok"), "tokenizer ");
  EXPECT_EQ(completed("llmctl tokenizer tr"), "train ");
  EXPECT_EQ(completed("llmctl tokenizer train --vo"), "--vocab-size ");
  EXPECT_EQ(completed("llmctl doctor --color a"), "auto always ");
  EXPECT_EQ(completed("llmctl --color never generate --too-long tr"), "truncate ");
  EXPECT_EQ(completed("llmctl generate -n ''"), " ");
  EXPECT_EQ(completed("llmctl generate -f /dev/nul"), "/dev/null ");
  EXPECT_EQ(completed("llmctl completion f"), "fish ");
  EXPECT_THAT(completed("llmctl generate --m"), HasSubstr("--model "));
}

TEST(CommandLine, OtherShellsAndTheManPageNameEveryCommand) {
  for (const auto& words :
       {std::vector<std::string>{"completion", "zsh"}, {"completion", "fish"}, {"help", "--man"}}) {
    const auto text = run_llmctl(words).out;
    for (const char* command : kCommands) EXPECT_THAT(text, HasSubstr(command));
    EXPECT_THAT(text, HasSubstr("vocab"));
  }
  if (run_process({"sh", "-c", "command -v groff"}).status != 0) GTEST_SKIP() << "no groff";
  const auto page =
      run_process({"sh", "-c", "\"$0\" help --man | groff -Kutf8 -man -Tutf8 -ww 2>&1 >/dev/null",
                   llmctl_binary().string()});
  EXPECT_EQ(page.out, "");
}

TEST(CommandLine, KeysOfEveryConfiguredCommandAreListed) {
  for (const char* command :
       {"pretrain", "finetune", "generate", "eval", "prepare", "tokenizer", "vectors"}) {
    EXPECT_THAT(run_llmctl({"config", "keys", command}).out, StartsWith("| key |")) << command;
    EXPECT_THAT(run_llmctl({"config", "schema", command}).out, HasSubstr("draft-07")) << command;
    const TempDir dir;
    const auto file = (dir / "starter.json").string();
    EXPECT_EQ(run_llmctl({"config", "init", command, "-o", file}).status, 0);
    const auto valid = run_llmctl({"config", "validate", command, "-c", file});
    EXPECT_EQ(valid.status, 0) << valid.describe();
  }
  // A word alone is looked for everywhere, in any case.
  const auto everywhere = run_llmctl({"config", "keys", "Temperature"}).out;
  EXPECT_THAT(everywhere, HasSubstr("| `generate: generation.temperature` |"));
  const auto lengths = run_llmctl({"config", "keys", "sequence_length"}).out;
  EXPECT_THAT(lengths, HasSubstr("| `pretrain: data.sequence_length` |"));
  EXPECT_THAT(lengths, HasSubstr("| `eval: "));
  const auto some = run_llmctl({"config", "keys", "pretrain", "optim"}).out;
  EXPECT_THAT(some, HasSubstr("`optim.lr`"));
  EXPECT_THAT(some, Not(HasSubstr("`log.every`")));
}

TEST(CommandLine, KeysKnownByOtherNamesAreGuessed) {
  const auto refused =
      run_llmctl({"config", "validate", "pretrain", "--set", "optim.learning_rate=1"});
  EXPECT_EQ(refused.status, 78);
  EXPECT_THAT(refused.err, HasSubstr("did you mean 'lr'?"));
  const auto unset = run_llmctl(
      {"config", "validate", "pretrain", "--set", "optim.lr=1", "--unset", "optim.nope"});
  EXPECT_EQ(unset.status, 78);
  EXPECT_THAT(unset.err, HasSubstr("--unset optim.nope: unknown key"));
}

TEST(CommandLine, VersionNamesLibTorch) {
  ProcessOptions binary;
  binary.exec = true;
  const auto result = run_llmctl({"--version"}, binary);
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, HasSubstr("LibTorch 2."));
}

TEST(CommandLine, MistakesAreOneLineWithAHint) {
  struct Case {
    std::vector<std::string> arguments;
    const char* message;
  };
  const Case cases[] = {
      {{"pretrian"}, "llmctl: unknown command pretrian, did you mean 'pretrain'?"},
      {{"pretrain", "--overwrit"},
       "llmctl pretrain: unknown option --overwrit, did you mean '--overwrite'?"},
      {{"tokenizer"}, "llmctl tokenizer: a command is missing: train, encode, decode, inspect"},
      {{"tokenizer", "trian"}, "llmctl tokenizer: unknown command trian, did you mean 'train'?"},
      {{"export", "-m", "x"}, "--output is required"},
      {{"pretrain"}, "no configuration given: use -c FILE"},
      {{"generate", "-m", "nowhere"}, "nothing to answer"},
      {{"generate", "-m", "nowhere", "-p", "a", "-f", "b"},
       "give one of prompts, a file and a question"},
      {{"eval"}, "nothing to score"},
      {{"config", "init", "pretrian"}, "unknown command pretrian, did you mean 'pretrain'?"},
      {{"doctor", "--color", "blue"}, "--color"},
      {{"export", "-m", "x", "-o", "a", "-o", "b"}, "--output is given 2 times, expected once"},
      {{"export", "-m", "x", "-o"}, "--output: a value is missing: PATH"},
      {{"export", "-m", "x", "-o", "m.gguf"}, "export writes a directory"},
      {{"help", "tokeniser"}, "llmctl: unknown command tokeniser, did you mean 'tokenizer'?"},
      {{"help", "tokenizer", "trian"},
       "llmctl tokenizer: unknown command trian, did you mean 'train'?"},
      {{"completion", "tcsh"}, "shell: expected one of bash, zsh, fish, got 'tcsh'"},
      {{"completion"}, "shell is required: "},
      {{"config", "init"}, "command is required: pretrain, finetune, "},
      {{"generate", "-m", "x", "--too-long", "eror"},
       "--too-long: expected one of error, truncate, skip, got 'eror', did you mean 'error'?"},
      {{"generate", "-m", "x", "-p", "a", "--temperature", "-1"},
       "--temperature: expected 0 to 100, got -1"},
      {{"generate", "-m", "x", "-p", "a", "--top-p", "much"}, "--top-p: expected 0 to 1, got much"},
      {{"generate", "-m", "x", "-p", "a", "-n", "0"},
       "--max-new-tokens: expected 1 to 10000000, got 0"},
      {{"tokenizer", "encode"}, "no tokenizer given: use -m DIR"},
      {{"config", "keys", "pretrain", "no-such-word"}, "pretrain has no key about"},
      {{"config", "keys", "pretrian"},
       "no command has a key about 'pretrian', did you mean 'pretrain'?"},
  };
  for (const auto& [arguments, message] : cases) {
    const auto result = run_llmctl(arguments);
    EXPECT_EQ(result.status, 64) << result.describe();
    EXPECT_EQ(result.out, "");
    EXPECT_THAT(result.err, StartsWith("llmctl: error: ")) << result.describe();
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
}

TEST(CommandLine, DoctorFindsAHealthyProgram) {
  Workbench bench;
  const auto result = bench.run({"doctor", "--json"});
  EXPECT_THAT(result.out, HasSubstr("\"healthy\": true"));
  EXPECT_THAT(result.out, HasSubstr("LibTorch"));
}

TEST(CommandLine, ColourObeysItsSwitches) {
  Workbench bench;
  EXPECT_THAT(bench.run({"doctor"}).out, Not(HasSubstr("\x1b[")));
  EXPECT_THAT(bench.run({"doctor", "--color", "always"}).out, HasSubstr("\x1b["));
  ProcessOptions no_color;
  no_color.env["NO_COLOR"] = "1";
  no_color.env["CLICOLOR_FORCE"] = "1";
  EXPECT_THAT(bench.run({"doctor"}, 0, no_color).out, Not(HasSubstr("\x1b[")));
}

TEST(CommandLine, AFullDiskOnStdoutIsAnError) {
  Workbench bench;
  const auto result = run_process(
      {"/bin/sh", "-c", "\"$0\" config schema pretrain > /dev/full", llmctl_binary().string()});
  EXPECT_EQ(result.status, 74) << result.describe();
  EXPECT_THAT(result.err, StartsWith("llmctl: error: "));
}

}  // namespace
}  // namespace llmctl::test
