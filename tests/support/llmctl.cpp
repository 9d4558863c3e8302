#include "support/llmctl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>

#include "base/hash.h"
#include "cli/main.h"
#include "support/device.h"
#include "support/paths.h"

namespace llmctl::test {

namespace {

/// The variables of OpenMP's libraries, which they read as they are loaded.
bool is_read_on_loading(const std::string& variable) {
  return variable.starts_with("OMP_") || variable.starts_with("GOMP_") ||
         variable.starts_with("KMP_");
}

}  // namespace

ProcessResult run_llmctl(const std::vector<std::string>& arguments, ProcessOptions options) {
  std::vector<std::string> argv = {llmctl_binary().string()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  for (const auto& [name, value] : options.env) options.exec |= is_read_on_loading(name);
  for (const auto& name : options.unset) options.exec |= is_read_on_loading(name);
  options.env.emplace("OMP_NUM_THREADS", "1");
  options.env.emplace("LLMCTL_THREADS", "1");
  if (!options.exec) {
    options.body = [argv]() mutable {
      std::vector<char*> pointers;
      for (std::string& argument : argv) pointers.push_back(argument.data());
      pointers.push_back(nullptr);
      return run_command_line(static_cast<int>(argv.size()), pointers.data());
    };
  }
  return run_process(argv, options);
}

void expect_one_line_error(const ProcessResult& result, const std::vector<std::string>& parts) {
  std::string last = result.err.substr(0, result.err.size() - 1);
  if (const auto newline = last.rfind('\n'); newline != std::string::npos)
    last = last.substr(newline + 1);
  EXPECT_THAT(last, ::testing::StartsWith("llmctl: error: ")) << result.describe();
  for (const auto& part : parts) EXPECT_THAT(last, ::testing::HasSubstr(part));
  EXPECT_EQ(result.out, "");
}

namespace {

/// The first `bytes` of a corpus, cut behind a document.
std::string head_of_corpus(const std::string& name, std::size_t bytes) {
  std::string text = slurp(source_dir() / "data" / "corpus" / name);
  text.resize(text.find("\n\n", bytes));
  return text + "\n";
}

}  // namespace

std::string golden(const std::string& name) {
  return (source_dir() / "tests/parity/models" / name).string();
}

Workbench::Workbench() {
  write("en.txt", head_of_corpus("en.txt", 60'000));
  write("zh.txt", head_of_corpus("zh.txt", 40'000));
}

ProcessResult Workbench::run(const std::vector<std::string>& arguments, int status,
                             ProcessOptions options) const {
  if (options.directory.empty()) options.directory = path();
  options.env.emplace("LLMCTL_CACHE", (path() / "cache").string());
  options.exec = options.exec || exec;
  ProcessResult result = run_llmctl(arguments, options);
  if (result.status != status) {
    ADD_FAILURE() << "expected exit status " << status << "\n" << result.describe();
    throw std::runtime_error("llmctl ended otherwise than expected");
  }
  return result;
}

void Workbench::train_tokenizer(const std::string& recipe) const {
  run({"tokenizer", "train", "en.txt", "zh.txt", "-o", "tokenizer-" + recipe, "--recipe", recipe,
       "--set", "character_coverage=0.98", "--vocab-size", "900"});
}

std::string Workbench::write_config(const std::string& recipe, const std::string& run,
                                    int steps) const {
  const bool causal = recipe == "causal";
  const std::string name = run + ".json";
  write(name, R"({
  "run": {"dir": ")" +
                  run + R"(", "seed": 7},
  "model": {"model_type": ")" +
                  (causal ? "llama" : "bert") + R"(", "hidden_size": 32, "intermediate_size": 64,
            "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 64},
  "tokenizer": {"path": "tokenizer-)" +
                  recipe + R"("},
  "data": {"train": ["en.txt", "zh.txt"], "valid": {"hash": 0.1}, "sequence_length": 64, "valid_tokens": 2000},
  "objective": {"type": ")" +
                  (causal ? "causal_lm" : "masked_lm") + R"("},
  "optim": {"lr": 0.003, "warmup_steps": 2},
  "train": {"steps": )" +
                  std::to_string(steps) + R"(, "batch_size": 4, "device": ")" + test_device() +
                  R"("},
  "eval": {"every": 10},
  "checkpoint": {"every": 5, "keep_last": 3},
  "log": {"every": 2}
})");
  return name;
}

void Workbench::pretrain(const std::string& recipe, const std::string& run_directory,
                         int steps) const {
  train_tokenizer(recipe);
  run({"pretrain", "-c", write_config(recipe, run_directory, steps)});
}

std::string weights_hash(const std::filesystem::path& run) {
  return sha256_file(run / "last" / "model.safetensors");
}

}  // namespace llmctl::test
