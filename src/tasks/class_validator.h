// Scores of a classifier on held-out texts.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tasks/classification_config.h"
#include "tasks/labelled_texts.h"
#include "tasks/text_rows.h"
#include "train/interfaces.h"

namespace llmctl {

/// Held-out texts with their rows.
struct HeldOutTexts {
  const std::vector<LabelledText>& texts;
  const TextRows& rows;
};

/// The scores of a problem, a loss and a few samples. With task.calibrate each validation fits the
/// temperature and the thresholds first and leaves them in the model's configuration. What `held`
/// refers to must outlive it.
std::unique_ptr<Validator> make_class_validator(const SequenceClassificationConfig& config,
                                                Model& model, HeldOutTexts held, PredictRows how,
                                                World& world);

}  // namespace llmctl
