#include "runs/build_facts.h"

#include "base/error.h"
#include "llmctl/version.h"
#include "ops/backend.h"

namespace llmctl {

std::string version_text() {
  std::string text = concat("llmctl ", version(), " (", commit(), ")");
  for (const auto& [name, value] : backend_facts()) {
    if (name == "libtorch") text += ", LibTorch " + value;
    if (name == "cpu_capability") text += ", CPU " + value;
    if (name == "cuda") text += ", CUDA " + value;
  }
  return text;
}

}  // namespace llmctl
