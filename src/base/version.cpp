#include "llmctl/version.h"

#include "version_info.h"

namespace llmctl {

const char* version() noexcept {
  return LLMCTL_VERSION;
}

const char* commit() noexcept {
  return LLMCTL_COMMIT;
}

}  // namespace llmctl
