#include "support/node.h"

#include <filesystem>
#include <stdexcept>

#include "support/paths.h"

namespace llmctl::test {

namespace {

namespace fs = std::filesystem;

fs::path modules() {
  return environment_or("LLMCTL_INTEROP_NODE_MODULES",
                        (source_dir() / ".deps/interop/node_modules").string());
}

ProcessOptions with_time() {
  ProcessOptions options;
  options.timeout_seconds = 600;
  return options;
}

std::string find_what_is_missing() {
  if (!fs::exists(modules() / "node-llama-cpp")) {
    return "no node-llama-cpp in " + modules().string();
  }
  try {
    const auto result = run_process({"/usr/bin/env", "node", "--version"}, with_time());
    return result.status == 0 ? "" : "node does not run";
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

}  // namespace

ProcessResult run_node(const std::string& script, std::vector<std::string> arguments) {
  std::vector<std::string> argv = {"/usr/bin/env", "node", source_dir() / "tests/interop" / script,
                                   modules()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return run_process(argv, with_time());
}

const std::string& missing_llama_cpp() {
  static const std::string missing = find_what_is_missing();
  return missing;
}

}  // namespace llmctl::test
