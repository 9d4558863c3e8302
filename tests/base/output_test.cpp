#include "base/output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>

#include "base/error.h"
#include "base/files.h"
#include "support/child.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::TempDir;

void refuses(const std::function<void()>& action, ErrorCode code,
             const std::vector<std::string>& parts) {
  test::expect_error(code, parts, action);
}

TEST(Output, AFileWithContentIsKeptUnlessAskedFor) {
  const TempDir dir;
  const auto file = dir.write("answers.jsonl", "{}\n");
  refuses([&] { check_output_file(file, false); }, ErrorCode::kCannotCreate,
          {"answers.jsonl: exists", "--overwrite"});
  check_output_file(file, true);
  check_output_file(dir / "new.jsonl", false);
  check_output_file(dir.write("empty", ""), false);  // as mktemp makes them
  refuses([&] { check_output_file(dir.path(), true); }, ErrorCode::kCannotCreate,
          {"is a directory"});
  refuses([&] { check_output_file(dir / "no/such", true); }, ErrorCode::kCannotCreate,
          {"its directory does not exist"});
}

TEST(Output, AnInputIsNeverReplacedUnderWhateverName) {
  const TempDir dir;
  const auto input = dir.write("p.txt", "a\n");
  std::filesystem::create_symlink("p.txt", dir / "link");
  std::filesystem::create_hard_link(input, dir / "hard");
  for (const char* name : {"p.txt", "link", "hard", "./p.txt"}) {
    refuses(
        [&] {
          check_output_file(dir / name, true, {dir / "other", input});
        },
        ErrorCode::kCannotCreate, {"is an input of this command"});
  }
  check_output_file(dir / "q.txt", true, {input});
}

TEST(Output, DevicesAndFifosAreWrittenAndStayWhatTheyAre) {
  const TempDir dir;
  check_output_file("/dev/null", false, {"/dev/null"});
  write_output("/dev/null", "text");
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  EXPECT_TRUE(is_special_file(dir / "fifo"));
  EXPECT_FALSE(is_special_file(dir.write("file", "")));
  refuses([&] { write_output("/dev/full", "text"); }, ErrorCode::kIo, {"disk full"});
  // A link's target is written, and the link stays.
  dir.write("target", "old");
  std::filesystem::create_symlink("target", dir / "link");
  write_output(dir / "link", "new");
  EXPECT_TRUE(std::filesystem::is_symlink(dir / "link"));
  EXPECT_EQ(read_file(dir / "target"), "new");
}

TEST(Output, StandardOutputHasManyNames) {
  const TempDir dir;
  EXPECT_TRUE(is_standard_output("-"));
  EXPECT_TRUE(is_standard_output("/dev/stdout"));
  EXPECT_TRUE(is_standard_output("/proc/self/fd/1"));
  EXPECT_FALSE(is_standard_output(dir.write("file", "")));
  EXPECT_FALSE(is_standard_output(dir / "none"));
  // Sent to a file, it is written where it stands and the file keeps its inode.
  const auto file = dir / "out";
  const auto result = test::run_child([&] {
    require(std::freopen(file.c_str(), "w", stdout) != nullptr, ErrorCode::kInternal, "freopen");
    write_output("-", "one\n");
    write_output("/dev/stdout", "two\n");
  });
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(read_file(file), "one\ntwo\n");
}

TEST(Output, ADirectoryMustBeNewOrEmpty) {
  const TempDir dir;
  check_output_directory(dir / "a/b/c", "x");
  std::filesystem::create_directory(dir / "empty");
  check_output_directory(dir / "empty", "x");
  dir.write("full/file", "x");
  refuses([&] { check_output_directory(dir / "full", "choose another"); }, ErrorCode::kCannotCreate,
          {"full: is not empty; choose another"});
  refuses([&] { check_output_directory(dir / "full/file", "x"); }, ErrorCode::kCannotCreate,
          {"no directory"});
}

TEST(Output, ADirectoryIsNotReplacedAroundAnInput) {
  const TempDir dir;
  dir.write("old/deep/a.txt", "1");
  dir.write("older/a.txt", "1");
  std::filesystem::create_directory_symlink(dir / "old", dir / "link");
  const std::filesystem::path outside = dir / "older/a.txt";
  check_replaced_directory(dir / "old", {outside, dir / "old/none.txt", dir.path()});
  check_replaced_directory(dir / "new", {outside});
  for (const char* input : {"old/deep/a.txt", "link/deep/a.txt", "old/../old/deep", "old"}) {
    refuses(
        [&] {
          check_replaced_directory(dir / "old", {outside, dir / input});
        },
        ErrorCode::kCannotCreate, {"old: --overwrite would remove an input", input});
  }
  refuses([&] { check_replaced_directory(dir / "link", {dir / "old/deep/a.txt"}); },
          ErrorCode::kCannotCreate, {"link: --overwrite would remove an input"});
}

TEST(Output, APlaceWithoutTheRightToWriteIsFoundBeforeTheWork) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  const TempDir dir;
  std::filesystem::create_directory(dir / "closed");
  ::chmod((dir / "closed").c_str(), 0500);
  refuses([&] { check_output_file(dir / "closed/x", false); }, ErrorCode::kCannotCreate,
          {"Permission denied"});
  refuses([&] { check_output_directory(dir / "closed/x", "y"); }, ErrorCode::kCannotCreate,
          {"Permission denied"});
}

TEST(Output, ADirectoryTakesAnothersPlace) {
  const TempDir dir;
  dir.write("old/a", "1");
  dir.write("new/b", "2");
  replace_directory(dir / "new", dir / "old");
  EXPECT_FALSE(std::filesystem::exists(dir / "new"));
  EXPECT_FALSE(std::filesystem::exists(dir / "old/a"));
  EXPECT_EQ(read_file(dir / "old/b"), "2");
}

}  // namespace
}  // namespace llmctl
