// Classification of texts or pairs of texts into named classes, one or several for each text, and
// numbers for texts (regression).
#pragma once

#include <memory>

#include "tasks/classification_config.h"
#include "tasks/task.h"

namespace llmctl {

std::unique_ptr<Task> make_sequence_classification(const SequenceClassificationConfig& config,
                                                   std::shared_ptr<const Tokenizer> tokenizer);

}  // namespace llmctl
