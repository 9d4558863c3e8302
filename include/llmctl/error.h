// The one exception type of llmctl, and the exit status that each cause maps to.
#pragma once

#include <stdexcept>
#include <string>

namespace llmctl {

/// Cause of a failure; the value is the process's exit status (sysexits.h, as the README lists
/// them).
enum class ErrorCode {
  kUsage = 64,         ///< wrong flag, value or command
  kData = 65,          ///< a data or model file is malformed
  kMissing = 66,       ///< an input does not exist or cannot be read
  kInternal = 70,      ///< a numeric failure, out of memory, or our own bug
  kCannotCreate = 73,  ///< an output cannot be created
  kIo = 74,            ///< writing or reading failed half-way (disk full)
  kTemporary = 75,     ///< try again
  kConfig = 78,        ///< a run configuration is wrong
};

/// Carries one line for the user: what, where, got, expected, hint. No trailing full stop or
/// newline.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const noexcept { return code_; }
  int exit_status() const noexcept { return static_cast<int>(code_); }

 private:
  ErrorCode code_;
};

}  // namespace llmctl
