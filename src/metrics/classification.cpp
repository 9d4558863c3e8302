#include "metrics/classification.h"

#include <numeric>

namespace llmctl {
namespace {

double ratio(double part, double whole) {
  return whole == 0 ? 0.0 : part / whole;
}

}  // namespace

ConfusionMatrix::ConfusionMatrix(std::size_t classes)
    : classes_(classes), counts_(classes * classes) {}

void ConfusionMatrix::add(std::size_t expected, std::size_t predicted) {
  ++counts_[expected * classes_ + predicted];
}

std::int64_t ConfusionMatrix::count(std::size_t expected, std::size_t predicted) const {
  return static_cast<std::int64_t>(counts_[expected * classes_ + predicted]);
}

std::int64_t ConfusionMatrix::total() const {
  return static_cast<std::int64_t>(std::accumulate(counts_.begin(), counts_.end(), 0.0));
}

double ConfusionMatrix::accuracy() const {
  double right = 0;
  for (std::size_t c = 0; c < classes_; ++c) right += counts_[c * classes_ + c];
  return ratio(right, static_cast<double>(total()));
}

std::vector<ClassScore> ConfusionMatrix::per_class() const {
  std::vector<ClassScore> scores(classes_);
  for (std::size_t c = 0; c < classes_; ++c) {
    double expected = 0, predicted = 0;
    for (std::size_t other = 0; other < classes_; ++other) {
      expected += counts_[c * classes_ + other];
      predicted += counts_[other * classes_ + c];
    }
    const double right = counts_[c * classes_ + c];
    scores[c] = {ratio(right, predicted), ratio(right, expected),
                 ratio(2 * right, expected + predicted), static_cast<std::int64_t>(expected)};
  }
  return scores;
}

double ConfusionMatrix::macro_f1() const {
  const std::vector<ClassScore> scores = per_class();
  double sum = 0, present = 0;
  for (std::size_t c = 0; c < classes_; ++c) {
    double predicted = 0;
    for (std::size_t other = 0; other < classes_; ++other)
      predicted += counts_[other * classes_ + c];
    if (scores[c].support == 0 && predicted == 0) continue;
    sum += scores[c].f1;
    ++present;
  }
  return ratio(sum, present);
}

double ConfusionMatrix::weighted_f1() const {
  double sum = 0, support = 0;
  for (const ClassScore& score : per_class()) {
    sum += score.f1 * static_cast<double>(score.support);
    support += static_cast<double>(score.support);
  }
  return ratio(sum, support);
}

}  // namespace llmctl
