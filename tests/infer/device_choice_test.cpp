// Tokens chosen by tensor operations are those that the CPU's sampler chooses from the same
// numbers.
#include "infer/device_choice.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <limits>

#include "infer/sampler.h"
#include "ops/backend.h"
#include "support/device.h"

namespace llmctl::test {
namespace {

std::vector<SamplingOptions> all_options() {
  std::vector<SamplingOptions> all;
  for (const double temperature : {1.0, 0.7, 1.5, 1e-5}) {
    for (const std::int64_t top_k : {0, 1, 5, 40, 1000}) {
      for (const double top_p : {1.0, 0.9, 0.3, 0.0}) {
        for (const double min_p : {0.0, 0.05, 1.0}) {
          SamplingOptions& options = all.emplace_back();
          options.do_sample = true;
          options.temperature = temperature;
          options.top_k = top_k;
          options.top_p = top_p;
          options.min_p = min_p;
        }
      }
    }
  }
  return all;
}

/// The device's choices from logits [R, V] and the sampler's.
void expect_samplers_choices(const at::Tensor& logits) {
  const at::Tensor host = logits.cpu().contiguous();
  const std::int64_t rows = host.size(0), size = host.size(1);
  std::vector<DeviceChoice> choices;
  std::vector<TokenId> wanted;
  Sampler sampler;
  for (const SamplingOptions& options : all_options()) {
    for (std::int64_t row = 0; row < rows; ++row) {
      const RandomKey key = random_key(7, "sampling", choices.size());
      choices.push_back({row, true, options.temperature, options.top_k, options.top_p,
                         options.min_p, Random(key).uniform()});
      const std::span<const float> own(host.const_data_ptr<float>() + row * size,
                                       static_cast<std::size_t>(size));
      wanted.push_back(sampler.choose(own, options, {}, key));
    }
  }
  const std::vector<TokenId> got = choose_on_device(logits, choices);
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i], wanted[i]) << "row " << choices[i].row << ", temperature "
                                 << choices[i].temperature << ", top_k " << choices[i].top_k
                                 << ", top_p " << choices[i].top_p << ", min_p "
                                 << choices[i].min_p;
  }
}

class DeviceChoices : public ::testing::Test {
 protected:
  DeviceChoices() { seed_generator(at::kCPU, 3); }
  static at::Tensor on_device(const at::Tensor& x) { return x.to(at::Device(test_device())); }
};

TEST_F(DeviceChoices, AreTheSamplersForTheSameUniforms) {
  expect_samplers_choices(on_device(at::randn({9, 500}) * 3));
}

TEST_F(DeviceChoices, AreTheSamplersAmongEqualsAndTheImpossible) {
  expect_samplers_choices(on_device(at::randint(0, 4, {6, 64}, at::kFloat)));
  at::Tensor some = at::randn({6, 64}) * 2;
  some.narrow(1, 10, 50).fill_(-std::numeric_limits<float>::infinity());
  expect_samplers_choices(on_device(some));
}

TEST_F(DeviceChoices, FollowTheProbabilities) {
  const at::Tensor logits = on_device(at::tensor({0.1f, 0.2f, 0.3f, 0.4f}).log().unsqueeze(0));
  std::vector<DeviceChoice> choices;
  for (int i = 0; i < 1000; ++i) choices.push_back({0, true, 1, 0, 1, 0, (i + 0.5) / 1000});
  std::vector<int> counts(4);
  for (const TokenId id : choose_on_device(logits, choices)) ++counts[static_cast<std::size_t>(id)];
  EXPECT_EQ(counts, (std::vector<int>{100, 200, 300, 400}));
}

TEST_F(DeviceChoices, TellWhatIsNotFinite) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const at::Tensor logits = on_device(at::tensor({1.f, 3.f, 3.f, nan, 1.f, 2.f, infinity, 0.f, 1.f,
                                                  -infinity, -infinity, -infinity})
                                          .view({4, 3}));
  std::vector<DeviceChoice> choices;
  for (const bool draws : {false, true}) {
    for (std::int64_t row = 0; row < 4; ++row) choices.push_back({row, draws, 1, 1, 0.0, 0, 0.5});
  }
  EXPECT_EQ(choose_on_device(logits, choices),
            (std::vector<TokenId>{1, -1, -1, -1, 1, -1, -1, -1}));
  EXPECT_TRUE(choose_on_device(logits, {}).empty());
}

}  // namespace
}  // namespace llmctl::test
