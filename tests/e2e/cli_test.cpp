// The command line itself: help, versions, mistakes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

const char* const kCommands[] = {"tokenizer", "pretrain", "finetune", "generate", "eval",
                                 "inspect",   "config",   "export",   "doctor"};

TEST(CommandLine, AloneItPrintsItsHelpOnStderr) {
  const auto result = run_llmctl({});
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

TEST(CommandLine, VersionNamesLibTorch) {
  const auto result = run_llmctl({"--version"});
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
