// From a classifier's outputs to what they say: calibrated probabilities and chosen classes.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/model.h"
#include "tasks/answer.h"
#include "text/truncate.h"

namespace llmctl {

struct SequenceClassificationConfig;

/// Member of task_specific_params that keeps task.truncation_side.
inline constexpr const char* kTruncationSide = "truncation_side";

/// How a model's outputs are read.
struct ClassDecision {
  ProblemType problem = ProblemType::kSingleLabel;
  std::vector<std::string> names;       ///< of the classes, by id
  double temperature = 1;               ///< logits are divided by it; 1 for values
  std::vector<double> thresholds = {};  ///< of several labels, by id; empty: 0.5 each

  /// Probabilities of one class or of each for itself, or the values themselves.
  std::vector<float> values(std::vector<float> logits) const;
  double threshold(std::size_t id) const { return thresholds.empty() ? 0.5 : thresholds[id]; }
  /// Ids of the classes that such values choose: the best one, or those at their threshold; of
  /// values none.
  std::vector<std::size_t> chosen(const std::vector<float>& values) const;
};

/// Refuses (kConfig) thresholds where there is but one label, or a value.
void check_thresholds(ProblemType problem, const SequenceClassificationConfig& config);

/// The decision of a model: what `config` says, else what its training left in config.json
/// (task_specific_params). kConfig for a threshold of an unknown label, or of a single one.
ClassDecision decision_of(const Model& model, const SequenceClassificationConfig& config);

/// How records are read for a trained model: as `config` says, else as its training left it in
/// config.json (task.pairs).
SequenceClassificationConfig reading_of(const Model& model, SequenceClassificationConfig config);

/// What texts lose that are too long in training: as `config` says, else as the tokenizer's files
/// do, else their end.
TruncationSide truncation_side_of(const SequenceClassificationConfig& config,
                                  const Tokenizer& tokenizer);
/// The same for a trained model, before whose tokenizer goes what its training left in config.json.
TruncationSide truncation_side_of(const SequenceClassificationConfig& config,
                                  const Tokenizer& tokenizer, const Model& model);

/// Leaves temperature and thresholds in a model's config.json, where decision_of() finds them.
void note_decision(const ClassDecision& decision, const std::string& task, Json& config);

/// Classes of a text, or values, as the model's problem_type says.
class ClassAnswer : public Answer {
 public:
  /// `values`: probabilities of the decision's classes, or (regression) the outputs.
  ClassAnswer(ClassDecision decision, std::vector<float> values)
      : decision_(std::move(decision)), values_(std::move(values)) {}
  const std::vector<std::string>& names() const { return decision_.names; }
  const std::vector<float>& values() const { return values_; }
  /// The best class; of several labels those that reach their thresholds; of values all names.
  std::vector<std::string> chosen() const;
  /// "prediction" (a class, a list of classes, a value) and "scores", each class's probability or
  /// value.
  Json record() const override;
  std::string text() const override;

 private:
  ClassDecision decision_;
  std::vector<float> values_;
};

}  // namespace llmctl
