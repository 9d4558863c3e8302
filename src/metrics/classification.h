// Scores of predicted classes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "metrics/score.h"

namespace llmctl {

/// Of one class; what is undefined (nothing predicted, nothing true) is 0.
struct ClassScore {
  double precision = 0, recall = 0, f1 = 0;
  std::int64_t support = 0;  ///< true members
};

/// Counts of (true class, predicted class) pairs.
class ConfusionMatrix {
 public:
  explicit ConfusionMatrix(std::size_t classes);

  /// Both in [0, classes).
  void add(std::size_t expected, std::size_t predicted);

  std::size_t classes() const { return classes_; }
  std::int64_t count(std::size_t expected, std::size_t predicted) const;
  std::int64_t total() const;

  double accuracy() const;  ///< share of right predictions; 0 when empty
  std::vector<ClassScore> per_class() const;
  /// Mean F1 over the classes that occur as truth or as prediction.
  double macro_f1() const;
  double weighted_f1() const;  ///< mean F1 weighted by support

  /// accuracy and macro_f1: what a validation records.
  Scores scores() const;
  /// These, total, and class.NAME.precision, .recall and .f1 of each class.
  Scores scores(const std::vector<std::string>& names) const;
  /// What scores() or, with the classes' own, scores(names) gives.
  static std::vector<ScoreKind> kinds(bool with_classes);

  std::span<double> numbers() { return counts_; }  ///< to be summed over processes

 private:
  std::size_t classes_;
  std::vector<double> counts_;  // row: truth
};

}  // namespace llmctl
