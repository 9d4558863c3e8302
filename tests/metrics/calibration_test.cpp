#include "metrics/calibration.h"

#include <gtest/gtest.h>

#include <cmath>

namespace llmctl {
namespace {

TEST(Reliability, ErrorIsTheMeanGapOfTheBins) {
  Reliability reliability;
  EXPECT_EQ(reliability.expected_calibration_error(), 0);
  reliability.add(1.0, true);
  reliability.add(0.99, false);
  reliability.add(0.5, true);
  EXPECT_EQ(reliability.bins()[14].count, 2);
  EXPECT_EQ(reliability.bins()[7].count, 1);
  EXPECT_NEAR(reliability.expected_calibration_error(), (std::abs(1 - 1.99) + 0.5) / 3, 1e-12);
}

TEST(Temperature, OfTwoClassesIsTheShareOfRightOnes) {
  // Equal margins: the best probability is (right + 1) / (rows + 2).
  std::vector<float> logits;
  std::vector<std::size_t> labels;
  for (std::size_t i = 0; i < 98; ++i) {
    logits.insert(logits.end(), {4, 0});
    labels.push_back(i < 78 ? 0 : 1);
  }
  const double temperature = fit_temperature(logits, labels, 2);
  EXPECT_NEAR(1 / (1 + std::exp(-4 / temperature)), 0.79, 1e-6);
  EXPECT_EQ(fit_temperature({}, {}, 2), 1);
  // All right, or all wrong: no certainty, and no temperature beyond the bounds.
  EXPECT_NEAR(1 / (1 + std::exp(-4 / fit_temperature(std::vector<float>{4, 0},
                                                     std::vector<std::size_t>{0}, 2))),
              2.0 / 3, 1e-6);
  EXPECT_NEAR(fit_temperature(std::vector<float>{4, 0}, std::vector<std::size_t>{1}, 2), 20, 0.1);
}

TEST(Temperature, OfLabelsEachForItself) {
  std::vector<float> logits(48, 3);
  std::vector<bool> truth(48, true);
  for (std::size_t i = 0; i < 14; ++i) truth[i] = false;
  EXPECT_NEAR(1 / (1 + std::exp(-3 / fit_sigmoid_temperature(logits, truth))), 35.0 / 50, 1e-6);
  EXPECT_EQ(fit_sigmoid_temperature({}, {}), 1);
}

TEST(Threshold, OfTheHighestF1) {
  EXPECT_NEAR(
      best_f1_threshold(std::vector<float>{0.9f, 0.4f, 0.3f, 0.1f}, {true, true, false, false}),
      0.35, 1e-6);
  EXPECT_EQ(best_f1_threshold(std::vector<float>{0.9f, 0.4f}, {false, false}), 0.5);
  // Equal probabilities cannot be divided.
  EXPECT_NEAR(best_f1_threshold(std::vector<float>{0.5f, 0.5f, 0.1f}, {true, false, false}), 0.3,
              1e-6);
  EXPECT_NEAR(best_f1_threshold(std::vector<float>{0.2f, 0.2f}, {true, true}), 0.1, 1e-6);
}

}  // namespace
}  // namespace llmctl
