// Faults on purpose, for tests: LLMCTL_FAULT="point:n" ends the process (as SIGKILL would) at the
// n-th passage of a point.
#pragma once

namespace llmctl {

/// A passage of the named point ("write", "fsync", "rename", "step", …). Costs nothing unless
/// LLMCTL_FAULT names it.
void fault_point(const char* name);

}  // namespace llmctl
