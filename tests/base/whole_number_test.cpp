#include "base/whole_number.h"

#include <gtest/gtest.h>

#include <limits>

namespace llmctl {
namespace {

TEST(WholeNumber, IsExactOrNone) {
  EXPECT_EQ(whole_number(3.0), 3);
  EXPECT_EQ(whole_number(-0.0), 0);
  EXPECT_EQ(whole_number(-0x1p52), -(std::int64_t{1} << 52));
  for (const double none : {0.5, 0x1p53, std::numeric_limits<double>::infinity(),
                            std::numeric_limits<double>::quiet_NaN()})
    EXPECT_EQ(whole_number(none), std::nullopt) << none;
}

}  // namespace
}  // namespace llmctl
