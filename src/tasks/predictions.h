// Predictions files: what `generate -o` and `eval --save-predictions` write and `eval
// --predictions` reads.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "config/json.h"
#include "tasks/answer.h"

namespace llmctl {

/// An id as text: strings as they are, numbers as JSON spells them.
std::string id_text(const Json& id);

/// A record's prediction and where it stands.
struct Prediction {
  std::string id;     ///< empty: the file goes by the order of its records
  Json value;         ///< of the first field of prediction_fields()
  std::string place;  ///< "FILE:LINE"
  Json record = {};   ///< all of it, where the file goes by the order of its records

  /// A text or a number as text; kData for what is neither.
  std::string text() const;
};

/// The records of a predictions file. kData, naming the record: no field of a prediction (naming
/// those of references that stand there), ids that only some have or that occur twice.
std::vector<Prediction> read_predictions(const std::filesystem::path& file);

/// What a prediction is matched with.
struct ReferenceInput {
  std::string id;
  std::vector<std::string> texts;  ///< such as a question and its passage
  std::string place;               ///< "FILE:LINE"
};
/// Finds the texts of an input in its record; kData where it has none.
using InputReader = std::function<std::vector<std::string>(const AnswerInput&)>;

/// The predictions of `file` in the order of their references, by id where the predictions have
/// ids, else by their order. kData, naming the row: a reference without a prediction, a prediction
/// without a reference, and without ids one whose record has, as those of `generate` do, an input,
/// and that of another reference. White space does not count there; inputs that no reference has
/// are not looked at.
std::vector<Prediction> match_predictions(std::vector<Prediction> predictions,
                                          const std::vector<ReferenceInput>& references,
                                          const std::filesystem::path& file,
                                          const InputReader& read);

}  // namespace llmctl
