// What stderr and stdout can show: colour, width, and a progress line with ETA.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

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

/// Writes a result to stdout at once, out of the progress line's way where both are on terminals.
/// kIo when writing fails (disk full); when nobody reads on (`| head`) the process ends as SIGPIPE
/// would end it.
void write_stdout(std::string_view text);

/// "1.2 s", "3 min 05 s", "2 h 07 min", "3 d 04 h"; "?" for what is no duration.
std::string format_duration(double seconds);
/// "812", "12.3 k", "4.56 M", "1.2 G" (powers of 1000, three digits).
std::string format_count(double value);
/// "812 B", "12.3 MB" (powers of 1000).
std::string format_bytes(std::uint64_t bytes);
/// Control characters and invalid UTF-8 of text that comes from a model, a file or a user, as
/// visible escapes (\x1b, …), except \n and \t.
std::string escape_control(const std::string& text);

/// Progress of one piece of long work on stderr: a line rewritten in place at most ten times a
/// second on a terminal, elsewhere a plain line at most every `plain_interval` seconds; nothing
/// with --quiet. The log's lines and the progress line keep out of each other's way.
///
/// The time left is judged from the first update(), whose `done` counts as there from the start (a
/// resumed run has work done already). One at a time: of two, the one updated last is shown.
class Progress {
 public:
  /// `total` 0: not known.
  Progress(std::string label, std::uint64_t total, double plain_interval = 10.0);
  ~Progress();  ///< ends the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// `done` of `total`; `detail` follows (loss, tokens/s, …). Cheap when nothing is shown.
  void update(std::uint64_t done, const std::string& detail = "");
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  std::string line(Clock::time_point now) const;
  void show(Clock::time_point now);

  std::string label_, detail_;
  std::uint64_t total_, first_ = 0, done_ = 0;
  double plain_interval_;
  bool on_terminal_;  // the line can be rewritten in place
  bool started_ = false, finished_ = false, shown_ = false;
  Clock::time_point start_, last_;
};

/// No progress at all (--quiet).
void set_quiet(bool value);

}  // namespace llmctl
