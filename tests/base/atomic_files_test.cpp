// Writing: AtomicFile, AppendFile, AtomicDirectory, symbolic links, and what a kill leaves behind.
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <set>

#include "base/files.h"
#include "support/child.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::slurp;
using testing::EndsWith;
using testing::StartsWith;

std::set<std::string> names_in(const fs::path& directory) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.insert(entry.path().filename());
  return names;
}

using Names = std::set<std::string>;

std::string host_name() {
  char name[65] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

TEST(AtomicFile, AppearsAtItsCommit) {
  const test::TempDir dir;
  AtomicFile file(dir / "out");
  file.write("hello ");
  file.write("world");
  EXPECT_EQ(file.written(), 11u);
  EXPECT_EQ(names_in(dir.path()), (Names{concat("out.tmp.", host_name(), ".", ::getpid())}));
  file.commit();
  EXPECT_EQ(names_in(dir.path()), Names{"out"});
  EXPECT_EQ(slurp(dir / "out"), "hello world");
}

TEST(AtomicFile, LeavesNothingWithoutCommit) {
  const test::TempDir dir;
  dir.write("out", "old");
  {
    AtomicFile file(dir / "out");
    file.write("new");
  }
  EXPECT_EQ(names_in(dir.path()), Names{"out"});
  EXPECT_EQ(slurp(dir / "out"), "old");
}

TEST(AtomicFile, WritesPiecesOfEverySize) {
  const test::TempDir dir;
  std::string expected;
  AtomicFile file(dir / "out");
  for (const std::size_t size : {0u, 1u, 1000u, (1u << 20) - 1, 1u << 20, 3u << 20, 7u, 1u << 19}) {
    const std::string piece(size, static_cast<char>('a' + expected.size() % 26));
    file.write(piece);
    expected += piece;
    EXPECT_EQ(file.written(), expected.size());
  }
  file.commit();
  EXPECT_EQ(slurp(dir / "out"), expected);
}

TEST(AtomicFile, OverwritesWhatIsWritten) {
  const test::TempDir dir;
  AtomicFile file(dir / "out");
  file.write("0123456789");
  file.write_at(2, "ab", 2);
  file.write("x");
  file.write_at(0, "Y", 1);
  file.write_at(10, "Z", 1);
  test::expect_error(ErrorCode::kInternal,
                     EndsWith("/out: bytes 10 and following cannot be overwritten"),
                     [&] { file.write_at(10, "ab", 2); });
  test::expect_error(ErrorCode::kInternal, EndsWith("cannot be overwritten"),
                     [&] { file.write_at(~std::uint64_t{0}, "ab", 2); });
  file.commit();
  EXPECT_EQ(slurp(dir / "out"), "Y1ab456789Z");
}

TEST(AtomicFile, CannotBeUsedAfterItsCommit) {
  const test::TempDir dir;
  AtomicFile file(dir / "out");
  file.commit();
  test::expect_error(ErrorCode::kInternal, EndsWith("/out: written to after its commit"),
                     [&] { file.write("x"); });
  test::expect_error(ErrorCode::kInternal, EndsWith("/out: committed twice"),
                     [&] { file.commit(); });
  EXPECT_EQ(slurp(dir / "out"), "");
}

TEST(AtomicFile, TwoWritersOfOneNameDoNotMeet) {
  const test::TempDir dir;
  AtomicFile first(dir / "out"), second(dir / "out");
  first.write("first");
  second.write("second");
  second.commit();
  EXPECT_EQ(slurp(dir / "out"), "second");
  first.commit();
  EXPECT_EQ(slurp(dir / "out"), "first");
  EXPECT_EQ(names_in(dir.path()), Names{"out"});
}

TEST(AtomicFile, SaysWhyItCannotBeCreated) {
  const test::TempDir dir;
  test::expect_error(ErrorCode::kCannotCreate,
                     concat(dir / "none/out", ": cannot be created: its directory does not exist"),
                     [&] { AtomicFile(dir / "none/out"); });
  test::expect_error(ErrorCode::kCannotCreate, EndsWith(": cannot be created: Is a directory"),
                     [&] { AtomicFile(dir.path()); });
  dir.write("file", "x");
  test::expect_error(ErrorCode::kCannotCreate,
                     EndsWith("/file/out: cannot be created: Not a directory"),
                     [&] { AtomicFile(dir / "file/out"); });
  test::expect_error(ErrorCode::kCannotCreate, EndsWith(": cannot be created: File name too long"),
                     [&] { AtomicFile(dir / std::string(300, 'x')); });
}

TEST(AtomicFile, ADirectoryWithoutPermissionIsAnError) {
  const test::TempDir dir;
  fs::permissions(dir.path(), fs::perms(0755));
  fs::create_directory(dir / "locked");
  fs::permissions(dir / "locked", fs::perms(0555));
  const auto result = test::run_child([&] {
    if (::geteuid() == 0) (void)!::seteuid(65534);
    AtomicFile(dir / "locked/out");
  });
  EXPECT_EQ(result.status, 73);
  EXPECT_EQ(result.err, concat(dir / "locked/out", ": cannot be created: Permission denied"));
}

TEST(AtomicFile, ReplacesTheTargetOfALink) {
  const test::TempDir dir;
  fs::create_directory(dir / "sub");
  dir.write("sub/real", "old");
  fs::create_symlink("sub/real", dir / "link");
  write_file(dir / "link", "new");
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
  EXPECT_EQ(slurp(dir / "sub/real"), "new");
  EXPECT_EQ(names_in(dir / "sub"), Names{"real"});
}

TEST(AtomicFile, KeepsTheModeOfWhatItReplaces) {
  const test::TempDir dir;
  ::chmod(dir.write("private", "old").c_str(), 0600);
  write_file(dir / "private", "new");
  EXPECT_EQ(fs::status(dir / "private").permissions(), fs::perms(0600));
}

TEST(AtomicFile, WritesDevicesDirectly) {
  write_file("/dev/null", "x");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  test::expect_error(ErrorCode::kIo,
                     "/dev/full: writing failed: disk full (No space left on device)",
                     [&] { write_file("/dev/full", "x"); });
  AtomicFile file("/dev/null");
  file.write("x");
  test::expect_error(ErrorCode::kInternal, EndsWith("cannot be overwritten"),
                     [&] { file.write_at(0, "y", 1); });
}

TEST(AtomicFile, WritesAFifoDirectly) {
  const test::TempDir dir;
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  const pid_t reader = ::fork();
  if (reader == 0) ::_exit(slurp(dir / "fifo") == "through the pipe" ? 0 : 1);
  write_file(dir / "fifo", "through the pipe");
  int state = 0;
  ::waitpid(reader, &state, 0);
  EXPECT_TRUE(WIFEXITED(state) && WEXITSTATUS(state) == 0);
  EXPECT_TRUE(fs::is_fifo(dir / "fifo"));
}

/// Runs `body` where `dir`/full is a file system of 64 kB; false when the system forbids mounting.
bool on_small_disk(const fs::path& directory, const std::function<void()>& body,
                   test::ChildResult& result) {
  fs::create_directory(directory);
  result = test::run_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", directory.c_str(), "tmpfs", 0, "size=65536") != 0) {
      ::_exit(99);
    }
    body();
  });
  return result.status != 99;
}

