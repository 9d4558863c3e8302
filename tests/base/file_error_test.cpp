#include "base/file_error.h"

#include <gtest/gtest.h>

namespace llmctl {
namespace {

TEST(FileError, CodesFollowTheCause) {
  const auto code = [](std::errc cause) {
    const std::filesystem::filesystem_error error("cannot get status", "some/place",
                                                  std::make_error_code(cause));
    const Error known = to_error(error);
    EXPECT_EQ(std::string(known.what()).find("some/place: "), 0u) << known.what();
    return known.code();
  };
  EXPECT_EQ(code(std::errc::permission_denied), ErrorCode::kMissing);
  EXPECT_EQ(code(std::errc::no_such_file_or_directory), ErrorCode::kMissing);
  EXPECT_EQ(code(std::errc::too_many_symbolic_link_levels), ErrorCode::kMissing);
  EXPECT_EQ(code(std::errc::read_only_file_system), ErrorCode::kCannotCreate);
  EXPECT_EQ(code(std::errc::file_exists), ErrorCode::kCannotCreate);
  EXPECT_EQ(code(std::errc::no_space_on_device), ErrorCode::kIo);
}

}  // namespace
}  // namespace llmctl
