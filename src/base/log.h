// Logging to stderr (and a run's log.txt) by way of spdlog, which stays inside log.cpp: LibTorch
// ships its own fmt.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

namespace llmctl {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

/// What reaches stderr; log files always take kInfo and above (kDebug too when `level` is kDebug).
void set_log_level(LogLevel level);

/// Copies every record, with its time, to the end of `path` until the next call; an empty path
/// stops that. A full disk costs one warning, never the run. Throws kCannotCreate.
void set_log_file(const std::filesystem::path& path);

/// True when a record of this level would reach stderr or the log file.
bool log_enabled(LogLevel level);

/// Writes "llmctl: warning: TEXT" (info: the text alone) to stderr in one piece. The text is plain:
/// its control characters are shown as escapes, line ends too except in information.
void log_message(LogLevel level, const std::string& text);

template <class... Parts>
void log_debug(const Parts&... parts) {
  if (log_enabled(LogLevel::kDebug)) log_message(LogLevel::kDebug, concat(parts...));
}
template <class... Parts>
void log_info(const Parts&... parts) {
  log_message(LogLevel::kInfo, concat(parts...));
}
template <class... Parts>
void log_warning(const Parts&... parts) {
  log_message(LogLevel::kWarning, concat(parts...));
}
/// A warning that a report keeps, too: nothing where `kept` has it already.
void warn_once(std::vector<std::string>& kept, const std::string& text);

template <class... Parts>
void log_error(const Parts&... parts) {
  log_message(LogLevel::kError, concat(parts...));
}

}  // namespace llmctl