TEST(AtomicFile, AFullDiskIsNamedAndLeavesTheOldFile) {
  const test::TempDir dir;
  test::ChildResult result;
  const auto body = [&] {
    write_file(dir / "full/out", "old");
    try {
      write_file(dir / "full/out", std::string(200'000, 'x'));
    } catch (const Error& error) {
      require(names_in(dir / "full") == Names{"out"} && slurp(dir / "full/out") == "old",
              ErrorCode::kInternal, "something was left behind");
      throw;
    }
  };
  if (!on_small_disk(dir / "full", body, result)) GTEST_SKIP() << "no right to mount a tmpfs";
  EXPECT_EQ(result.status, 74);
  EXPECT_EQ(result.err,
            concat(dir / "full/out", ": writing failed: disk full (No space left on device)"));
}

TEST(AtomicDirectory, AFullDiskIsNamedAndLeavesNothing) {
  const test::TempDir dir;
  test::ChildResult result;
  const auto body = [&] {
    try {
      AtomicDirectory made(dir / "full/step");
      write_file(made.path() / "a", "small");
      write_file(made.path() / "b", std::string(200'000, 'x'));
    } catch (const Error&) {
      require(fs::is_empty(dir / "full"), ErrorCode::kInternal, "something was left behind");
      throw;
    }
  };
  if (!on_small_disk(dir / "full", body, result)) GTEST_SKIP() << "no right to mount a tmpfs";
  EXPECT_EQ(result.status, 74) << result.err;
  EXPECT_THAT(result.err, EndsWith("/b: writing failed: disk full (No space left on device)"));
}

/// For n = 1, 2, … runs `writer` with LLMCTL_FAULT="point:n" until it survives; calls `check` after
/// each kill and returns their number.
int kill_at_each(const char* point, const std::function<void()>& writer,
                 const std::function<void()>& check) {
  for (int n = 1; n < 100; ++n) {
    const auto result = test::run_child([&] {
      ::setenv("LLMCTL_FAULT", concat(point, ":", n).c_str(), 1);
      writer();
    });
    if (result.signal == 0) {
      EXPECT_EQ(result.status, 0) << result.err;
      return n - 1;
    }
    EXPECT_EQ(result.signal, SIGKILL);
    check();
  }
  ADD_FAILURE() << "never survived";
  return 0;
}

TEST(AtomicFile, AKillAtAnyPointLeavesTheOldOrTheNewFile) {
  const test::TempDir dir;
  const std::string content = std::string(3 << 20, 'n') + "tail";
  for (const auto& [point, passages] :
       std::vector<std::pair<const char*, int>>{{"write", 3}, {"fsync", 2}, {"rename", 1}}) {
    dir.write("out", "old");
    const auto writer = [&] {
      AtomicFile file(dir / "out");
      file.write("h");
      file.write(content.substr(1));
      file.write_at(0, "n", 1);
      file.commit();
    };
    const auto check = [&] {
      const std::string found = slurp(dir / "out");
      EXPECT_TRUE(found == "old" || found == content);
      remove_stale_temporaries(dir.path());
      EXPECT_EQ(names_in(dir.path()), Names{"out"});
    };
    EXPECT_EQ(kill_at_each(point, writer, check), passages) << point;
    EXPECT_EQ(slurp(dir / "out"), content);
  }
}

TEST(AtomicDirectory, AKillAtAnyPointLeavesAllOrNothing) {
  const test::TempDir dir;
  for (const char* point : {"write", "fsync", "rename"}) {
    const auto writer = [&] {
      AtomicDirectory made(dir / "step");
      write_file(made.path() / "a", "A");
      fs::create_directory(made.path() / "sub");
      write_file(made.path() / "sub/b", "B");
      made.commit();
    };
    const auto check = [&] {
      remove_stale_temporaries(dir.path());
      if (fs::exists(dir / "step")) {
        EXPECT_EQ(slurp(dir / "step/a"), "A");
        EXPECT_EQ(slurp(dir / "step/sub/b"), "B");
        fs::remove_all(dir / "step");
      }
      EXPECT_TRUE(fs::is_empty(dir.path()));
    };
    EXPECT_GE(kill_at_each(point, writer, check), 2) << point;
    check();
  }
}

TEST(AtomicDirectory, AppearsAtItsCommit) {
  const test::TempDir dir;
  AtomicDirectory made(dir / "deep/er/step/");
  EXPECT_TRUE(fs::is_directory(made.path()));
  EXPECT_EQ(made.path().parent_path(), dir / "deep/er");
  write_file(made.path() / "a", "A");
  fs::create_symlink("a", made.path() / "link");
  EXPECT_FALSE(fs::exists(dir / "deep/er/step"));
  made.commit();
  EXPECT_EQ(names_in(dir / "deep/er"), Names{"step"});
  EXPECT_EQ(slurp(dir / "deep/er/step/link"), "A");
  test::expect_error(ErrorCode::kInternal, EndsWith("/step: committed twice"),
                     [&] { made.commit(); });
}

TEST(AtomicDirectory, IsRemovedWithoutCommit) {
  const test::TempDir dir;
  {
    AtomicDirectory made(dir / "step");
    write_file(made.path() / "a", "A");
  }
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

TEST(AtomicDirectory, ReplacesAnEmptyDirectoryOnly) {
  const test::TempDir dir;
  fs::create_directory(dir / "empty");
  AtomicDirectory(dir / "empty").commit();
  EXPECT_EQ(names_in(dir.path()), Names{"empty"});

  dir.write("full/old", "x");
  test::expect_error(ErrorCode::kCannotCreate,
                     concat(dir / "full", ": cannot be created: Directory not empty"),
                     [&] { AtomicDirectory(dir / "full").commit(); });
  dir.write("file", "x");
  test::expect_error(ErrorCode::kCannotCreate,
                     concat(dir / "file", ": cannot be created: Not a directory"),
                     [&] { AtomicDirectory(dir / "file").commit(); });
  EXPECT_EQ(names_in(dir.path()), (Names{"empty", "full", "file"}));
  test::expect_error(ErrorCode::kCannotCreate,
                     StartsWith(concat(dir / "file", ": cannot be created: ")),
                     [&] { AtomicDirectory(dir / "file/x"); });
}

TEST(StaleTemporaries, AreThoseOfThisHostsDeadWriters) {
  const test::TempDir dir;
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  ::waitpid(dead, nullptr, 0);
  const std::string mark = concat(".tmp.", host_name(), ".");
  const std::vector<std::string> stale = {concat("a", mark, dead), concat("b", mark, dead, ".12"),
                                          // An earlier process that had this one's id.
                                          concat("c", mark, ::getpid())};
  const Names kept = {"plain",
                      concat("d", mark, ::getppid()),
                      concat("e", mark, 1),
                      concat("f", mark, "0"),
                      concat("g", mark, "12x"),
                      concat("h", mark, dead, "."),
                      concat("i", mark, dead, ".x"),
                      concat("j.tmp.another-host.", dead),
                      concat("k", mark),
                      concat("l", mark, "99999999999999999999")};
  for (const std::string& name : stale) dir.write(name, "x");
  for (const std::string& name : kept) dir.write(name, "x");
  dir.write(concat("directory", mark, dead, "/inside"), "x");
  AtomicFile live(dir / "live");
  Names expected = kept;
  expected.insert(concat("live", mark, ::getpid()));

  remove_stale_temporaries(dir.path());
  EXPECT_EQ(names_in(dir.path()), expected);
  live.commit();
  EXPECT_TRUE(fs::exists(dir / "live"));
  remove_stale_temporaries(dir / "none");  // nothing to do
}

TEST(AppendFile, AddsToTheEnd) {
  const test::TempDir dir;
  dir.write("log", "first\n");
  {
    AppendFile file(dir / "log");
    EXPECT_TRUE(file.is_open());
    EXPECT_TRUE(file.append("second\n"));
    EXPECT_TRUE(file.append(""));
    AppendFile moved(std::move(file));
    EXPECT_TRUE(moved.append("third\n"));
    AppendFile target;
    EXPECT_FALSE(target.is_open());
    EXPECT_FALSE(target.append("lost"));
    target = std::move(moved);
    EXPECT_TRUE(target.append("fourth\n"));
  }
  EXPECT_EQ(slurp(dir / "log"), "first\nsecond\nthird\nfourth\n");
  AppendFile fresh(dir / "fresh");
  EXPECT_TRUE(fs::exists(dir / "fresh"));
  test::expect_error(ErrorCode::kCannotCreate,
                     EndsWith("/none/log: cannot be created: its directory does not exist"),
                     [&] { AppendFile(dir / "none/log"); });
}

TEST(AppendFile, CutsOffHalfALineOfAKilledWriter) {
  const test::TempDir dir;
  const std::string whole(10'000, 'w');
  for (const auto& [before, after] :
       std::vector<std::pair<std::string, std::string>>{{"one\ntw", "one\n"},
                                                        {"half", ""},
                                                        {"", ""},
                                                        {"one\n", "one\n"},
                                                        {whole + "\n" + whole, whole + "\n"},
                                                        {whole, ""}}) {
    dir.write("log", before);
    EXPECT_TRUE(AppendFile(dir / "log").append("next\n"));
    EXPECT_EQ(slurp(dir / "log"), after + "next\n");
  }
}

TEST(AppendFile, AFullDiskLeavesNoHalfLine) {
  const test::TempDir dir;
  const auto result = test::run_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {20, 20};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    AppendFile file(dir / "log");
    require(file.append("0123456789\n"), ErrorCode::kInternal, "the first line fits");
    require(!file.append("abcdefghijklm\n"), ErrorCode::kInternal, "the second does not");
    require(file.append("short\n"), ErrorCode::kInternal, "the third does again");
  });
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(slurp(dir / "log"), "0123456789\nshort\n");
  EXPECT_FALSE(AppendFile("/dev/full").append("x\n"));
}

TEST(MakeDirectories, MakesParents) {
  const test::TempDir dir;
  make_directories(dir / "a/b/c");
  make_directories(dir / "a/b/c");
  make_directories(dir / "a/b/d/");
  EXPECT_TRUE(fs::is_directory(dir / "a/b/c"));
  EXPECT_TRUE(fs::is_directory(dir / "a/b/d"));
  dir.write("file", "x");
  test::expect_error(ErrorCode::kCannotCreate,
                     EndsWith("/file: cannot be created: Not a directory"),
                     [&] { make_directories(dir / "file"); });
  test::expect_error(ErrorCode::kCannotCreate,
                     EndsWith("/file/x: cannot be created: Not a directory"),
                     [&] { make_directories(dir / "file/x"); });
}

TEST(ReplaceSymlink, PointsTheLinkElsewhere) {
  const test::TempDir dir;
  replace_symlink(dir / "last", "checkpoints/1");
  EXPECT_EQ(fs::read_symlink(dir / "last"), "checkpoints/1");
  replace_symlink(dir / "last", "checkpoints/2");
  EXPECT_EQ(fs::read_symlink(dir / "last"), "checkpoints/2");
  EXPECT_EQ(names_in(dir.path()), Names{"last"});
  dir.write("file", "x");
  test::expect_error(ErrorCode::kCannotCreate, EndsWith("/file: exists and is no symbolic link"),
                     [&] { replace_symlink(dir / "file", "x"); });
  test::expect_error(ErrorCode::kCannotCreate,
                     EndsWith("/none/last: cannot be created: its directory does not exist"),
                     [&] { replace_symlink(dir / "none/last", "x"); });
}

TEST(ReplaceSymlink, AKillLeavesTheOldOrTheNewTarget) {
  const test::TempDir dir;
  replace_symlink(dir / "last", "old");
  const auto check = [&] {
    remove_stale_temporaries(dir.path());
    EXPECT_EQ(names_in(dir.path()), Names{"last"});
    EXPECT_EQ(fs::read_symlink(dir / "last"), "old");
  };
  EXPECT_EQ(kill_at_each(
                "rename", [&] { replace_symlink(dir / "last", "new"); }, check),
            1);
  EXPECT_EQ(fs::read_symlink(dir / "last"), "new");
}

}  // namespace
}  // namespace llmctl
