#include "tasks/record_names.h"

namespace llmctl {

const std::vector<std::string>& prediction_fields() {
  static const std::vector<std::string> kNames = {kPrediction, kGeneratedText, "predicted_label",
                                                  "prediction_text", "predicted_answer"};
  return kNames;
}

const std::vector<std::string>& label_fields() {
  static const std::vector<std::string> kNames = {"label",     "class",  "category",
                                                  "sentiment", "target", "intent"};
  return kNames;
}

const std::vector<std::string>& answer_fields() {
  static const std::vector<std::string> kNames = {"answer", "output", "response", "completion"};
  return kNames;
}

}  // namespace llmctl
