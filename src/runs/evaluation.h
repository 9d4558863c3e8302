// `eval`: scores of a model on texts and labelled files, of predictions against references, beside
// yardsticks.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/fields.h"
#include "metrics/score.h"
#include "tasks/task.h"

namespace llmctl {

/// One thing that was scored.
struct EvaluationEntry {
  std::string name;  ///< as the configuration calls it, else the type
  std::string type;  ///< the task's
  std::string data;  ///< what it was scored on, for people
  Scores scores;
  std::vector<Baseline> baselines;  ///< what rules without a model reach on the same data
  std::vector<std::string> samples;
  std::vector<EvaluationTable> tables;
};

struct EvaluationReport {
  std::string model;  ///< directory; empty for predictions files
  std::vector<EvaluationEntry> entries;
  std::vector<std::string> missed;  ///< bounds of fail_under that were not met, in words
  /// What the user should know, a line each: settings without effect, doubtful bounds, prompts that
  /// were shortened; and how scores were computed (sacreBLEU's signatures).
  std::vector<std::string> notes;
  /// Scores as bounds name them: "NAME.METRIC", and "METRIC" too when there is one entry; baselines
  /// as "NAME.RULE.METRIC" ("ngram5.loss").
  Scores flat() const;
  Json to_json() const;
};

/// Keys of an entry of `tasks`, without those of its task.
std::vector<FieldDoc> describe_evaluation_entry();

/// Scores what the configuration names; without tasks, a run directory is scored on its own
/// held-out data. Predictions are written where a task's key save_predictions says. A dry run loads
/// the model and finds every file, scores nothing and writes nothing: entries tell what they are.
/// Files that are there are refused (kCannotCreate) before the first score, unless `overwrite`.
EvaluationReport run_evaluation(const JsonDocument& document, bool dry_run = false,
                                bool overwrite = false);

}  // namespace llmctl
