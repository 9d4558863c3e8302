// What a stranger would write first: the library by its public headers alone.
#include <llmctl/llmctl.h>

#include <iostream>

int main() {
  llmctl::Configuration config;
  config.merge_json(R"({"run": {"dir": "runs/x"}, "objective": {"type": "causal_lm"}})")
      .set("train.steps", "10");
  const bool resolved = config.resolved("pretrain").find("\"steps\": 10") != std::string::npos;
  std::cout << "llmctl " << llmctl::version() << "\n";
  return resolved && llmctl::Error(llmctl::ErrorCode::kUsage, "none").exit_status() == 64 ? 0 : 1;
}
