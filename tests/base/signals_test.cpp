#include "base/signals.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "base/files.h"
#include "base/temporaries.h"
#include "support/child.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

TEST(Signals, TheFirstOneAsksForAStop) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const auto result = test::run_child([=] {
      install_signal_handlers();
      install_signal_handlers();
      const GracefulStop graceful;
      require(stop_requested() == 0, ErrorCode::kInternal, "asked before any signal");
      ::raise(signal);
      require(stop_requested() == signal, ErrorCode::kInternal, "not asked");
    });
    EXPECT_EQ(result.status, 0) << result.err;
  }
}

TEST(Signals, TheSecondOneEndsTheProcess) {
  const auto twice = [](int first, int second) {
    return test::run_child([=] {
      install_signal_handlers();
      const GracefulStop graceful;
      ::raise(first);
      ::raise(second);
    });
  };
  EXPECT_EQ(twice(SIGINT, SIGINT).status, 130);
  EXPECT_EQ(twice(SIGTERM, SIGTERM).status, 143);
  EXPECT_EQ(twice(SIGTERM, SIGINT).status, 130);
}

TEST(Signals, WhereNobodyAsksTheFirstOneEndsTheProcess) {
  for (const auto& [signal, name] : {std::pair{SIGINT, "SIGINT"}, std::pair{SIGTERM, "SIGTERM"}}) {
    const auto result = test::run_child([signal = signal] {
      install_signal_handlers();
      { const GracefulStop over; }
      ::raise(signal);
    });
    EXPECT_EQ(result.status, 128 + signal);
    EXPECT_EQ(result.err, concat("llmctl: error: interrupted by ", name, "\n"));
  }
}

TEST(Signals, TemporariesGoWithTheProcess) {
  const test::TempDir dir;
  dir.write("old.txt", "old");
  const auto result = test::run_child([&] {
    install_signal_handlers();
    AtomicFile file(dir / "old.txt");
    file.write("new");
    AtomicDirectory directory(dir / "model");
    write_file(directory.path() / "config.json", "{}");
    make_directories(directory.path() / "shards/deep");
    for (int i = 0; i < 200; ++i) {
      write_file(directory.path() / concat("shards/deep/a-rather-long-name-", i), "x");
    }
    const TemporaryPath text(dir / "work.text");
    write_file(text.path(), "x");
    ::raise(SIGTERM);
  });
  EXPECT_EQ(result.status, 143);
  EXPECT_EQ(read_file(dir / "old.txt"), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
}

TEST(Signals, AskingThrowsAndNamesTheHint) {
  const auto result = test::run_child([] {
    install_signal_handlers();
    const GracefulStop graceful;
    stop_if_asked("never said");
    ::raise(SIGINT);
    try {
      stop_if_asked("go on later");
    } catch (const Interrupted& interrupted) {
      require(interrupted.signal() == SIGINT, ErrorCode::kInternal, "another signal");
      forget_stop();
      stop_if_asked("forgotten");
      throw;
    }
  });
  EXPECT_EQ(result.status, 75);
  EXPECT_EQ(result.err, "interrupted by SIGINT; go on later");
}

TEST(Signals, AWaitForInputEnds) {
  const auto result = test::run_child([] {
    install_signal_handlers();
    const GracefulStop graceful;
    int ends[2];
    require(::pipe(ends) == 0, ErrorCode::kInternal, "pipe");
    ::alarm(0);
    const pid_t parent = ::getpid();
    if (::fork() == 0) {
      ::usleep(50'000);
      ::kill(parent, SIGINT);
      ::_exit(0);
    }
    char byte;
    const ssize_t got = ::read(ends[0], &byte, 1);
    require(got == -1 && errno == EINTR, ErrorCode::kInternal, "the wait went on");
  });
  EXPECT_EQ(result.status, 0) << result.err;
}

TEST(Signals, AClosedPipeIsAnError) {
  const auto result = test::run_child([] {
    install_signal_handlers();
    int ends[2];
    require(::pipe(ends) == 0, ErrorCode::kInternal, "pipe");
    ::close(ends[0]);
    require(::write(ends[1], "x", 1) == -1 && errno == EPIPE, ErrorCode::kInternal, "no EPIPE");
  });
  EXPECT_EQ(result.status, 0) << result.err;
}

TEST(Signals, TheLimitOfFileSizesIsAnError) {
  const test::TempDir dir;
  const auto result = test::run_child([&] {
    install_signal_handlers();
    const rlimit limit = {100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    write_file(dir / "big", std::string(200'000, 'x'));
  });
  EXPECT_EQ(result.status, 74);
  EXPECT_EQ(result.err, concat(dir / "big", ": writing failed: File too large"));
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

}  // namespace
}  // namespace llmctl
