// Scores of a model on tasks, or of a predictions file against references.
#pragma once

#include <map>
#include <string>

#include "llmctl/configuration.h"

namespace llmctl {

struct EvaluationResult {
  /// "NAME.METRIC", or "METRIC" when there is one task. Shares (accuracy, exact_match, f1, …) are
  /// percentages, 0 to 100.
  std::map<std::string, double> scores;
  bool bounds_met = true;  ///< every fail_under bound holds
  std::string json;        ///< everything, as `llmctl eval --json` prints it
};

/// `llmctl eval`.
EvaluationResult evaluate(const Configuration& configuration);

}  // namespace llmctl
