// Files of predicted classes, or values, beside labelled texts.
#pragma once

#include <filesystem>
#include <vector>

#include "tasks/classification_config.h"
#include "tasks/task.h"

namespace llmctl {

/// Scores a file of predictions against its references. Classes that no reference has count as
/// wrong. kData.
TaskEvaluation score_class_predictions(const SequenceClassificationConfig& config,
                                       ProblemType problem,
                                       const std::filesystem::path& predictions,
                                       const std::vector<std::filesystem::path>& references);

}  // namespace llmctl
