#include "base/terminal.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/signals.h"
#include "base/utf8.h"
#include "support/child.h"

namespace llmctl {
namespace {

using test::ChildStderr;
using test::run_child;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

struct Setting {
  ColorMode mode;
  const char *no_color, *clicolor_force, *force_color, *term;
  ChildStderr kind;
  bool expected;
};

constexpr auto kPipe = ChildStderr::kPipe;
constexpr auto kTty = ChildStderr::kTerminal;

TEST(Color, FollowsTheOrder) {
  const std::vector<Setting> table = {
      Setting{ColorMode::kAuto, nullptr, nullptr, nullptr, "xterm", kTty, true},
      Setting{ColorMode::kAuto, nullptr, nullptr, nullptr, "xterm", kPipe, false},
      Setting{ColorMode::kAuto, nullptr, nullptr, nullptr, "dumb", kTty, false},
      Setting{ColorMode::kAuto, nullptr, nullptr, nullptr, nullptr, kTty, false},
      Setting{ColorMode::kAuto, "1", nullptr, nullptr, "xterm", kTty, false},
      Setting{ColorMode::kAuto, "", nullptr, nullptr, "xterm", kTty, true},
      Setting{ColorMode::kAuto, nullptr, "1", nullptr, "dumb", kPipe, true},
      Setting{ColorMode::kAuto, nullptr, "0", nullptr, "xterm", kPipe, false},
      Setting{ColorMode::kAuto, nullptr, nullptr, "1", nullptr, kPipe, true},
      Setting{ColorMode::kAuto, "1", "1", "1", "xterm", kTty, false},
      Setting{ColorMode::kAlways, "1", nullptr, nullptr, "dumb", kPipe, true},
      Setting{ColorMode::kNever, nullptr, "1", "1", "xterm", kTty, false}};
  for (std::size_t i = 0; i < table.size(); ++i) {
    const Setting& setting = table[i];
    const auto result = run_child(
        [&] {
          const auto set = [](const char* name, const char* value) {
            if (value == nullptr) {
              ::unsetenv(name);
            } else {
              ::setenv(name, value, 1);
            }
          };
          set("NO_COLOR", setting.no_color);
          set("CLICOLOR_FORCE", setting.clicolor_force);
          set("FORCE_COLOR", setting.force_color);
          set("TERM", setting.term);
          set_color_mode(setting.mode);
          ::_exit(use_color(2) ? 1 : 0);
        },
        setting.kind);
    EXPECT_EQ(result.status, setting.expected ? 1 : 0) << "row " << i;
  }
}

TEST(Terminal, WidthIsTheWindowsOr100) {
  const auto width = [](ChildStderr kind, int columns) {
    return run_child([] { ::_exit(terminal_width(2)); }, kind, columns).status;
  };
  EXPECT_EQ(width(kTty, 62), 62);
  EXPECT_EQ(width(kTty, 0), 100);
  EXPECT_EQ(width(kPipe, 0), 100);
  EXPECT_EQ(run_child([] { ::_exit(is_terminal(2) ? 1 : 0); }, kTty).status, 1);
  EXPECT_EQ(run_child([] { ::_exit(is_terminal(2) ? 1 : 0); }, kPipe).status, 0);
  EXPECT_FALSE(is_terminal(-1));
}

TEST(Terminal, StylesOnlyWhereColourShows) {
  const auto result = run_child([] {
    set_color_mode(ColorMode::kAlways);
    if (styled(2, Style::kBold, "x") != "\x1b[1mx\x1b[0m") ::_exit(1);
    if (styled(2, Style::kDim, "x") != "\x1b[2mx\x1b[0m") ::_exit(2);
    if (styled(2, Style::kRed, "x") != "\x1b[31mx\x1b[0m") ::_exit(3);
    if (styled(2, Style::kGreen, "x") != "\x1b[32mx\x1b[0m") ::_exit(4);
    if (styled(2, Style::kYellow, "x") != "\x1b[33mx\x1b[0m") ::_exit(5);
    if (styled(2, Style::kCyan, "x") != "\x1b[36mx\x1b[0m") ::_exit(6);
    if (!styled(2, Style::kRed, "").empty()) ::_exit(7);
    set_color_mode(ColorMode::kNever);
    if (styled(2, Style::kRed, "x") != "x") ::_exit(8);
  });
  EXPECT_EQ(result.status, 0);
}

TEST(Stdout, TakesEveryByte) {
  const auto result = run_child([] {
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    write_stdout("");
    write_stdout(std::string("a\0b\x1b\n", 5));
  });
  EXPECT_EQ(result.err, std::string("a\0b\x1b\n", 5));
}

TEST(Stdout, FullDiskIsAnError) {
  const auto result = run_child([] {
    ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO);
    write_stdout("x");
  });
  EXPECT_EQ(result.status, 74);
  EXPECT_EQ(result.err, "stdout: writing failed: disk full, No space left on device");
}

TEST(Stdout, AReaderThatLeavesEndsTheProcess) {
  const auto result = run_child([] {
    int ends[2];
    (void)!::pipe(ends);
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[0]);
    install_signal_handlers();
    write_stdout("x");
  });
  EXPECT_EQ(result.signal, SIGPIPE);
}

