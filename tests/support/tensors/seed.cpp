// Random tensors are the same in each run of a test: LibTorch seeds its generator by chance.
#include <ATen/Context.h>
#include <gtest/gtest.h>

namespace llmctl::test {
namespace {

class Seed : public ::testing::EmptyTestEventListener {
  void OnTestStart(const ::testing::TestInfo& /*test*/) override { at::manual_seed(1234); }
};

const bool registered = [] {
  ::testing::UnitTest::GetInstance()->listeners().Append(new Seed);
  return true;
}();

}  // namespace
}  // namespace llmctl::test
