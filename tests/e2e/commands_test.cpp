// Every command against signals, a closed pipe, a full disk, outputs that are there and devices:
// the table that the README's guarantees speak of.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/main.h"
#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

using Words = std::vector<std::string>;

/// Models of a few steps, and files that commands read.
class Commands : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    bench_ = new Workbench;
    bench_->pretrain("causal", "causal", 3);
    bench_->write_config("causal", "fresh", 50);
    bench_->write("prompts.txt", "The\nOne\nA\nSome\nMany\n");
    bench_->write("ids.txt", "5 6 7\n8 9\n");
    std::string records;
    for (int i = 0; i < 8; ++i)
      records += R"({"prompt":"One","answer":"two"})"
                 "\n";
    bench_->write("answers.jsonl", records);
    bench_->write("finetune.json",
                  json{{"run", {{"dir", "tuned"}}},
                       {"model", {{"init_from", "causal"}}},
                       {"data", {{"train", {"answers.jsonl"}}, {"sequence_length", 32}}},
                       {"task", {{"type", "text_generation"}}},
                       {"train", {{"steps", 50}, {"batch_size", 4}, {"device", "cpu"}}}}
                      .dump());
  }
  static void TearDownTestSuite() {
    delete bench_;
    bench_ = nullptr;
  }
  static const Workbench& bench() { return *bench_; }

  static std::set<std::string> entries() {
    std::set<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(bench().path())) {
      names.insert(entry.path().string());
    }
    return names;
  }

  static Workbench* bench_;
};
Workbench* Commands::bench_ = nullptr;

struct Interruption {
  Words command;
  const char* point;   ///< of LLMCTL_FAULT: in the middle of the work
  bool keeps = false;  ///< what is complete stays for the next call
};

const std::vector<Interruption>& interruptions() {
  static const std::vector<Interruption> all = {
      {{"tokenizer", "train", "en.txt", "-o", "t", "--vocab-size", "400"}, "read:1"},
      {{"tokenizer", "train", "en.txt", "-o", "t", "--vocab-size", "400"}, "write:2"},
      {{"tokenizer", "encode", "-m", "causal", "-f", "en.txt"}, "read:3"},
      {{"tokenizer", "decode", "-m", "causal", "-f", "ids.txt"}, "read:3"},
      {{"tokenizer", "inspect", "-m", "causal", "en.txt"}, "read:3"},
      {{"data", "prepare", "en.txt", "-o", "prepared"}, "read:1", true},
      {{"data", "prepare", "en.txt", "-o", "prepared"}, "write:3", true},
      {{"data", "stats", "en.txt", "-o", "page.html"}, "read:1"},
      {{"data", "stats", "en.txt", "-o", "page.html"}, "write:1"},
      {{"data", "vectors", "en.txt", "-o", "vectors.txt", "--set", "dim=8"}, "read:1"},
      {{"data", "vectors", "en.txt", "-o", "vectors.txt", "--set", "dim=8"}, "write:1"},
      {{"pretrain", "-c", "fresh.json"}, "step:2", true},
      {{"finetune", "-c", "finetune.json"}, "step:2", true},
      {{"generate", "-m", "causal", "-p", "The", "-n", "20"}, "token:2"},
      {{"generate", "-m", "causal", "-f", "prompts.txt", "-n", "20"}, "token:2"},
      {{"generate", "-m", "causal", "-f", "prompts.txt", "-n", "20", "-o", "a.jsonl"},
       "token:2",
       true},
      {{"eval", "-m", "causal", "--data", "en.txt"}, "read:8"},
      {{"eval", "-m", "causal", "--data", "en.txt", "-o", "scores.json"}, "write:1"},
      {{"export", "-m", "causal", "-o", "exported"}, "read:3"},
      {{"export", "-m", "causal", "-o", "exported"}, "write:2"},
      {{"export", "-m", "causal", "--gguf", "q8_0", "-o", "m.gguf"}, "write:1"},
      {{"inspect", "causal"}, "read:3"},
      {{"inspect", "forward", "-m", "causal", "--text", "The", "-o", "f.safetensors"}, "write:1"},
      {{"inspect", "embed", "-m", "causal", "The market"}, "read:3"},
      {{"inspect", "diff", "causal/best", "causal/last"}, "read:2"},
      {{"config", "show", "-c", "causal.json"}, "read:1"},
      {{"config", "validate", "-c", "causal.json"}, "read:1"},
      {{"config", "init", "pretrain", "-o", "new.json"}, "write:1"},
      {{"doctor"}, "write:1"},
  };
  return all;
}

