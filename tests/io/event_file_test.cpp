#include "io/event_file.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/error.h"
#include "support/temp_dir.h"

namespace llmctl::test {
namespace {

TEST(Crc32c, GivesTheKnownValues) {
  // RFC 3720, B.4.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(""), 0u);
}

template <class T>
T at(const std::string& bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::uint32_t mask(std::uint32_t crc) {
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

TEST(EventFile, WritesFramedRecords) {
  const TempDir dir;
  EventFile file(dir / "tensorboard");
  ASSERT_TRUE(file.scalars(300, 1.5e9, {{"train/loss", 0.5}, {"lr", 0.25}}));
  const auto path = std::filesystem::directory_iterator(dir / "tensorboard")->path();
  EXPECT_EQ(path.filename().string().rfind("events.out.tfevents.", 0), 0u);
  const std::string bytes = slurp(path);
  std::vector<std::string> events;
  for (std::size_t offset = 0; offset < bytes.size();) {
    const auto size = at<std::uint64_t>(bytes, offset);
    EXPECT_EQ(at<std::uint32_t>(bytes, offset + 8), mask(crc32c(bytes.substr(offset, 8))));
    events.push_back(bytes.substr(offset + 12, size));
    EXPECT_EQ(at<std::uint32_t>(bytes, offset + 12 + size), mask(crc32c(events.back())));
    offset += 16 + size;
  }
  ASSERT_EQ(events.size(), 2u);
  EXPECT_NE(events[0].find("\x1a\x0d"
                           "brain.Event:2"),
            std::string::npos);
  const std::string& event = events[1];
  EXPECT_EQ(event[0], 0x09);  // field 1, 64 bits
  EXPECT_EQ(at<double>(event, 1), 1.5e9);
  EXPECT_EQ(event.substr(9, 3), "\x10\xac\x02");  // field 2, 300
  EXPECT_EQ(event.substr(12, 2), "\x2a\x1e");     // field 5
  EXPECT_EQ(event.substr(14, 4), "\x0a\x11\x0a\x0a");
  EXPECT_EQ(event.substr(18, 10), "train/loss");
  EXPECT_EQ(event[28], 0x15);  // field 2, 32 bits
  EXPECT_EQ(at<float>(event, 29), 0.5f);
}

TEST(EventFile, EachPartOfARunHasItsOwn) {
  const TempDir dir;
  const EventFile one(dir.path()), two(dir.path());
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    files += entry.is_regular_file() ? 1 : 0;
  }
  EXPECT_EQ(files, 2);
}

TEST(EventFile, NeedsADirectory) {
  const TempDir dir;
  EXPECT_THROW(EventFile(dir.write("file", "")), Error);
  EXPECT_TRUE(EventFile().scalars(1, 1, {}));
}

}  // namespace
}  // namespace llmctl::test
