// Whether probabilities mean what they say, and how to make them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace llmctl {

/// Predictions sorted by their confidence into bins of equal width (Guo et al., "On Calibration of
/// Modern Neural Networks", ICML 2017, section 2).
class Reliability {
 public:
  static constexpr std::size_t kBins = 15;
  struct Bin {
    double confidence = 0;  ///< sum
    double right = 0;       ///< how many of them were right
    double count = 0;
  };

  /// A prediction that was given the probability `confidence`, in [0, 1].
  void add(double confidence, bool right);
  const std::array<Bin, kBins>& bins() const { return bins_; }
  /// Mean over the predictions of |share of right ones − mean confidence| of their bin, in [0, 1];
  /// 0 without a prediction.
  double expected_calibration_error() const;

 private:
  std::array<Bin, kBins> bins_{};
};

/// The temperature T for which softmax(logits / T) has the least cross-entropy (Guo et al., section
/// 4.2), between 0.05 and 20. Each label counts as if every class had been seen once more (Platt,
/// 1999, section 2.2), so that few texts, all of them right, do not become certainties. `logits` is
/// [N, classes] row by row; 1 without a row.
double fit_temperature(std::span<const float> logits, std::span<const std::size_t> labels,
                       std::size_t classes);

/// The same of labels that stand each for itself: sigmoid(logits / T) against 0 or 1, `logits` and
/// `truth` both [N].
double fit_sigmoid_temperature(std::span<const float> logits, const std::vector<bool>& truth);

/// The threshold at which "probability ≥ threshold" has the highest F1: half way between the
/// probabilities that it divides, the highest of several. 0.5 where nothing is true.
double best_f1_threshold(std::span<const float> probabilities, const std::vector<bool>& truth);

}  // namespace llmctl
