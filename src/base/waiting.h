// How the threads of OpenMP, which LibTorch computes with, wait for one another. By default they
// spin for milliseconds: with one other busy process beside them training falls to a third or less,
// because each barrier waits for a spinning thread's turn to end. Here they spin for microseconds
// and then sleep; while a model answers on a machine that has nothing else to do, for longer.
//
// OpenMP's library reads the environment when it is loaded, before main(). A program of one's own
// over libllmctl is therefore started with OMP_WAIT_POLICY=passive and GOMP_SPINCOUNT=500 in its
// environment.
#pragma once

#include <string>
#include <vector>

namespace llmctl {

/// For main(), before anything else: starts the program once more with OMP_WAIT_POLICY=passive and
/// GOMP_SPINCOUNT=500 (generate and eval on an idle machine: 4000), unless the command does not
/// compute (only pretrain, finetune, generate, eval and doctor do) or the user has chosen (one of
/// these, or KMP_BLOCKTIME). Returns when the program goes on as it is.
void wait_without_spinning(int argc, char** argv);

/// The variables that wait_without_spinning() has set, by their values: without them a child
/// process starts as a user's command does.
std::vector<std::string> own_waiting();

/// What is in force, as "OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=500"; "the OpenMP library's
/// default" without any of the three.
std::string thread_waiting();

}  // namespace llmctl
