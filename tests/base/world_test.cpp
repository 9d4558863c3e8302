#include "base/world.h"

#include <gtest/gtest.h>

#include <vector>

namespace llmctl {
namespace {

TEST(LocalWorld, IsOneProcessThatChangesNothing) {
  const auto world = make_local_world();
  EXPECT_EQ(world->rank(), 0);
  EXPECT_EQ(world->size(), 1);
  EXPECT_TRUE(world->is_main());
  std::vector<double> values = {1.5, -2};
  world->sum(values);
  world->max(values);
  world->broadcast(values);
  world->barrier();
  EXPECT_EQ(values, (std::vector<double>{1.5, -2}));
}

}  // namespace
}  // namespace llmctl
