// Finished files are on the disk before they take their name, whatever command wrote them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

namespace fs = std::filesystem;

/// What LLMCTL_FAULT=trace:FILE tells, line by line.
class Trace {
 public:
  explicit Trace(const fs::path& file) {
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      const std::size_t tab = line.find('\t');
      if (line.starts_with("sync ")) steps_.push_back({line.substr(5), ""});
      if (line.starts_with("rename "))
        steps_.push_back({line.substr(7, tab - 7), line.substr(tab + 1)});
    }
  }

  /// Expects that the file got its name, or that of a directory above it, by a rename that came
  /// after a sync of its content and before one of the directory that holds the name.
  void expect_synced(const fs::path& file) const {
    const std::size_t at = named(file, steps_.size());
    if (at == steps_.size()) {
      ADD_FAILURE() << file << " was written under its name";
      return;
    }
    EXPECT_TRUE(synced(file, steps_.size())) << file << " was renamed before it was synced";
    bool directory = false;
    for (std::size_t i = at; i < steps_.size(); ++i) {
      directory = directory || (steps_[i].to.empty() &&
                                steps_[i].path == fs::path(steps_[at].to).parent_path().string());
    }
    EXPECT_TRUE(directory) << "the directory of " << file << " was not synced behind the rename";
  }

 private:
  struct Step {
    std::string path, to;  // a rename has both
  };

  static bool holds(const std::string& directory, const std::string& file) {
    return file == directory || file.starts_with(directory + "/");
  }

  /// The last rename before step `before` that gave the file its name; steps_.size(): none.
  std::size_t named(const fs::path& file, std::size_t before) const {
    for (std::size_t i = before; i-- > 0;) {
      if (!steps_[i].to.empty() && holds(steps_[i].to, file.string())) return i;
    }
    return steps_.size();
  }

  /// Whether the content was synced, under this name or an earlier one, before the first rename.
  bool synced(const fs::path& file, std::size_t before) const {
    const std::size_t at = named(file, before);
    const std::size_t from = at == steps_.size() ? 0 : at;
    if (at == steps_.size()) {
      for (std::size_t i = from; i < before; ++i) {
        if (steps_[i].to.empty() && steps_[i].path == file.string()) return true;
      }
      return false;
    }
    const std::string rest = file.string().substr(steps_[at].to.size());
    return synced(steps_[at].path + rest, at);
  }

  std::vector<Step> steps_;
};

TEST(SyncedFiles, EveryFinishedFile) {
  Workbench bench;
  int number = 0;
  const auto expect = [&](std::vector<std::string> words, const std::vector<std::string>& outputs) {
    SCOPED_TRACE(words[0] + " " + words[1]);
    const fs::path file = bench / ("trace" + std::to_string(number++));
    ProcessOptions options;
    options.env["LLMCTL_FAULT"] = "trace:" + file.string();
    bench.run(words, 0, options);
    const Trace trace(file);
    for (const std::string& output : outputs) {
      const fs::path path = fs::canonical(bench.path()) / output;
      ASSERT_TRUE(fs::exists(path)) << path;
      if (!fs::is_directory(path)) {
        trace.expect_synced(path);
        continue;
      }
      std::size_t files = 0;
      for (const auto& entry : fs::recursive_directory_iterator(path)) {
        if (!entry.is_regular_file()) continue;
        trace.expect_synced(entry.path());
        ++files;
      }
      EXPECT_GT(files, 0u) << path;
    }
  };
  bench.train_tokenizer();
  const std::string config = bench.write_config("causal", "run", 2);
  bench.write("prompts.txt", "The\nOne\n");
  bench.write("pairs.jsonl", "{\"prompt\": \"a\", \"answer\": \"b\"}\n");
  expect({"pretrain", "-c", config}, {"run/checkpoints"});
  expect({"tokenizer", "train", "en.txt", "-o", "tokenizer", "--vocab-size", "400"}, {"tokenizer"});
  expect({"generate", "-m", "run", "-f", "prompts.txt", "-n", "2", "-o", "answers.jsonl"},
         {"answers.jsonl", "answers.jsonl.key"});
  expect({"eval", "-m", "run", "--data", "en.txt", "-o", "scores.json"}, {"scores.json"});
  expect({"eval", "-m", "run", "--task", "text_generation", "--data", "pairs.jsonl",
          "--save-predictions", "predictions.jsonl"},
         {"predictions.jsonl"});
  expect({"export", "-m", "run", "-o", "clean"}, {"clean"});
  expect({"data", "prepare", "en.txt", "-o", "prepared"}, {"prepared"});
  expect({"data", "prepare", "en.txt", "-o", "shards", "--tokenizer", "tokenizer"}, {"shards"});
  expect({"data", "stats", "en.txt", "-o", "stats.html"}, {"stats.html"});
  expect({"inspect", "forward", "-m", "run", "--text", "The", "-o", "forward.safetensors", "--html",
          "forward.html"},
         {"forward.safetensors", "forward.html"});
}

}  // namespace
}  // namespace llmctl::test
