#include "base/log.h"

#include <sys/resource.h>

#include <csignal>
#include <thread>
#include <vector>

#include "base/terminal.h"
#include "support/child.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::ChildStderr;
using test::run_child;
using test::slurp;
using testing::MatchesRegex;

void one_of_each() {
  log_debug("detail ", 1);
  log_info("step ", 2);
  log_warning("slow ", 3);
  log_error("broken ", 4);
}

TEST(Log, PrefixesAllButPlainInformation) {
  EXPECT_EQ(run_child(one_of_each).err,
            "step 2\nllmctl: warning: slow 3\nllmctl: error: broken 4\n");
}

TEST(Log, LevelSaysWhatReachesStderr) {
  const auto at = [](LogLevel level) {
    return run_child([=] {
             set_log_level(level);
             one_of_each();
           })
        .err;
  };
  EXPECT_EQ(at(LogLevel::kDebug),
            "llmctl: debug: detail 1\nstep 2\nllmctl: warning: slow 3\nllmctl: error: broken 4\n");
  EXPECT_EQ(at(LogLevel::kWarning), "llmctl: warning: slow 3\nllmctl: error: broken 4\n");
  EXPECT_EQ(at(LogLevel::kError), "llmctl: error: broken 4\n");
  EXPECT_EQ(at(LogLevel::kOff), "");
}

TEST(Log, EnabledIsKnownBeforehand) {
  const auto result = run_child([] {
    require(!log_enabled(LogLevel::kDebug) && log_enabled(LogLevel::kInfo), ErrorCode::kInternal,
            "default");
    set_log_level(LogLevel::kDebug);
    require(log_enabled(LogLevel::kDebug), ErrorCode::kInternal, "debug");
    set_log_level(LogLevel::kOff);
    require(!log_enabled(LogLevel::kError) && !log_enabled(LogLevel::kOff), ErrorCode::kInternal,
            "off");
  });
  EXPECT_EQ(result.status, 0) << result.err;
}

TEST(Log, ColoursTheLevel) {
  const auto result = run_child([] {
    set_color_mode(ColorMode::kAlways);
    log_info("plain");
    log_warning("w");
    log_error("e");
  });
  EXPECT_EQ(result.err,
            "plain\nllmctl: \x1b[33mwarning: \x1b[0mw\nllmctl: \x1b[31merror: \x1b[0me\n");
}

TEST(Log, ShowsControlCharactersAsEscapes) {
  EXPECT_EQ(run_child([] { log_info("title \x1b]0;x\a and \xFF, 中文\ttab"); }).err,
            "title \\x1b]0;x\\x07 and \\xff, 中文\ttab\n");
}

// An error names files and keys that may hold anything; it stays one line.
TEST(Log, OnlyInformationHasSeveralLines) {
  EXPECT_EQ(run_child([] {
              log_info("one\ntwo");
              log_error("key 'a\nb'");
            }).err,
            "one\ntwo\nllmctl: error: key 'a\\nb'\n");
}

TEST(Log, FileTakesRecordsWithTimeAndLevel) {
  const test::TempDir dir;
  const auto result = run_child([&] {
    set_log_level(LogLevel::kError);
    set_log_file(dir / "log.txt");
    one_of_each();
    set_log_file("");
    log_error("elsewhere");
  });
  EXPECT_EQ(result.err, "llmctl: error: broken 4\nllmctl: error: elsewhere\n");
  EXPECT_THAT(slurp(dir / "log.txt"), MatchesRegex("[0-9-]+ [0-9:]+ info: step 2\n"
                                                   "[0-9-]+ [0-9:]+ warning: slow 3\n"
                                                   "[0-9-]+ [0-9:]+ error: broken 4\n"));
}

TEST(Log, FileTakesDetailOnRequestAndGoesOnAtItsEnd) {
  const test::TempDir dir;
  dir.write("log.txt", "earlier\n");
  run_child([&] {
    set_log_file(dir / "log.txt");
    set_log_level(LogLevel::kDebug);
    log_debug("detail");
  });
  EXPECT_THAT(slurp(dir / "log.txt"), MatchesRegex("earlier\n.* debug: detail\n"));
}

TEST(Log, FileThatCannotBeOpenedIsAnError) {
  const test::TempDir dir;
  test::expect_error(ErrorCode::kCannotCreate, testing::EndsWith("its directory does not exist"),
                     [&] { set_log_file(dir / "none/log.txt"); });
}

TEST(Log, FullDiskCostsOneWarning) {
  const auto result = run_child([] {
    set_log_file("/dev/full");
    log_info("one");
    log_info("two");
  });
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.err,
            "one\nllmctl: warning: /dev/full: log records are lost: writing failed (disk full?)\n"
            "two\n");
}

TEST(Log, ThreadsDoNotTearLines) {
  const test::TempDir dir;
  const auto result = run_child([&] {
    set_log_file(dir / "log.txt");
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 200; ++i) log_info("0123456789");
      });
    }
  });
  std::string expected;
  for (int i = 0; i < 800; ++i) expected += "0123456789\n";
  EXPECT_EQ(result.err, expected);
  const std::string file = slurp(dir / "log.txt");
  EXPECT_EQ(std::count(file.begin(), file.end(), '\n'), 800);
}

TEST(Log, KeepsOutOfTheProgressLinesWay) {
  const auto result = run_child(
      [] {
        ::setenv("TERM", "xterm", 1);
        ::unsetenv("NO_COLOR");
        set_color_mode(ColorMode::kNever);
        Progress progress("train", 10);
        progress.update(5);
        log_info("saved");
        progress.finish();
        log_info("done");
      },
      ChildStderr::kTerminal);
  // The line, cleared for the record and drawn again; then its last form and its end.
  EXPECT_THAT(result.err, MatchesRegex("\r\x1b\\[Ktrain  50% 5/10"
                                       "\r\x1b\\[Ksaved\r\ntrain  50% 5/10"
                                       "\r\x1b\\[Ktrain  50% 5/10  in [0-9.]+ s\r\n"
                                       "done\r\n"));
}

}  // namespace
}  // namespace llmctl
