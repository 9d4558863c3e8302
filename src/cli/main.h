// The command line as a function, so that apps/llmctl and the tests run the same thing.
#pragma once

namespace llmctl {

/// Parses the arguments, runs the command and returns the process's exit status (README, "Exit
/// codes"). Throws nothing.
int run_command_line(int argc, char** argv);

}  // namespace llmctl