TEST(Format, Durations) {
  EXPECT_EQ(format_duration(0), "0.0 s");
  EXPECT_EQ(format_duration(1.23), "1.2 s");
  EXPECT_EQ(format_duration(59.94), "59.9 s");
  EXPECT_EQ(format_duration(59.96), "1 min 00 s");
  EXPECT_EQ(format_duration(185), "3 min 05 s");
  EXPECT_EQ(format_duration(3599.4), "59 min 59 s");
  EXPECT_EQ(format_duration(3599.6), "1 h 00 min");
  EXPECT_EQ(format_duration(7620), "2 h 07 min");
  EXPECT_EQ(format_duration(86'399), "1 d 00 h");
  EXPECT_EQ(format_duration(3 * 86'400 + 4 * 3600), "3 d 04 h");
  EXPECT_EQ(format_duration(-1), "?");
  EXPECT_EQ(format_duration(std::nan("")), "?");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::infinity()), "?");
}

TEST(Format, Counts) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(0.5), "0.5");
  EXPECT_EQ(format_count(812), "812");
  EXPECT_EQ(format_count(999.4), "999");
  EXPECT_EQ(format_count(999.6), "1 k");
  EXPECT_EQ(format_count(12'345), "12.3 k");
  EXPECT_EQ(format_count(4'560'000), "4.56 M");
  EXPECT_EQ(format_count(999'999), "1 M");
  EXPECT_EQ(format_count(1.2e9), "1.2 G");
  EXPECT_EQ(format_count(9.996e3), "10 k");
  EXPECT_EQ(format_count(100'000), "100 k");
  EXPECT_EQ(format_count(7e12), "7 T");
  EXPECT_EQ(format_count(5e20), "500000 P");
  EXPECT_EQ(format_count(-1500), "-1.5 k");
  EXPECT_EQ(format_count(std::nan("")), "nan");
  EXPECT_EQ(format_count(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(format_count(-std::numeric_limits<double>::infinity()), "-inf");
}

TEST(Format, Bytes) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(812), "812 B");
  EXPECT_EQ(format_bytes(12'345'678), "12.3 MB");
  EXPECT_EQ(format_bytes(1000), "1 kB");
  EXPECT_EQ(format_bytes(~std::uint64_t{0}), "18447 PB");
}

TEST(Format, EscapesControlCharacters) {
  EXPECT_EQ(escape_control("plain 中文 é\n\tx"), "plain 中文 é\n\tx");
  EXPECT_EQ(escape_control("\x1b[31m\r\b\x7F"), "\\x1b[31m\\x0d\\x08\\x7f");
  EXPECT_EQ(escape_control(std::string("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(escape_control("\xC2\x9B"), "\\x9b");  // C1: a CSI of its own
  EXPECT_EQ(escape_control("\xFF\xE4\xB8"), "\\xff\\xe4\\xb8");
  EXPECT_EQ(escape_control("\uFFFD"), "\uFFFD");
}

void pause(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

std::string on_terminal(const std::function<void()>& body, int columns = 80) {
  return run_child(
             [&] {
               ::setenv("TERM", "xterm", 1);
               body();
             },
             kTty, columns)
      .err;
}

TEST(Progress, RewritesOneLineOnATerminal) {
  const std::string out = on_terminal([] {
    Progress progress("pretrain", 1000);
    progress.update(0);
    pause(120);
    progress.update(250, "loss 2.50");
    pause(120);
    progress.update(1000, "loss 1.50");
  });
  EXPECT_THAT(out, MatchesRegex("\r\x1b\\[Kpretrain   0% 0/1000"
                                "\r\x1b\\[Kpretrain  25% 250/1000  ETA [0-9.]+ s  loss 2.50"
                                "\r\x1b\\[Kpretrain 100% 1000/1000  loss 1.50"
                                "\r\x1b\\[Kpretrain 100% 1000/1000  in [0-9.]+ s  loss 1.50\r\n"));
}

TEST(Progress, DrawsAtMostTenTimesASecond) {
  const std::string out = on_terminal([] {
    Progress progress("fast", 100'000);
    for (int i = 1; i <= 100'000; ++i) progress.update(static_cast<std::uint64_t>(i), "d");
    progress.finish();
    progress.finish();
    progress.update(5, "after the end");
  });
  const double seconds = std::stod(out.substr(out.rfind("  in ") + 5));
  EXPECT_LE(static_cast<double>(std::count(out.begin(), out.end(), '\x1b')), 10 * seconds + 3.5);
  // What the last draw shows is the latest, though no update was due.
  EXPECT_THAT(out, MatchesRegex(".*fast 100% 100000/100000  in [0-9.]+ s  d\r\n"));
}

TEST(Progress, TimeLeftCountsFromWhereThisRunBegan) {
  const std::string out = on_terminal([] {
    Progress progress("resumed", 1000);
    progress.update(900);  // done by an earlier run
    pause(200);
    progress.update(950);
  });
  EXPECT_THAT(out, MatchesRegex(".*resumed  95% 950/1000  ETA (0\\.[1-9]|[1-9][0-9.]*) s.*"));
}

TEST(Progress, IsCutToTheWidthOfTheTerminal) {
  const std::string out = on_terminal(
      [] {
        Progress progress("训练模型", 10);
        progress.update(5, "这是一个很长的说明文字");
        _exit(0);
      },
      30);
  ASSERT_TRUE(out.starts_with("\r\x1b[K")) << out;
  const std::string line = out.substr(4);
  EXPECT_EQ(line, "训练模型  50% 5/10  这是一个");
  EXPECT_LT(display_width(line), 30u);
}

TEST(Progress, ShowsNoControlCharactersOfOthers) {
  const std::string out = on_terminal([] {
    Progress progress("a\nb", 10);
    progress.update(5, "text\x1b[2J\tand\nmore");
    _exit(0);
  });
  EXPECT_EQ(out, "\r\x1b[Ka b  50% 5/10  text\\x1b[2J and more");
}

TEST(Progress, EndsItsLineWhenWorkIsLeft) {
  const std::string out = on_terminal([] {
    try {
      Progress progress("broken", 10);
      progress.update(3);
      throw std::runtime_error("x");
    } catch (const std::runtime_error&) {
    }
    _exit(0);
  });
  EXPECT_THAT(out, MatchesRegex(".*broken  30% 3/10  in [0-9.]+ s\r\n"));
}

TEST(Progress, WritesPlainLinesElsewhere) {
  const auto result = run_child([] {
    Progress progress("pretrain", 4'000'000, 0.3);
    progress.update(0, "at the start");
    progress.update(1, "at once");
    pause(320);
    progress.update(1'000'000, "loss 2.50");
    progress.update(1'100'000, "too early");
    pause(320);
    progress.update(2'000'000);
    progress.update(4'000'000, "end");
  });
  EXPECT_THAT(result.err, MatchesRegex("pretrain  25% 1 M/4 M  ETA [0-9.]+ s  loss 2.50\n"
                                       "pretrain  50% 2 M/4 M  ETA [0-9.]+ s\n"
                                       "pretrain 100% 4 M/4 M  in [0-9.]+ s  end\n"));
}

TEST(Progress, ShortWorkIsSilentElsewhere) {
  const auto result = run_child([] {
    Progress progress("short", 10);
    for (std::uint64_t i = 0; i <= 10; ++i) progress.update(i);
  });
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(run_child(
                [] {
                  ::setenv("TERM", "dumb", 1);
                  Progress progress("short", 10);
                  progress.update(10);
                },
                kTty)
                .err,
            "");
}

TEST(Progress, UnknownTotalsShowTheCount) {
  const std::string out = on_terminal([] {
    Progress progress("lines", 0);
    progress.update(12'345'678, "reading");
    _exit(0);
  });
  EXPECT_EQ(out, "\r\x1b[Klines 12.3 M  reading");
}

TEST(Progress, MoreThanTheTotalIsStillWhole) {
  const std::string out = on_terminal([] {
    Progress progress("rows", 10);
    progress.update(12);
    _exit(0);
  });
  EXPECT_EQ(out, "\r\x1b[Krows 100% 12/10");
}

TEST(Progress, QuietShowsNothing) {
  EXPECT_EQ(on_terminal([] {
              set_quiet(true);
              Progress progress("quiet", 10, 0);
              progress.update(5);
              progress.finish();
            }),
            "");
}

TEST(Progress, ResultsKeepOutOfItsWay) {
  const std::string out = on_terminal([] {
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    Progress progress("rows", 10);
    progress.update(5);
    write_stdout("result\n");
    write_stdout("half");
    pause(120);
    progress.update(6);  // would overwrite the half
    write_stdout(" whole\n");
    _exit(0);
  });
  EXPECT_THAT(out, MatchesRegex("\r\x1b\\[Krows  50% 5/10"
                                "\r\x1b\\[Kresult\r\nrows  50% 5/10"
                                "\r\x1b\\[Khalf whole\r\nrows  60% 6/10  ETA [0-9.]+ s"));
}

TEST(Progress, RecordsDoNotTearAResult) {
  const std::string out = on_terminal([] {
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    write_stdout("half");
    log_info("record");
    _exit(0);
  });
  EXPECT_EQ(out, "half\r\nrecord\r\n");
}

TEST(Progress, ASecondOneTakesTheLineOver) {
  const std::string out = on_terminal([] {
    Progress outer("train", 10);
    outer.update(5);
    {
      Progress inner("validate", 2);
      inner.update(2);
    }
    _exit(0);
  });
  EXPECT_THAT(out, MatchesRegex("\r\x1b\\[Ktrain  50% 5/10"
                                "\r\x1b\\[Kvalidate 100% 2/2"
                                "\r\x1b\\[Kvalidate 100% 2/2  in [0-9.]+ s\r\n"));
}

}  // namespace
}  // namespace llmctl
