#include "support/python.h"

#include <filesystem>

#include "support/paths.h"

namespace llmctl::test {

namespace {

namespace fs = std::filesystem;

std::string interop_python() {
  const fs::path own = source_dir() / ".deps/interop/bin/python";
  return environment_or("LLMCTL_INTEROP_PYTHON", fs::exists(own) ? own.string() : "python3");
}

ProcessOptions quiet_python() {
  ProcessOptions options;
  options.timeout_seconds = 600;
  options.env = {{"HF_HUB_OFFLINE", "1"},
                 {"TRANSFORMERS_VERBOSITY", "error"},
                 {"TOKENIZERS_PARALLELISM", "false"},
                 {"PYTHONDONTWRITEBYTECODE", "1"}};
  return options;
}

std::string find_what_is_missing(const std::string& libraries) {
  try {
    const auto result =
        run_process({interop_python(), "-c", "import " + libraries}, quiet_python());
    if (result.status == 0) return "";
    const auto line = result.err.rfind('\n', result.err.size() - 2);
    return interop_python() + ": " + result.err.substr(line + 1, result.err.size() - line - 2);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

}  // namespace

ProcessResult run_python(const std::string& script, const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {interop_python(), (source_dir() / "tests/interop" / script)};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_process(argv, quiet_python());
}

const std::string& missing_python() {
  static const std::string missing =
      find_what_is_missing("torch, transformers, sentencepiece, safetensors, peft");
  return missing;
}

std::string missing_python(const std::string& libraries) {
  return find_what_is_missing(libraries);
}

}  // namespace llmctl::test
