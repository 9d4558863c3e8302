#include "cli/main.h"

namespace llmctl {

int run_command_line(int, char**) {
  return 64;
}

}  // namespace llmctl
