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

/// Counts of labels of which a text may have any number.
class LabelSetCounts {
 public:
  explicit LabelSetCounts(std::size_t labels) : counts_(labels) {}

  /// Ids of the labels, sorted.
  void add(const std::vector<std::size_t>& expected, const std::vector<std::size_t>& predicted);

  std::vector<ClassScore> per_label() const;
  double micro_f1() const;         ///< of all decisions together
  double macro_f1() const;         ///< mean over the labels that occur as truth or as prediction
  double subset_accuracy() const;  ///< share of texts of which every label is right

  /// micro_f1, macro_f1 and subset_accuracy: what a validation records.
  Scores scores() const;
  /// These, total, and class.NAME.precision, .recall and .f1 of each label.
  Scores scores(const std::vector<std::string>& names) const;
  static std::vector<ScoreKind> kinds(bool with_labels);

 private:
  struct Counts {
    double expected = 0, predicted = 0, both = 0;
  };
  std::vector<Counts> counts_;
  double texts_ = 0, right_ = 0;
};

}  // namespace llmctl
