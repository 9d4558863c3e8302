#include "cli/main.h"

int main(int argc, char** argv) {
  return llmctl::run_command_line(argc, argv);
}
