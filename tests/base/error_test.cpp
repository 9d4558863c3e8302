#include "base/error.h"

#include <filesystem>

#include "support/expect_error.h"

namespace llmctl {
namespace {

TEST(Error, CarriesItsCauseAsExitStatus) {
  EXPECT_EQ(Error(ErrorCode::kUsage, "x").exit_status(), 64);
  EXPECT_EQ(Error(ErrorCode::kData, "x").exit_status(), 65);
  EXPECT_EQ(Error(ErrorCode::kMissing, "x").exit_status(), 66);
  EXPECT_EQ(Error(ErrorCode::kInternal, "x").exit_status(), 70);
  EXPECT_EQ(Error(ErrorCode::kCannotCreate, "x").exit_status(), 73);
  EXPECT_EQ(Error(ErrorCode::kIo, "x").exit_status(), 74);
  EXPECT_EQ(Error(ErrorCode::kTemporary, "x").exit_status(), 75);
  EXPECT_EQ(Error(ErrorCode::kConfig, "x").exit_status(), 78);
  EXPECT_STREQ(Error(ErrorCode::kUsage, "what, where").what(), "what, where");
}

TEST(Error, PartsAreStreamedOneAfterTheOther) {
  EXPECT_EQ(concat("step ", 3, " of ", 4.5, ' ', true), "step 3 of 4.5 1");
  EXPECT_EQ(concat(), "");
  EXPECT_EQ(concat(std::filesystem::path("a b/c\"d")), "a b/c\"d");  // no quotes around a path
}

TEST(Error, RequireThrowsOnlyWhenTheConditionFails) {
  EXPECT_NO_THROW(require(true, ErrorCode::kData, "x"));
  test::expect_error(ErrorCode::kData, "row 7: bad",
                     [&] { require(false, ErrorCode::kData, "row ", 7, ": bad"); });
  test::expect_error(ErrorCode::kConfig, "key k", [&] { fail(ErrorCode::kConfig, "key ", 'k'); });
}

}  // namespace
}  // namespace llmctl
