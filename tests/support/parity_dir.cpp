#include "support/parity_dir.h"

#include <algorithm>

#include "support/paths.h"

namespace llmctl::test {

namespace fs = std::filesystem;

fs::path parity_dir() {
  return environment_or("LLMCTL_PARITY_DIR", (source_dir() / "tests/parity").string());
}

std::vector<fs::path> parity_cases(const fs::path& folder) {
  std::vector<fs::path> cases;
  if (!fs::is_directory(parity_dir() / folder)) return cases;
  for (const auto& entry : fs::directory_iterator(parity_dir() / folder)) {
    if (entry.is_directory()) cases.push_back(entry.path());
  }
  std::sort(cases.begin(), cases.end());
  return cases;
}

}  // namespace llmctl::test
