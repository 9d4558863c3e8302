// Who answers with a classifier of tokens.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tasks/tag_rows.h"
#include "tasks/token_classification.h"

namespace llmctl {

/// The tags of a model's classes, by id. kData for classes that are none.
std::vector<std::string> model_tags(const Model& model);

/// What a model finds in each text of some rows.
std::vector<std::vector<PredictedEntity>> predict_entities(Model& model, const TagRows& rows,
                                                           std::int64_t batch_size,
                                                           const Context& context);

/// Answers texts with their spans, as SpansAnswer.
std::unique_ptr<Responder> make_spans_responder(const TokenClassificationConfig& config,
                                                std::shared_ptr<const Tokenizer> tokenizer,
                                                Model& model, const AnswerOptions& options);

}  // namespace llmctl
