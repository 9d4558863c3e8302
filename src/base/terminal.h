// What stderr and stdout can show: colour, width, and a progress line with ETA.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace llmctl {

enum class ColorMode { kAuto, kAlways, kNever };

/// Decides for the process: --color beats NO_COLOR, which beats CLICOLOR_FORCE and FORCE_COLOR,
/// which beat what the stream is (a terminal whose TERM is not "dumb").
void set_color_mode(ColorMode mode);
bool use_color(int fd);
bool is_terminal(int fd);
int terminal_width(int fd);  ///< columns; 100 when unknown

enum class Style { kBold, kDim, kRed, kGreen, kYellow, kCyan };
/// The text in the style, where `fd` takes colour.
std::string styled(int fd, Style style, const std::string& text);

/// "1.2 s", "3 min 05 s", "2 h 07 min".
std::string format_duration(double seconds);
/// "812", "12.3 k", "4.56 M", "1.2 G" (powers of 1000).
std::string format_count(double value);
/// "812 B", "12.3 MB" (powers of 1000).
std::string format_bytes(std::uint64_t bytes);
/// Control characters of text that comes from a model, a file or a user, as visible escapes (\x1b,
/// …), except \n and \t.
std::string escape_control(const std::string& text);

/// Progress of one piece of long work on stderr: a line rewritten in place at most ten times a
/// second on a terminal, elsewhere a plain line at most every `plain_interval` seconds; nothing
/// with --quiet. The log's lines and the progress line keep out of each other's way.
class Progress {
 public:
  Progress(std::string label, std::uint64_t total, double plain_interval = 10.0);
  ~Progress();  ///< ends the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// `done` of `total`; `detail` follows (loss, tokens/s, …). Cheap when nothing is shown.
  void update(std::uint64_t done, const std::string& detail = "");
  void finish();

 private:
  std::string label_;
  std::uint64_t total_, first_ = 0, done_ = 0;
  double plain_interval_;
  bool finished_ = false, shown_ = false;
  std::chrono::steady_clock::time_point start_, last_;
};

/// No progress at all (--quiet).
void set_quiet(bool quiet);

}  // namespace llmctl
