// Driving the binary: one call, and a tiny pipeline (tokenizer, causal and masked model) in a
// temporary directory.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"

namespace llmctl::test {

/// The command line with these arguments, in a process of its own: a fork of this one, which need
/// not load the libraries again, by run_command_line(), or with `options.exec` and for settings of
/// OpenMP the binary. The device of LLMCTL_TEST_DEVICE is left to the caller.
ProcessResult run_llmctl(const std::vector<std::string>& arguments, ProcessOptions options = {});

/// Expects that the last line of standard error is an error with every part, and no output.
void expect_one_line_error(const ProcessResult& result, const std::vector<std::string>& parts);

/// The directory of a small model that transformers made.
std::string golden(const std::string& name);

/// A temporary directory with a corpus in both languages, where relative paths of a run live.
class Workbench {
 public:
  bool exec = false;  ///< run() takes the binary itself

  Workbench();
  const std::filesystem::path& path() const { return directory_.path(); }
  std::filesystem::path operator/(const std::filesystem::path& name) const {
    return directory_ / name;
  }
  std::filesystem::path write(const std::string& name, const std::string& content) const {
    return directory_.write(name, content);
  }

  /// The binary in this directory, with its own cache; fails the test (and throws) unless the exit
  /// status is `status`.
  ProcessResult run(const std::vector<std::string>& arguments, int status = 0,
                    ProcessOptions options = {}) const;

  /// "tokenizer-causal" or "tokenizer-masked" of a few hundred pieces.
  void train_tokenizer(const std::string& recipe = "causal") const;
  /// Writes causal.json or masked.json: a model of one narrow layer, `steps` steps.
  std::string write_config(const std::string& recipe, const std::string& run, int steps) const;
  /// All of it: tokenizer, configuration, and `steps` steps of pretraining in directory `run`.
  void pretrain(const std::string& recipe, const std::string& run, int steps) const;

 private:
  TempDir directory_;
};

/// SHA-256 of a run's last weights.
std::string weights_hash(const std::filesystem::path& run);

}  // namespace llmctl::test
