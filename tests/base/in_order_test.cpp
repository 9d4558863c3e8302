#include "base/in_order.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace llmctl {
namespace {

TEST(InOrder, HandsOnWhatHasAllBeforeIt) {
  std::vector<std::size_t> numbers;
  std::vector<int> results;
  InOrder<std::unique_ptr<int>> order(3, [&](std::size_t number, std::unique_ptr<int> result) {
    numbers.push_back(number);
    results.push_back(*result);
  });
  order.give(5, std::make_unique<int>(50));
  order.give(4, std::make_unique<int>(40));
  EXPECT_TRUE(numbers.empty());
  order.give(3, std::make_unique<int>(30));
  EXPECT_EQ(numbers, (std::vector<std::size_t>{3, 4, 5}));
  EXPECT_EQ(results, (std::vector<int>{30, 40, 50}));
  order.give(6, std::make_unique<int>(60));
  EXPECT_EQ(results.back(), 60);
}

}  // namespace
}  // namespace llmctl
