// Running another program and reading what it prints.
#pragma once

#include <string>
#include <vector>

namespace llmctl {

struct ChildResult {
  int status = 0;  ///< exit status; 128 + number for a signal
  std::string out;
};

/// Runs the program argv[0] (a path) with this process's environment but for the variables `unset`,
/// waits for its end and returns what it wrote to its standard output. kTemporary when it cannot be
/// started.
ChildResult run_child(const std::vector<std::string>& argv,
                      const std::vector<std::string>& unset = {});

/// The file of the running program.
std::string own_program();

/// The system ends this process, too, when the one that started it ends.
void end_with_parent();

}  // namespace llmctl
