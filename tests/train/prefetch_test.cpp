#include "train/prefetch.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <atomic>

#include "base/error.h"

namespace llmctl::test {
namespace {

class Counting : public Source {
 public:
  std::int64_t steps_per_epoch() const override { return 1; }
  std::string fingerprint() const override { return ""; }
  std::vector<Batch> batches(std::int64_t step) const override {
    ++made;
    require(step != broken, ErrorCode::kData, "broken");
    std::vector<Batch> out(1);
    out[0].input.ids = at::full({1, 1}, step, at::kLong);
    return out;
  }
  mutable std::atomic<int> made{0};
  std::int64_t broken = -1;
};

TEST(Prefetch, HandsOutStepsInOrder) {
  Counting source;
  Prefetcher prefetcher(source, 3, 8, false);
  for (std::int64_t step = 3; step < 8; ++step) {
    EXPECT_EQ(prefetcher.next()[0].input.ids.item<std::int64_t>(), step);
  }
  EXPECT_EQ(source.made, 5);
}

TEST(Prefetch, RethrowsWhenTheStepIsAskedFor) {
  Counting source;
  source.broken = 1;
  Prefetcher prefetcher(source, 0, 5, false);
  EXPECT_EQ(prefetcher.next().size(), 1u);
  EXPECT_THROW(prefetcher.next(), Error);
}

TEST(Prefetch, MayBeLeftEarlyOrEmpty) {
  Counting source;
  { Prefetcher unused(source, 0, 1000, false); }
  { Prefetcher nothing(source, 5, 5, false); }
  {
    Prefetcher some(source, 0, 1000, false);
    some.next();
  }
  EXPECT_LT(source.made, 10);
}

}  // namespace
}  // namespace llmctl::test
