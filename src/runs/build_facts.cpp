#include "runs/build_facts.h"

#include "base/error.h"
#include "llmctl/version.h"
#include "ops/backend.h"

namespace llmctl {

std::string version_text() {
  std::string text = concat("llmctl ", version(), " (", commit(), ")");
  for (const auto& [name, value] : backend_facts()) text += concat(", ", name, " ", value);
  return text;
}

}  // namespace llmctl
