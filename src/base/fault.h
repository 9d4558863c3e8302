// Faults on purpose, for tests: LLMCTL_FAULT="point:n" ends the process (as SIGKILL would) at the
// n-th passage of a point; "point:n/INT" and "point:n/TERM" send it that signal there, once.
// "trace:FILE" ends nothing: FILE gets a line for each file that was synced or renamed, in order.
#pragma once

#include <filesystem>

namespace llmctl {

/// A passage of the named point ("read", "write", "fsync", "rename", "step", "token"). Costs
/// nothing unless LLMCTL_FAULT names it.
void fault_point(const char* name);

/// Lines "sync PATH" and "rename FROM\tTO" of the trace, with absolute paths; nothing without one.
void trace_sync(int fd);
void trace_rename(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace llmctl
