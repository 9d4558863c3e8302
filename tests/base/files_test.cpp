#include "base/files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "support/child.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using testing::EndsWith;
using Lines = std::vector<std::pair<std::uint64_t, std::string>>;

TEST(ReadFile, GivesEveryByte) {
  const test::TempDir dir;
  std::string bytes;
  for (int i = 0; i < 300'000; ++i) bytes += static_cast<char>(i * 7);
  EXPECT_EQ(read_file(dir.write("bytes", bytes)), bytes);
  EXPECT_EQ(read_file(dir.write("empty", "")), "");
  std::filesystem::create_symlink("bytes", dir / "link");
  EXPECT_EQ(read_file(dir / "link"), bytes);
}

TEST(ReadFile, ReadsFilesThatDoNotKnowTheirSize) {
  EXPECT_FALSE(read_file("/proc/self/status").empty());
}

TEST(ReadFile, RefusesWhatIsNoReadableFile) {
  const test::TempDir dir;
  test::expect_error(ErrorCode::kMissing, concat(dir / "none", ": no such file"),
                     [&] { read_file(dir / "none"); });
  test::expect_error(ErrorCode::kMissing, EndsWith(": is a directory, expected a file"),
                     [&] { read_file(dir.path()); });
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  test::expect_error(ErrorCode::kMissing, EndsWith("/fifo: is not a regular file"),
                     [&] { read_file(dir / "fifo"); });
  test::expect_error(ErrorCode::kMissing, "/dev/zero: is not a regular file",
                     [&] { read_file("/dev/zero"); });
  dir.write("file", "x");
  test::expect_error(ErrorCode::kMissing, EndsWith("/file/below: Not a directory"),
                     [&] { read_file(dir / "file/below"); });
  std::filesystem::create_symlink("nowhere", dir / "dangling");
  test::expect_error(ErrorCode::kMissing, EndsWith("/dangling: no such file"),
                     [&] { read_file(dir / "dangling"); });
}

TEST(ReadFile, RefusesAnUnreadableFile) {
  const test::TempDir dir;
  std::filesystem::permissions(dir.path(), std::filesystem::perms(0755));
  ::chmod(dir.write("secret", "x").c_str(), 0);
  const auto result = test::run_child([&] {
    if (::geteuid() == 0) (void)!::seteuid(65534);  // root may read anything
    read_file(dir / "secret");
  });
  EXPECT_EQ(result.status, 66);
  EXPECT_EQ(result.err, concat(dir / "secret", ": Permission denied"));
}

TEST(ReadFile, RefusesMoreThanItsLimit) {
  const test::TempDir dir;
  const auto path = dir.write("five", "12345");
  EXPECT_EQ(read_file(path, 5), "12345");
  test::expect_error(ErrorCode::kData,
                     EndsWith("/five: larger than 4 bytes, the limit for such a file"),
                     [&] { read_file(path, 4); });
  test::expect_error(ErrorCode::kData, EndsWith("larger than 4 bytes, the limit for such a file"),
                     [&] { read_file("/proc/self/status", 4); });
}

TEST(ForEachChunk, CoversTheFileAndStopsEarly) {
  const test::TempDir dir;
  const std::string bytes(2'500'000, 'x');
  const auto path = dir.write("big", bytes);
  std::string all;
  for_each_chunk(path, [&](std::string_view chunk) {
    EXPECT_LE(chunk.size(), std::size_t{1} << 20);
    all += chunk;
    return true;
  });
  EXPECT_EQ(all, bytes);
  int calls = 0;
  for_each_chunk(path, [&](std::string_view) {
    ++calls;
    return false;
  });
  EXPECT_EQ(calls, 1);
  for_each_chunk(dir.write("empty", ""), [](std::string_view) {
    ADD_FAILURE() << "an empty file has no chunk";
    return true;
  });
}

TEST(MappedFile, ShowsTheBytes) {
  const test::TempDir dir;
  const auto path = dir.write("data", "0123456789");
  MappedFile file(path);
  EXPECT_EQ(file.view(), "0123456789");
  EXPECT_EQ(file.size(), 10u);
  std::filesystem::remove(path);
  EXPECT_EQ(file.view(), "0123456789");  // the mapping keeps the file
}

TEST(MappedFile, Moves) {
  const test::TempDir dir;
  MappedFile first(dir.write("a", "first"));
  MappedFile second(std::move(first));
  EXPECT_EQ(second.view(), "first");
  MappedFile third(dir.write("b", "third"));
  third = std::move(second);
  EXPECT_EQ(third.view(), "first");
  third = MappedFile();
  EXPECT_EQ(third.size(), 0u);
  EXPECT_EQ(third.data(), nullptr);
}

TEST(MappedFile, RefusesAsReadFileDoes) {
  const test::TempDir dir;
  EXPECT_EQ(MappedFile(dir.write("empty", "")).view(), "");
  test::expect_error(ErrorCode::kMissing, EndsWith(": no such file"),
                     [&] { MappedFile(dir / "none"); });
  test::expect_error(ErrorCode::kMissing, EndsWith(": is a directory, expected a file"),
                     [&] { MappedFile(dir.path()); });
}

Lines lines_of(const std::filesystem::path& path) {
  Lines lines;
  for_each_line(path, [&](std::uint64_t number, std::string_view text) {
    lines.emplace_back(number, text);
    return true;
  });
  return lines;
}

TEST(ForEachLine, SplitsLines) {
  const test::TempDir dir;
  EXPECT_EQ(lines_of(dir.write("a", "one\ntwo\n")), (Lines{{1, "one"}, {2, "two"}}));
  EXPECT_EQ(lines_of(dir.write("b", "one\n\nthree")), (Lines{{1, "one"}, {2, ""}, {3, "three"}}));
  EXPECT_EQ(lines_of(dir.write("c", "")), Lines{});
  EXPECT_EQ(lines_of(dir.write("d", "\n")), (Lines{{1, ""}}));
  EXPECT_EQ(lines_of(dir.write("e", "one\r\ntwo\r\n")), (Lines{{1, "one"}, {2, "two"}}));
  EXPECT_EQ(lines_of(dir.write("f", "a\rb\n")), (Lines{{1, "a\rb"}}));
  EXPECT_EQ(lines_of(dir.write("g",
                               "\xEF\xBB\xBF"
                               "one\n\xEF\xBB\xBFtwo")),
            (Lines{{1, "one"}, {2, "\xEF\xBB\xBFtwo"}}));
  EXPECT_EQ(lines_of(dir.write("h", "last\r")), (Lines{{1, "last"}}));
}

TEST(ForEachLine, JoinsWhatAChunkCuts) {
  const test::TempDir dir;
  constexpr std::size_t kChunk = std::size_t{1} << 20;
  for (const std::size_t cut : {kChunk - 2, kChunk - 1, kChunk, kChunk + 1, 3 * kChunk}) {
    const std::string first(cut, 'x');
    EXPECT_EQ(lines_of(dir.write("f", first + "\r\nsecond\r\n")),
              (Lines{{1, first}, {2, "second"}}));
  }
}

TEST(ForEachLine, StopsWhenTold) {
  const test::TempDir dir;
  int calls = 0;
  for_each_line(dir.write("a", "one\ntwo\nthree"),
                [&](std::uint64_t, std::string_view) { return ++calls < 2; });
  EXPECT_EQ(calls, 2);
}

TEST(ForEachLine, RefusesALineWithoutEnd) {
  const test::TempDir dir;
  const auto path = dir.write("endless", "first\n");
  std::filesystem::resize_file(path, std::uintmax_t{257} << 20);  // a hole of zeros
  test::expect_error(ErrorCode::kData, EndsWith("/endless:2: the line is longer than 256 MiB"),
                     [&] { lines_of(path); });
}

}  // namespace
}  // namespace llmctl
