// Faults on purpose, for tests: LLMCTL_FAULT="point:n" ends the process (as SIGKILL would) at the
// n-th passage of a point; "point:n/INT" and "point:n/TERM" send it that signal there, once.
#pragma once

namespace llmctl {

/// A passage of the named point ("read", "write", "fsync", "rename", "step", "token"). Costs
/// nothing unless LLMCTL_FAULT names it.
void fault_point(const char* name);

}  // namespace llmctl
