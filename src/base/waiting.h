// How the threads of OpenMP, which LibTorch computes with, wait for one another. By default they
// spin: on an idle machine that gains nothing worth having, and with one other busy process beside
// them training falls to a third, because each barrier waits for a spinning thread's turn to end.
//
// OpenMP's library reads the environment when it is loaded, before main(). A program of one's own
// over libllmctl is therefore started with OMP_WAIT_POLICY=passive in its environment.
#pragma once

#include <string>

namespace llmctl {

/// For main(), before anything else: starts the program once more with OMP_WAIT_POLICY=passive,
/// unless the command does not compute (only pretrain, finetune, generate, eval and doctor do) or
/// the user has chosen (OMP_WAIT_POLICY, GOMP_SPINCOUNT or KMP_BLOCKTIME). Returns when the program
/// goes on as it is.
void wait_without_spinning(int argc, char** argv);

/// What is in force, as "OMP_WAIT_POLICY=passive"; "the OpenMP library's default" without any of
/// the three.
std::string thread_waiting();

}  // namespace llmctl
