// What a classifier's outputs for labelled texts come to: scores, calibration, tables for people.
#pragma once

#include <string>
#include <vector>

#include "metrics/score.h"
#include "tasks/class_decision.h"
#include "tasks/labelled_texts.h"
#include "tasks/task.h"

namespace llmctl {

/// Outputs of each text.
using ClassLogits = std::vector<std::vector<float>>;

/// The decision with temperature and thresholds fitted to the texts, except where `config` names
/// them itself: a temperature first, then for each of several labels the threshold of the highest
/// F1.
ClassDecision fitted_decision(ClassDecision decision, const SequenceClassificationConfig& config,
                              const std::vector<LabelledText>& texts, const ClassLogits& logits);

/// What class_scores() gives for a problem, without or with the scores of each class and of the
/// calibration.
std::vector<ScoreKind> class_score_kinds(ProblemType problem, bool detailed);
Scores class_scores(const ClassDecision& decision, const std::vector<LabelledText>& texts,
                    const ClassLogits& logits, bool detailed);
/// Scores of predictions that are no outputs of a model: ids of classes, or values.
Scores class_scores_of(ProblemType problem, const std::vector<std::string>& names,
                       const std::vector<LabelledText>& texts,
                       const std::vector<std::vector<std::size_t>>& classes,
                       const std::vector<double>& values);

/// The score by which the best checkpoint is chosen.
std::string best_class_score(ProblemType problem);
/// Mean loss of a text, as the training without weights has it.
double mean_class_loss(ProblemType problem, const std::vector<LabelledText>& texts,
                       const ClassLogits& logits);

/// A rule without a model: always the most frequent class or set of labels, or the mean value.
std::string class_baseline_rule(ProblemType problem);
Scores class_baseline(ProblemType problem, const std::vector<std::string>& names,
                      const std::vector<LabelledText>& texts);

/// The confusion matrix, the reliability of the probabilities, and the worst errors.
std::vector<EvaluationTable> class_tables(const ClassDecision& decision,
                                          const std::vector<LabelledText>& texts,
                                          const ClassLogits& logits);

/// "text | pair → predicted   [expected]".
std::string class_sample(const ClassDecision& decision, const LabelledText& text,
                         const std::vector<float>& logits);

}  // namespace llmctl
