// Who answers with a classifier.
#pragma once

#include <memory>

#include "tasks/classification_config.h"
#include "tasks/task.h"

namespace llmctl {

/// Answers texts with their classes or values, as ClassAnswer.
std::unique_ptr<Responder> make_class_responder(const SequenceClassificationConfig& config,
                                                std::shared_ptr<const Tokenizer> tokenizer,
                                                Model& model, const AnswerOptions& options);

}  // namespace llmctl
