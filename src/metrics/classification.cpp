#include "metrics/classification.h"

#include <algorithm>
#include <numeric>

namespace llmctl {
namespace {

double ratio(double part, double whole) {
  return whole == 0 ? 0.0 : part / whole;
}

/// Adds the total and the scores of each class.
void add_classes(Scores& out, double total, const std::vector<ClassScore>& classes,
                 const std::vector<std::string>& names) {
  out.add(count_score("total", total));
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const auto support = static_cast<double>(classes[c].support);
    const std::string prefix = "class." + names[c];
    out.add(percent_score(prefix + ".precision", classes[c].precision, support));
    out.add(percent_score(prefix + ".recall", classes[c].recall, support));
    out.add(percent_score(prefix + ".f1", classes[c].f1, support));
  }
}

void add_class_kinds(std::vector<ScoreKind>& out) {
  out.push_back(count_kind("total"));
  for (const char* measure : {"precision", "recall", "f1"})
    out.push_back(percent_kind(std::string("class.*.") + measure));
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

Scores ConfusionMatrix::scores() const {
  const auto count = static_cast<double>(total());
  return {percent_score("accuracy", accuracy(), count),
          percent_score("macro_f1", macro_f1(), count)};
}

Scores ConfusionMatrix::scores(const std::vector<std::string>& names) const {
  Scores out = scores();
  add_classes(out, static_cast<double>(total()), per_class(), names);
  return out;
}

std::vector<ScoreKind> ConfusionMatrix::kinds(bool with_classes) {
  std::vector<ScoreKind> out = {percent_kind("accuracy"), percent_kind("macro_f1")};
  if (with_classes) add_class_kinds(out);
  return out;
}

void LabelSetCounts::add(const std::vector<std::size_t>& expected,
                         const std::vector<std::size_t>& predicted) {
  for (const std::size_t id : expected) ++counts_[id].expected;
  for (const std::size_t id : predicted) {
    ++counts_[id].predicted;
    if (std::binary_search(expected.begin(), expected.end(), id)) ++counts_[id].both;
  }
  ++texts_;
  if (expected == predicted) ++right_;
}

std::vector<ClassScore> LabelSetCounts::per_label() const {
  std::vector<ClassScore> out;
  for (const Counts& label : counts_) {
    out.push_back({ratio(label.both, label.predicted), ratio(label.both, label.expected),
                   ratio(2 * label.both, label.expected + label.predicted),
                   static_cast<std::int64_t>(label.expected)});
  }
  return out;
}

double LabelSetCounts::micro_f1() const {
  double both = 0, marked = 0;
  for (const Counts& label : counts_) {
    both += label.both;
    marked += label.expected + label.predicted;
  }
  return ratio(2 * both, marked);
}

double LabelSetCounts::macro_f1() const {
  double sum = 0, present = 0;
  for (const Counts& label : counts_) {
    if (label.expected + label.predicted == 0) continue;
    sum += ratio(2 * label.both, label.expected + label.predicted);
    ++present;
  }
  return ratio(sum, present);
}

double LabelSetCounts::subset_accuracy() const {
  return ratio(right_, texts_);
}

Scores LabelSetCounts::scores() const {
  return {percent_score("micro_f1", micro_f1(), texts_),
          percent_score("macro_f1", macro_f1(), texts_),
          percent_score("subset_accuracy", subset_accuracy(), texts_)};
}

Scores LabelSetCounts::scores(const std::vector<std::string>& names) const {
  Scores out = scores();
  add_classes(out, texts_, per_label(), names);
  return out;
}

std::vector<ScoreKind> LabelSetCounts::kinds(bool with_labels) {
  std::vector<ScoreKind> out = {percent_kind("micro_f1"), percent_kind("macro_f1"),
                                percent_kind("subset_accuracy")};
  if (with_labels) add_class_kinds(out);
  return out;
}

}  // namespace llmctl
