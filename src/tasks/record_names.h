// The names under which records hold predictions and references: sets without a common name, so
// that a record with both is never scored against itself.
#pragma once

#include <string>
#include <vector>

namespace llmctl {

/// A prediction as `generate` and `eval` write it: the span of an answer, a class, a score.
inline constexpr const char* kPrediction = "prediction";
/// A text that a model wrote.
inline constexpr const char* kGeneratedText = "generated_text";

/// The n best answers to a question, best first: a list of {"text", "probability", …}.
inline constexpr const char* kNBest = "n_best";
/// How likely it is that a question has no answer, beside the best span alone.
inline constexpr const char* kNoAnswerProbability = "no_answer_probability";

/// Fields that are read as a prediction, the first that a record has.
const std::vector<std::string>& prediction_fields();

/// Fields that are read as a reference: the class of a text, the answer to a prompt.
const std::vector<std::string>& label_fields();
const std::vector<std::string>& answer_fields();

}  // namespace llmctl
