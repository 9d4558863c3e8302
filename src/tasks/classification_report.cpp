#include "tasks/classification_report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/strings.h"
#include "base/utf8.h"
#include "metrics/calibration.h"
#include "metrics/classification.h"
#include "metrics/correlation.h"
#include "report/table.h"

namespace llmctl {
namespace {

constexpr std::size_t kWorstErrors = 10;
constexpr std::size_t kShownCharacters = 80;
constexpr std::size_t kMostClassesOfTable = 20;
const std::string kCalibrationError = "expected_calibration_error";

ScoreKind correlation_kind(const char* name) {
  return {name, Direction::kHigher, Scale::kUnbounded};
}

std::vector<ScoreKind> value_kinds(bool detailed) {
  std::vector<ScoreKind> kinds = {correlation_kind("pearson"), correlation_kind("spearman"),
                                  loss_kind("mse"), loss_kind("mae")};
  if (detailed) kinds.push_back(count_kind("total"));
  return kinds;
}

Scores value_scores(const std::vector<LabelledText>& texts, const std::vector<double>& predicted,
                    bool detailed) {
  std::vector<double> truth;
  double squares = 0, distances = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    truth.push_back(texts[i].value);
    const double error = predicted[i] - texts[i].value;
    squares += error * error;
    distances += std::abs(error);
  }
  const auto count = static_cast<double>(texts.size());
  const std::vector<double> values = {pearson(predicted, truth), spearman(predicted, truth),
                                      squares / count, distances / count};
  const std::vector<ScoreKind> kinds = value_kinds(false);
  Scores scores;
  for (std::size_t i = 0; i < kinds.size(); ++i) scores.add({kinds[i], values[i], count});
  if (detailed) scores.add(count_score("total", count));
  return scores;
}

std::vector<double> first_outputs(const ClassLogits& logits) {
  std::vector<double> values;
  for (const auto& row : logits) values.push_back(row.empty() ? 0 : row.front());
  return values;
}

bool holds(const LabelledText& text, std::size_t id) {
  return std::binary_search(text.classes.begin(), text.classes.end(), id);
}

/// Of one label its confidence, of several each label's probability.
Reliability reliability_of(const ClassDecision& decision, const std::vector<LabelledText>& texts,
                           const ClassLogits& logits) {
  Reliability reliability;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::vector<float> values = decision.values(logits[i]);
    if (decision.problem == ProblemType::kSingleLabel) {
      const std::size_t best = decision.chosen(values).front();
      reliability.add(values[best], holds(texts[i], best));
    } else {
      for (std::size_t id = 0; id < values.size(); ++id)
        reliability.add(values[id], holds(texts[i], id));
    }
  }
  return reliability;
}

double row_loss(ProblemType problem, const LabelledText& text, const std::vector<float>& row) {
  if (problem == ProblemType::kRegression) return (row[0] - text.value) * (row[0] - text.value);
  if (problem == ProblemType::kMultiLabel) {
    double sum = 0;
    for (std::size_t id = 0; id < row.size(); ++id) {
      const double margin = holds(text, id) ? row[id] : -row[id];
      sum += margin > 0 ? std::log1p(std::exp(-margin)) : std::log1p(std::exp(margin)) - margin;
    }
    return sum / static_cast<double>(row.size());
  }
  const double greatest = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const float logit : row) sum += std::exp(logit - greatest);
  return greatest + std::log(sum) - row[text.classes.front()];
}

std::string shown_text(const LabelledText& text) {
  const std::string whole = text.text + (text.pair ? " | " + *text.pair : "");
  const std::vector<std::size_t> points = code_point_offsets(whole);
  if (points.size() <= kShownCharacters) return whole;
  return whole.substr(0, points[kShownCharacters]) + "…";
}

std::string predicted_text(const ClassDecision& decision, const std::vector<float>& values) {
  if (decision.problem == ProblemType::kRegression) return format_number(values.front(), 4);
  std::vector<std::string> names;
  for (const std::size_t id : decision.chosen(values)) names.push_back(decision.names[id]);
  return names.empty() ? "(none)" : join(names);
}

std::string expected_text(ProblemType problem, const LabelledText& text) {
  const std::string label =
      problem == ProblemType::kRegression ? format_number(text.value, 4) : text.label();
  return label.empty() ? "(none)" : label;
}

ConfusionMatrix confusion(const ClassDecision& decision, const std::vector<LabelledText>& texts,
                          const ClassLogits& logits) {
  ConfusionMatrix matrix(decision.names.size());
  for (std::size_t i = 0; i < texts.size(); ++i)
    matrix.add(texts[i].classes.front(), decision.chosen(decision.values(logits[i])).front());
  return matrix;
}

