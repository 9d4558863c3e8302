// Scores of a language model on held-out shards.
#pragma once

#include <cstdint>
#include <memory>

#include "data/row_plan.h"
#include "io/shards.h"
#include "models/model.h"
#include "tasks/lm_rows.h"
#include "train/interfaces.h"

namespace llmctl {

/// What is scored and how it is cut into rows.
struct LmValidation {
  std::shared_ptr<const Shards> shards;
  RowPlanOptions plan;
  MakeRow make_row;
  std::int64_t pad = 0;
  std::int64_t batch_size = 32;  ///< rows per forward pass
  LmScores scores;
};

/// "loss" and "perplexity" over the labelled tokens of all rows, and what LmScores asks for. kData
/// where there is no row or no labelled token.
class LmValidator : public Validator {
 public:
  LmValidator(Model& model, LmValidation validation, World& world);
  ValidationResult validate(const Context& context) override;

 private:
  Model& model_;
  LmValidation validation_;
  RowPlan plan_;
  World& world_;
};

}  // namespace llmctl