TEST_F(Commands, SignalsEndEveryOneAndLeaveNothingHalfWritten) {
  for (const auto& [command, point, keeps] : interruptions()) {
    for (const auto& [name, status] : {std::pair{"/INT", 130}, std::pair{"/TERM", 143}}) {
      SCOPED_TRACE(::testing::PrintToString(command) + point + name);
      const auto before = entries();
      ProcessOptions options;
      options.env["LLMCTL_FAULT"] = std::string(point) + name;
      const auto result = bench().run(command, status, options);
      EXPECT_EQ(result.signal, 0);
      for (const auto& entry : entries()) {
        EXPECT_EQ(entry.find(".tmp."), std::string::npos) << entry;
        if (!keeps && entry.find("/cache") == std::string::npos) {
          EXPECT_TRUE(before.contains(entry)) << "left behind: " << entry;
        }
      }
      for (const char* made : {"tuned", "fresh", "prepared", "prepared.partial"}) {
        fs::remove_all(bench() / made);
      }
    }
  }
  // What was kept is gone on with.
  bench().run({"generate", "-m", "causal", "-f", "prompts.txt", "-n", "20", "-o", "a.jsonl"});
  fs::remove(bench() / "a.jsonl");
  fs::remove(bench() / "a.jsonl.key");
}

/// The command with stdout at `fd`; what wait() says of it.
int status_with_stdout(const Words& command, int fd, const fs::path& directory) {
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::signal(SIGPIPE, SIG_DFL);
    ::dup2(fd, STDOUT_FILENO);
    const int quiet = ::open("/dev/null", O_RDWR);
    ::dup2(quiet, STDIN_FILENO);
    ::dup2(quiet, STDERR_FILENO);
    if (::chdir(directory.c_str()) != 0) ::_exit(99);
    ::setenv("LLMCTL_CACHE", (directory / "cache").c_str(), 1);
    ::setenv("LLMCTL_THREADS", "1", 1);
    std::string name = "llmctl";
    Words words = command;
    std::vector<char*> argv = {name.data()};
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const int status = run_command_line(static_cast<int>(words.size()) + 1, argv.data());
    std::fflush(nullptr);
    ::_exit(status);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status;
}

const std::vector<Words>& printing_commands() {
  static const std::vector<Words> all = {
      {"tokenizer", "encode", "-m", "causal", "-f", "en.txt"},
      {"tokenizer", "decode", "-m", "causal", "-f", "ids.txt"},
      {"tokenizer", "inspect", "-m", "causal", "en.txt"},
      {"data", "stats", "en.txt"},
      {"generate", "-m", "causal", "-p", "The", "-n", "4"},
      {"generate", "-m", "causal", "-f", "prompts.txt", "-n", "4"},
      {"generate", "-m", "causal", "-f", "prompts.txt", "-n", "4", "-o", "-"},
      {"eval", "-m", "causal", "--data", "en.txt"},
      {"inspect", "causal"},
      {"inspect", "embed", "-m", "causal", "The market"},
      {"inspect", "diff", "causal/best", "causal/last"},
      {"export", "-m", "causal", "-o", "copy", "--dry-run"},
      {"export", "-m", "causal", "--gguf", "f16", "-o", "copy.gguf", "--dry-run"},
      {"data", "prepare", "en.txt", "-o", "copy", "--dry-run"},
      {"pretrain", "-c", "fresh.json", "--dry-run"},
      {"finetune", "-c", "finetune.json", "--dry-run"},
      {"config", "show", "-c", "causal.json"},
      {"config", "init", "pretrain"},
      {"config", "keys", "eval"},
      {"config", "schema", "eval"},
      {"completion", "bash"},
      {"help"},
      {"--help"},
      {"version"},
      {"doctor"},
  };
  return all;
}

TEST_F(Commands, AClosedPipeEndsThemQuietly) {
  for (const Words& command : printing_commands()) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    ::close(ends[0]);
    const int status = status_with_stdout(command, ends[1], bench().path());
    ::close(ends[1]);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE)
        << ::testing::PrintToString(command) << " " << status;
  }
}

TEST_F(Commands, AFullDiskAtStandardOutputIs74) {
  for (const Words& command : printing_commands()) {
    const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
    ASSERT_GE(full, 0);
    const int status = status_with_stdout(command, full, bench().path());
    ::close(full);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 74)
        << ::testing::PrintToString(command) << " " << status;
  }
}

struct Writer {
  Words command;
  const char* output;  ///< what the last word names: "file", or "directory"
  Words inputs;        ///< that it must never replace
};

