#include "base/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/temporaries.h"
#include "base/terminal_state.h"
#include "base/utf8.h"

namespace llmctl {
namespace {

std::atomic<ColorMode> color_mode{ColorMode::kAuto};
std::atomic<bool> quiet{false};

/// What stands on the terminal's last row.
struct Screen {
  std::mutex mutex;
  std::string line;  ///< the progress line; empty when there is none
  bool result_on_row =
      false;  ///< a result without its end of line, which no progress may overwrite
};

Screen& screen() {
  static auto* const instance = new Screen;  // logging may go on while static objects end
  return *instance;
}

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool is_forced(const char* variable) {
  return is_set(variable) && std::strcmp(std::getenv(variable), "0") != 0;
}

bool is_dumb() {
  const char* term = std::getenv("TERM");
  return term == nullptr || *term == '\0' || std::strcmp(term, "dumb") == 0;
}

/// 0 or errno.
int write_to(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = ::write(fd, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return 0;
}

/// Nobody can be told when stderr itself fails, so that is passed over.
void write_stderr(std::string_view text) {
  write_to(STDERR_FILENO, text);
}

constexpr const char* kClearLine = "\r\x1b[K";

std::string cut_to_width(const std::string& text, std::size_t columns) {
  std::size_t width = 0;
  for (std::size_t offset = 0; offset < text.size();) {
    const std::size_t begin = offset;
    next_code_point(text, offset);
    width += display_width(std::string_view(text).substr(begin, offset - begin));
    if (width > columns) return text.substr(0, begin);
  }
  return text;
}

[[gnu::format(printf, 1, 2)]] std::string print(const char* format, ...) {
  char text[64];
  std::va_list values;
  va_start(values, format);
  std::vsnprintf(text, sizeof text, format, values);
  va_end(values);
  return text;
}

/// Three significant digits without trailing zeros, with the unit of the power of 1000.
std::string scaled(double value, const std::array<const char*, 6>& units) {
  std::size_t unit = 0;
  double size = std::fabs(value);
  while (size >= 999.5 && unit + 1 < units.size()) {
    size /= 1000;
    ++unit;
  }
  const int decimals = size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  std::string text = print("%.*f", decimals, size);
  if (decimals > 0) text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return concat(value < 0 && text != "0" ? "-" : "", text, *units[unit] == '\0' ? "" : " ",
                units[unit]);
}

/// Steps and rows in full, tokens and bytes in short.
std::string format_progress_count(std::uint64_t count) {
  return count < 1'000'000 ? std::to_string(count) : format_count(static_cast<double>(count));
}

}  // namespace

namespace detail {

void write_record(const std::string& record) {
  Screen& state = screen();
  const std::lock_guard lock(state.mutex);
  if (std::exchange(state.result_on_row, false)) {
    write_stderr(concat("\n", record, "\n", state.line));
  } else if (state.line.empty()) {
    write_stderr(record + "\n");
  } else {
    write_stderr(concat(kClearLine, record, "\n", state.line));
  }
}

}  // namespace detail

void set_color_mode(ColorMode mode) {
  color_mode = mode;
}

bool use_color(int fd) {
  const ColorMode mode = color_mode;
  if (mode != ColorMode::kAuto) return mode == ColorMode::kAlways;
  if (is_set("NO_COLOR")) return false;
  if (is_forced("CLICOLOR_FORCE") || is_forced("FORCE_COLOR")) return true;
  return is_terminal(fd) && !is_dumb();
}

bool is_terminal(int fd) {
  return ::isatty(fd) == 1;
}

int terminal_width(int fd) {
  winsize size = {};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 100;
}

std::string styled(int fd, Style style, const std::string& text) {
  if (text.empty() || !use_color(fd)) return text;
  constexpr std::array<const char*, 6> kCodes = {"1", "2", "31", "32", "33", "36"};
  return concat("\x1b[", kCodes[static_cast<std::size_t>(style)], "m", text, "\x1b[0m");
}

void write_stdout(std::string_view text) {
  if (text.empty()) return;
  Screen& state = screen();
  const std::lock_guard lock(state.mutex);
  const bool shared = is_terminal(STDOUT_FILENO) && is_terminal(STDERR_FILENO);
  if (shared && !state.line.empty() && !state.result_on_row) write_stderr(kClearLine);
  const int error = write_to(STDOUT_FILENO, text);
  if (error == EPIPE) {
    remove_temporaries();
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
  }
  require(error == 0, ErrorCode::kIo,
          "stdout: writing failed: ", error == ENOSPC || error == EDQUOT ? "disk full, " : "",
          std::strerror(error));
  state.result_on_row = shared && text.back() != '\n';
  if (shared && !state.result_on_row) write_stderr(state.line);
}

std::string format_duration(double seconds) {
  if (!(seconds >= 0) || seconds > 1e10) return "?";
  if (seconds < 59.95) return print("%.1f s", seconds);
  const auto whole = static_cast<long long>(std::llround(seconds));
  const auto two = [](long long upper, const char* unit, long long lower, const char* lower_unit) {
    return print("%lld %s %02lld %s", upper, unit, lower, lower_unit);
  };
  if (whole < 3600) return two(whole / 60, "min", whole % 60, "s");
  const long long minutes = std::llround(seconds / 60);
  if (minutes < 24LL * 60) return two(minutes / 60, "h", minutes % 60, "min");
  const long long hours = std::llround(seconds / 3600);
  return two(hours / 24, "d", hours % 24, "h");
}

std::string format_count(double value) {
  if (!std::isfinite(value)) return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  return scaled(value, {"", "k", "M", "G", "T", "P"});
}

std::string format_bytes(std::uint64_t bytes) {
  return scaled(static_cast<double>(bytes), {"B", "kB", "MB", "GB", "TB", "PB"});
}

std::string escape_control(const std::string& text) {
  std::string result;
  for (std::size_t offset = 0; offset < text.size();) {
    const std::size_t begin = offset;
    const char32_t code_point = next_code_point(text, offset);
    const std::string_view bytes = std::string_view(text).substr(begin, offset - begin);
    const bool control = code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0);
    const bool invalid = code_point == U'\uFFFD' && bytes.size() == 1;
    if (code_point == '\n' || code_point == '\t' || !(control || invalid)) {
      result += bytes;
    } else {
      result +=
          print("\\x%02x", invalid ? static_cast<unsigned>(static_cast<unsigned char>(bytes[0]))
                                   : static_cast<unsigned>(code_point));
    }
  }
  return result;
}

Progress::Progress(std::string label, std::uint64_t total, double plain_interval)
    : label_(std::move(label)),
      total_(total),
      plain_interval_(plain_interval),
      on_terminal_(is_terminal(STDERR_FILENO) && !is_dumb()),
      start_(Clock::now()),
      last_(start_) {}

Progress::~Progress() {
  finish();
}

void Progress::update(std::uint64_t done, const std::string& detail) {
  if (finished_ || quiet) return;
  const Clock::time_point now = Clock::now();
  done_ = done;
  if (!started_) {
    started_ = true;
    first_ = done;
    start_ = now;
  }
  detail_ = detail;
  const bool first_draw = on_terminal_ && !shown_;
  const double interval = on_terminal_ ? 0.1 : plain_interval_;
  if (first_draw || std::chrono::duration<double>(now - last_).count() >= interval) show(now);
}

void Progress::finish() {
  if (std::exchange(finished_, true) || !shown_) return;
  show(Clock::now());
  if (!on_terminal_) return;
  Screen& state = screen();
  const std::lock_guard lock(state.mutex);
  state.line.clear();
  write_stderr("\n");
}

std::string Progress::line(Clock::time_point now) const {
  std::string text = label_;
  if (total_ > 0) {
    const double share = static_cast<double>(std::min(done_, total_)) / static_cast<double>(total_);
    text += print(" %3.0f%%", std::floor(100 * share));
    text += concat(" ", format_progress_count(done_), "/", format_progress_count(total_));
  } else {
    text += concat(" ", format_progress_count(done_));
  }
  const double seconds = std::chrono::duration<double>(now - start_).count();
  if (finished_) {
    text += concat("  in ", format_duration(seconds));
  } else if (total_ > done_ && done_ > first_ && seconds > 0) {
    const double rate = static_cast<double>(done_ - first_) / seconds;
    text += concat("  ETA ", format_duration(static_cast<double>(total_ - done_) / rate));
  }
  if (!detail_.empty()) text += concat("  ", detail_);
  return escape_control(text);
}

void Progress::show(Clock::time_point now) {
  std::string text = line(now);
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::replace(text.begin(), text.end(), '\t', ' ');
  last_ = now;
  shown_ = true;
  if (!on_terminal_) {
    detail::write_record(text);
    return;
  }
  // The last column stays free: some terminals wrap when it is written.
  text =
      cut_to_width(text, static_cast<std::size_t>(std::max(1, terminal_width(STDERR_FILENO) - 1)));
  Screen& state = screen();
  const std::lock_guard lock(state.mutex);
  state.line = text;
  if (!state.result_on_row) write_stderr(concat(kClearLine, text));
}

void set_quiet(bool value) {
  quiet = value;
}

}  // namespace llmctl
