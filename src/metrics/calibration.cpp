#include "metrics/calibration.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace llmctl {
namespace {

constexpr double kLowest = 0.05, kHighest = 20;

/// Where a function of one variable with a single valley is least, by golden-section search over
/// the logarithm of the temperature.
double least_over_temperatures(const std::function<double(double)>& loss) {
  constexpr double kGolden = 0.6180339887498949;
  constexpr int kRounds = 60;
  double low = std::log(kLowest), high = std::log(kHighest);
  double left = high - kGolden * (high - low), right = low + kGolden * (high - low);
  double at_left = loss(std::exp(left)), at_right = loss(std::exp(right));
  for (int round = 0; round < kRounds; ++round) {
    if (at_left <= at_right) {
      high = right;
      right = left;
      at_right = at_left;
      left = high - kGolden * (high - low);
      at_left = loss(std::exp(left));
    } else {
      low = left;
      left = right;
      at_left = at_right;
      right = low + kGolden * (high - low);
      at_right = loss(std::exp(right));
    }
  }
  return std::exp((low + high) / 2);
}

/// log(1 + exp(x)).
double softplus(double x) {
  return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
}

}  // namespace

void Reliability::add(double confidence, bool right) {
  const auto bin = static_cast<std::size_t>(confidence * static_cast<double>(kBins));
  Bin& found = bins_[std::min(bin, kBins - 1)];
  found.confidence += confidence;
  found.right += right ? 1 : 0;
  found.count += 1;
}

double Reliability::expected_calibration_error() const {
  double gap = 0, count = 0;
  for (const Bin& bin : bins_) {
    gap += std::abs(bin.right - bin.confidence);
    count += bin.count;
  }
  return count > 0 ? gap / count : 0;
}

double fit_temperature(std::span<const float> logits, std::span<const std::size_t> labels,
                       std::size_t classes) {
  if (labels.empty()) return 1;
  const double rows = static_cast<double>(labels.size()), width = static_cast<double>(classes);
  // What a class that was not seen in a row gets; the seen one gets this and the rest.
  const double other = 1 / (rows + width), rest = 1 - width * other;
  const auto loss = [&](double temperature) {
    double sum = 0;
    for (std::size_t i = 0; i < labels.size(); ++i) {
      const std::span<const float> row = logits.subspan(i * classes, classes);
      const double greatest = *std::max_element(row.begin(), row.end()) / temperature;
      double total = 0, smooth = 0;
      for (const float logit : row) {
        total += std::exp(logit / temperature - greatest);
        smooth += logit / temperature;
      }
      const double normalizer = greatest + std::log(total);
      sum += normalizer - rest * row[labels[i]] / temperature - other * smooth;
    }
    return sum;
  };
  return least_over_temperatures(loss);
}

double fit_sigmoid_temperature(std::span<const float> logits, const std::vector<bool>& truth) {
  if (truth.empty()) return 1;
  const double other = 1 / (static_cast<double>(truth.size()) + 2);
  const auto loss = [&](double temperature) {
    double sum = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) {
      const double logit = logits[i] / temperature;
      sum += softplus(logit) - (truth[i] ? 1 - other : other) * logit;
    }
    return sum;
  };
  return least_over_temperatures(loss);
}

double best_f1_threshold(std::span<const float> probabilities, const std::vector<bool>& truth) {
  const auto positives = static_cast<double>(std::count(truth.begin(), truth.end(), true));
  if (positives == 0) return 0.5;
  std::vector<std::size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) {
    return probabilities[i] > probabilities[j];
  });
  double best = -1, threshold = 0.5, right = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    right += truth[order[i]] ? 1 : 0;
    const double here = probabilities[order[i]];
    const double next = i + 1 < order.size() ? probabilities[order[i + 1]] : 0.0;
    if (here == next) continue;  // no threshold divides equal probabilities
    const double f1 = 2 * right / (static_cast<double>(i + 1) + positives);
    if (f1 <= best) continue;
    best = f1;
    threshold = (here + next) / 2;
  }
  return threshold;
}

}  // namespace llmctl
