#include "tasks/bad_rows.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace llmctl {
namespace {

using test::expect_error;

TEST(BadRows, OneStopsWithItsOwnMessage) {
  BadRows bad(false);
  bad.settle();
  EXPECT_TRUE(bad.attempt([] {}));
  EXPECT_FALSE(bad.attempt([] { fail(ErrorCode::kData, "a.csv:2: no text"); }));
  EXPECT_THROW(bad.attempt([] { fail(ErrorCode::kMissing, "no such file"); }), Error);
  expect_error(ErrorCode::kData, "a.csv:2: no text; --skip-bad leaves such rows out",
               [&] { bad.settle(); });
  bad.settle();  // what was told is settled
}

TEST(BadRows, ManyAreListedToALimitAndCounted) {
  for (const bool skip : {false, true}) {
    BadRows bad(skip);
    for (int i = 1; i <= 25; ++i) bad.add("a.csv:" + std::to_string(i) + ": bad");
    testing::internal::CaptureStderr();
    if (skip) {
      bad.settle();
    } else {
      expect_error(ErrorCode::kData,
                   {"25 bad rows, listed above, the first: a.csv:1: bad", "--skip-bad"},
                   [&] { bad.settle(); });
    }
    const std::string told = testing::internal::GetCapturedStderr();
    const std::string level = skip ? "warning: " : "error: ";
    EXPECT_NE(told.find(level + "a.csv:20: bad\n"), told.npos) << told;
    EXPECT_EQ(told.find("a.csv:21:"), told.npos) << told;
    EXPECT_NE(told.find(level + "… and 5 more bad rows\n"), told.npos) << told;
    EXPECT_EQ(told.find("25 bad rows are left out") != told.npos, skip) << told;
  }
}

}  // namespace
}  // namespace llmctl