/// Classes in rows, what they were taken for in columns; of many classes the pairs that are
/// confused most.
EvaluationTable confusion_table(const ConfusionMatrix& matrix,
                                const std::vector<std::string>& names) {
  EvaluationTable table{"confusion matrix (rows: true, columns: predicted)", {""}, {}, {}};
  if (names.size() <= kMostClassesOfTable) {
    table.columns.insert(table.columns.end(), names.begin(), names.end());
    for (std::size_t row = 0; row < names.size(); ++row) {
      std::vector<std::string> cells = {names[row]};
      double support = 0;
      for (std::size_t column = 0; column < names.size(); ++column) {
        cells.push_back(std::to_string(matrix.count(row, column)));
        support += static_cast<double>(matrix.count(row, column));
      }
      for (std::size_t column = 0; column < names.size(); ++column) {
        const auto count = static_cast<double>(matrix.count(row, column));
        table.shades.push_back(support > 0 ? static_cast<float>(count / support) : 0);
      }
      table.rows.push_back(std::move(cells));
    }
    return table;
  }
  table = {"most frequent confusions", {"true", "predicted", "texts"}, {}, {}};
  struct Pair {
    std::size_t row, column;
    std::int64_t count;
  };
  std::vector<Pair> pairs;
  for (std::size_t row = 0; row < names.size(); ++row) {
    for (std::size_t column = 0; column < names.size(); ++column) {
      const std::int64_t count = matrix.count(row, column);
      if (row != column && count > 0) pairs.push_back({row, column, count});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Pair& a, const Pair& b) { return a.count > b.count; });
  for (std::size_t i = 0; i < std::min(pairs.size(), kMostClassesOfTable); ++i) {
    table.rows.push_back(
        {names[pairs[i].row], names[pairs[i].column], std::to_string(pairs[i].count)});
  }
  return table;
}

EvaluationTable reliability_table(const ClassDecision& decision, const Reliability& reliability) {
  const bool single = decision.problem == ProblemType::kSingleLabel;
  EvaluationTable table{
      "reliability",
      {"probability", single ? "texts" : "labels", "mean probability", single ? "right" : "true"},
      {},
      {}};
  for (std::size_t b = 0; b < Reliability::kBins; ++b) {
    const Reliability::Bin& bin = reliability.bins()[b];
    if (bin.count == 0) continue;
    const auto edge = [](std::size_t index) {
      return format_number(static_cast<double>(index) / Reliability::kBins, 2);
    };
    table.rows.push_back({edge(b) + "–" + edge(b + 1), format_number(bin.count, 0),
                          format_percent(bin.confidence / bin.count),
                          format_percent(bin.right / bin.count)});
  }
  return table;
}

EvaluationTable worst_errors(const ClassDecision& decision, const std::vector<LabelledText>& texts,
                             const ClassLogits& logits) {
  EvaluationTable table{"worst errors", {"text", "true", "predicted", "loss", "place"}, {}, {}};
  std::vector<std::pair<double, std::size_t>> errors;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const bool wrong = decision.problem == ProblemType::kRegression ||
                       decision.chosen(decision.values(logits[i])) != texts[i].classes;
    if (wrong) errors.emplace_back(row_loss(decision.problem, texts[i], logits[i]), i);
  }
  std::stable_sort(errors.begin(), errors.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (std::size_t e = 0; e < std::min(errors.size(), kWorstErrors); ++e) {
    const auto& [loss, i] = errors[e];
    table.rows.push_back({shown_text(texts[i]), expected_text(decision.problem, texts[i]),
                          predicted_text(decision, decision.values(logits[i])),
                          format_number(loss, 4), texts[i].place});
  }
  return table;
}

}  // namespace

ClassDecision fitted_decision(ClassDecision decision, const SequenceClassificationConfig& config,
                              const std::vector<LabelledText>& texts, const ClassLogits& logits) {
  if (decision.problem == ProblemType::kRegression || texts.empty()) return decision;
  const std::size_t width = decision.names.size();
  std::vector<float> all;
  std::vector<bool> truth;
  std::vector<std::size_t> labels;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    all.insert(all.end(), logits[i].begin(), logits[i].end());
    if (decision.problem == ProblemType::kSingleLabel) {
      labels.push_back(texts[i].classes.front());
    } else {
      for (std::size_t id = 0; id < width; ++id) truth.push_back(holds(texts[i], id));
    }
  }
  if (!config.temperature) {
    decision.temperature = decision.problem == ProblemType::kSingleLabel
                               ? fit_temperature(all, labels, width)
                               : fit_sigmoid_temperature(all, truth);
  }
  if (decision.problem != ProblemType::kMultiLabel) return decision;
  std::vector<bool> given(width, false);
  for (const auto& [label, threshold] : config.thresholds)
    given[label_id(label, decision.names).value()] = true;
  decision.thresholds.resize(width, 0.5);
  std::vector<std::vector<float>> values;
  for (const auto& row : logits) values.push_back(decision.values(row));
  for (std::size_t id = 0; id < width; ++id) {
    if (given[id]) continue;
    std::vector<float> probabilities;
    std::vector<bool> present;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      probabilities.push_back(values[i][id]);
      present.push_back(truth[i * width + id]);
    }
    decision.thresholds[id] = best_f1_threshold(probabilities, present);
  }
  return decision;
}