const std::vector<Writer>& writers() {
  static const std::vector<Writer> all = {
      {{"tokenizer", "train", "en.txt", "--vocab-size", "400", "-o"}, "directory", {}},
      {{"data", "prepare", "en.txt", "-o"}, "directory", {}},
      {{"data", "stats", "en.txt", "-o"}, "file", {"en.txt"}},
      {{"data", "vectors", "en.txt", "--set", "dim=8", "-o"}, "file", {"en.txt"}},
      {{"generate", "-m", "causal", "-f", "prompts.txt", "-n", "3", "-o"}, "file", {"prompts.txt"}},
      {{"eval", "-m", "causal", "--data", "en.txt", "-o"}, "file", {"en.txt"}},
      {{"eval", "-m", "causal", "--data", "en.txt", "--save-predictions"}, "file", {"en.txt"}},
      {{"export", "-m", "causal", "-o"}, "directory", {}},
      {{"export", "-m", "causal", "--gguf", "f16", "-o"}, "file", {}},
      {{"config", "init", "pretrain", "-o"}, "file", {}},
  };
  return all;
}

TEST_F(Commands, WhatIsThereIsRefusedBeforeTheWork) {
  for (const auto& [command, output, inputs] : writers()) {
    SCOPED_TRACE(::testing::PrintToString(command));
    bench().write("there/file", "mine");
    Words arguments = command;
    arguments.push_back(std::string(output) == "file" ? "there/file" : "there");
    const auto result = bench().run(arguments, 73);
    expect_one_line_error(result, {"there"});
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_EQ(slurp(bench() / "there/file"), "mine");
    for (const std::string& input : inputs) {
      const std::string text = slurp(bench() / input);
      for (const bool overwrite : {false, true}) {
        arguments.back() = input;
        Words all = arguments;
        if (overwrite) all.push_back("--overwrite");
        expect_one_line_error(bench().run(all, 73), {"is an input of this command"});
        EXPECT_EQ(slurp(bench() / input), text);
      }
    }
    if (std::string(output) != "file") continue;
    arguments.back() = "there/file";
    arguments.push_back("--overwrite");
    if (command.back() == "--save-predictions") continue;  // this model's task predicts no rows
    bench().run(arguments);
    EXPECT_NE(slurp(bench() / "there/file"), "mine");
    fs::remove_all(bench() / "there");
  }
}

TEST_F(Commands, DevicesAndFifosStayWhatTheyAre) {
  for (const auto& [command, output, inputs] : writers()) {
    if (std::string(output) != "file" || command.back() == "--save-predictions") continue;
    SCOPED_TRACE(::testing::PrintToString(command));
    Words arguments = command;
    arguments.push_back("/dev/null");
    if (command[1] == "vectors") {  // refused, and left as it is
      expect_one_line_error(bench().run(arguments, 64), {"/dev/null", "go to a file"});
      continue;
    }
    bench().run(arguments);
    struct stat status = {};
    ASSERT_EQ(::stat("/dev/null", &status), 0);
    EXPECT_TRUE(S_ISCHR(status.st_mode));
    arguments.back() = "/dev/full";
    bench().run(arguments, 74);
    // A link is written through.
    bench().write("target", "");
    fs::create_symlink("target", bench() / "link");
    arguments.back() = "link";
    bench().run(arguments);
    EXPECT_TRUE(fs::is_symlink(bench() / "link"));
    EXPECT_GT(fs::file_size(bench() / "target"), 0u);
    fs::remove(bench() / "link");
    fs::remove(bench() / "target");
    fs::remove(bench() / "target.key");
  }
}

TEST_F(Commands, AFullDiskLeavesNothingHalfWritten) {
  for (const auto& [command, output, inputs] : writers()) {
    if (command.back() == "--save-predictions") continue;
    SCOPED_TRACE(::testing::PrintToString(command));
    // The cache of tokenized text is not what the disk is full for.
    if (command.front() == "eval") bench().run({command.begin(), command.end() - 1});
    const auto before = entries();
    Words arguments = command;
    arguments.push_back("full");
    ProcessOptions options;
    options.limits.emplace_back(RLIMIT_FSIZE, 20);
    expect_one_line_error(bench().run(arguments, 74, options), {"full"});
    for (const auto& entry : entries()) {
      const bool resumable = entry.find("full.partial") != entry.npos;
      EXPECT_TRUE(before.contains(entry) || resumable) << "left behind: " << entry;
    }
    fs::remove_all(bench() / "full.partial");
  }
}

}  // namespace
}  // namespace llmctl::test
