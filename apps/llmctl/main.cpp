#include "cli/main.h"
#include "base/waiting.h"

int main(int argc, char** argv) {
  llmctl::wait_without_spinning(argc, argv);
  return llmctl::run_command_line(argc, argv);
}