std::vector<ScoreKind> class_score_kinds(ProblemType problem, bool detailed) {
  if (problem == ProblemType::kRegression) return value_kinds(detailed);
  std::vector<ScoreKind> kinds = problem == ProblemType::kSingleLabel
                                     ? ConfusionMatrix::kinds(detailed)
                                     : LabelSetCounts::kinds(detailed);
  if (detailed) kinds.push_back({kCalibrationError, Direction::kLower, Scale::kPercent});
  return kinds;
}

Scores class_scores(const ClassDecision& decision, const std::vector<LabelledText>& texts,
                    const ClassLogits& logits, bool detailed) {
  if (decision.problem == ProblemType::kRegression)
    return value_scores(texts, first_outputs(logits), detailed);
  Scores scores;
  if (decision.problem == ProblemType::kSingleLabel) {
    const ConfusionMatrix matrix = confusion(decision, texts, logits);
    scores = detailed ? matrix.scores(decision.names) : matrix.scores();
  } else {
    LabelSetCounts counts(decision.names.size());
    for (std::size_t i = 0; i < texts.size(); ++i)
      counts.add(texts[i].classes, decision.chosen(decision.values(logits[i])));
    scores = detailed ? counts.scores(decision.names) : counts.scores();
  }
  if (detailed) {
    Score error = percent_score(
        kCalibrationError, reliability_of(decision, texts, logits).expected_calibration_error(),
        static_cast<double>(texts.size()));
    error.kind.better = Direction::kLower;
    scores.add(error);
  }
  return scores;
}

Scores class_scores_of(ProblemType problem, const std::vector<std::string>& names,
                       const std::vector<LabelledText>& texts,
                       const std::vector<std::vector<std::size_t>>& classes,
                       const std::vector<double>& values) {
  if (problem == ProblemType::kRegression) return value_scores(texts, values, true);
  if (problem == ProblemType::kSingleLabel) {
    ConfusionMatrix matrix(names.size());
    for (std::size_t i = 0; i < texts.size(); ++i)
      matrix.add(texts[i].classes.front(), classes[i].front());
    return matrix.scores(names);
  }
  LabelSetCounts counts(names.size());
  for (std::size_t i = 0; i < texts.size(); ++i) counts.add(texts[i].classes, classes[i]);
  return counts.scores(names);
}

std::string best_class_score(ProblemType problem) {
  switch (problem) {
    case ProblemType::kSingleLabel:
      return "accuracy";
    case ProblemType::kMultiLabel:
      return "micro_f1";
    case ProblemType::kRegression:
      break;
  }
  return "pearson";
}

double mean_class_loss(ProblemType problem, const std::vector<LabelledText>& texts,
                       const ClassLogits& logits) {
  double sum = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) sum += row_loss(problem, texts[i], logits[i]);
  return sum / static_cast<double>(texts.size());
}

std::string class_baseline_rule(ProblemType problem) {
  switch (problem) {
    case ProblemType::kSingleLabel:
      return "most frequent class";
    case ProblemType::kMultiLabel:
      return "most frequent labels";
    case ProblemType::kRegression:
      break;
  }
  return "mean value";
}

Scores class_baseline(ProblemType problem, const std::vector<std::string>& names,
                      const std::vector<LabelledText>& texts) {
  std::map<std::vector<std::size_t>, std::size_t> counts;
  double sum = 0;
  for (const LabelledText& text : texts) {
    ++counts[text.classes];
    sum += text.value;
  }
  const auto most =
      std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
        return a.second < b.second;
      })->first;
  return class_scores_of(problem, names, texts, std::vector(texts.size(), most),
                         std::vector(texts.size(), sum / static_cast<double>(texts.size())));
}

std::vector<EvaluationTable> class_tables(const ClassDecision& decision,
                                          const std::vector<LabelledText>& texts,
                                          const ClassLogits& logits) {
  std::vector<EvaluationTable> tables;
  if (decision.problem == ProblemType::kSingleLabel)
    tables.push_back(confusion_table(confusion(decision, texts, logits), decision.names));
  if (decision.problem != ProblemType::kRegression)
    tables.push_back(reliability_table(decision, reliability_of(decision, texts, logits)));
  tables.push_back(worst_errors(decision, texts, logits));
  return tables;
}

std::string class_sample(const ClassDecision& decision, const LabelledText& text,
                         const std::vector<float>& logits) {
  return concat(text.text, text.pair ? " | " + *text.pair : "", " → ",
                predicted_text(decision, decision.values(logits)), "   [",
                expected_text(decision.problem, text), "]");
}

}  // namespace llmctl
