#include "base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include "base/files.h"
#include "base/terminal.h"
#include "base/terminal_state.h"

namespace llmctl {
namespace {

std::string text_of(const spdlog::details::log_msg& record) {
  return {record.payload.data(), record.payload.size()};
}

class TerminalSink final : public spdlog::sinks::base_sink<std::mutex> {
  void sink_it_(const spdlog::details::log_msg& record) override {
    std::string prefix;
    if (record.level == spdlog::level::debug)
      prefix = styled(STDERR_FILENO, Style::kDim, "debug: ");
    if (record.level == spdlog::level::warn) {
      prefix = styled(STDERR_FILENO, Style::kYellow, "warning: ");
    }
    if (record.level == spdlog::level::err) prefix = styled(STDERR_FILENO, Style::kRed, "error: ");
    if (!prefix.empty()) prefix.insert(0, "llmctl: ");
    detail::write_record(prefix + text_of(record));
  }
  void flush_() override {}
};

/// A run's log.txt: "2026-01-31 17:05:00 warning: text".
class FileSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FileSink(const std::filesystem::path& path) : path_(path), file_(path) {
    formatter_ = std::make_unique<spdlog::pattern_formatter>("%Y-%m-%d %H:%M:%S %l: %v");
  }

 private:
  void sink_it_(const spdlog::details::log_msg& record) override {
    spdlog::memory_buf_t line;
    formatter_->format(record, line);
    if (file_.append({line.data(), line.size()}) || std::exchange(failed_, true)) return;
    detail::write_record(concat("llmctl: ", styled(STDERR_FILENO, Style::kYellow, "warning: "),
                                path_.string(),
                                ": log records are lost: ", "writing failed (disk full?)"));
  }
  void flush_() override {}

  std::filesystem::path path_;
  AppendFile file_;
  bool failed_ = false;
};

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      break;
  }
  return spdlog::level::off;
}

/// The process's one logger. Setting levels and files happens while others may log, so the sinks
/// are only exchanged as a whole, under the mutex.
struct Logger {
  std::mutex mutex;
  std::shared_ptr<TerminalSink> terminal = std::make_shared<TerminalSink>();
  std::shared_ptr<FileSink> file;
  spdlog::level::level_enum level = spdlog::level::info;
  std::shared_ptr<spdlog::logger> logger;

  void rebuild() {
    spdlog::sinks_init_list none = {};
    auto fresh = std::make_shared<spdlog::logger>("llmctl", none);
    terminal->set_level(level);
    fresh->sinks().push_back(terminal);
    fresh->set_level(level);
    if (file) {
      file->set_level(std::min(level, spdlog::level::info));
      fresh->sinks().push_back(file);
      fresh->set_level(std::min(level, spdlog::level::info));
    }
    logger = std::move(fresh);
  }
};

Logger& state() {
  static auto* const instance = [] {  // never destroyed: static objects may log when they end
    auto* fresh = new Logger;
    fresh->rebuild();
    return fresh;
  }();
  return *instance;
}

std::shared_ptr<spdlog::logger> current() {
  Logger& log = state();
  const std::lock_guard lock(log.mutex);
  return log.logger;
}

}  // namespace

void set_log_level(LogLevel level) {
  Logger& log = state();
  const std::lock_guard lock(log.mutex);
  log.level = level_of(level);
  log.rebuild();
}

void set_log_file(const std::filesystem::path& path) {
  auto file = path.empty() ? nullptr : std::make_shared<FileSink>(path);
  Logger& log = state();
  const std::lock_guard lock(log.mutex);
  log.file = std::move(file);
  log.rebuild();
}

bool log_enabled(LogLevel level) {
  return level != LogLevel::kOff && current()->should_log(level_of(level));
}

void log_message(LogLevel level, const std::string& text) {
  if (level == LogLevel::kOff) return;
  std::string shown = escape_control(text);
  if (level != LogLevel::kInfo) {
    for (std::size_t at = 0; (at = shown.find('\n', at)) != shown.npos;) {
      shown.replace(at, 1, "\\n");
    }
  }
  current()->log(level_of(level), spdlog::string_view_t(shown));
}

void warn_once(std::vector<std::string>& kept, const std::string& text) {
  if (std::find(kept.begin(), kept.end(), text) != kept.end()) return;
  log_warning(text);
  kept.push_back(text);
}

}  // namespace llmctl
