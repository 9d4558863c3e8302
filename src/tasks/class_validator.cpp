#include "tasks/class_validator.h"

#include <algorithm>

#include "tasks/class_decision.h"
#include "tasks/classification_report.h"

namespace llmctl {
namespace {

constexpr std::size_t kSamples = 4;

class ClassValidator : public Validator {
 public:
  ClassValidator(const SequenceClassificationConfig& config, Model& model, HeldOutTexts held,
                 PredictRows how, World& world)
      : config_(config), model_(model), held_(held), how_(how), world_(world) {}

  ValidationResult validate(const Context& context) override {
    how_.context = context;
    const std::vector<LabelledText>& texts = held_.texts;
    const ClassLogits logits = predict_all_logits(model_, held_.rows, how_, world_);
    ClassDecision decision = decision_of(model_, config_);
    if (config_.calibrate) {
      // What was fitted at an earlier validation is no setting.
      decision = fitted_decision(decision, config_, texts, logits);
      note_decision(decision, config_.type, model_.config());
    }
    ValidationResult result;
    result.scores = class_scores(decision, texts, logits, false);
    result.scores.add(loss_score(kLossName, mean_class_loss(decision.problem, texts, logits),
                                 static_cast<double>(texts.size())));
    for (std::size_t i = 0; i < std::min(kSamples, texts.size()); ++i)
      result.samples.push_back(class_sample(decision, texts[i], logits[i]));
    return result;
  }

 private:
  const SequenceClassificationConfig& config_;
  Model& model_;
  const HeldOutTexts held_;
  PredictRows how_;
  World& world_;
};

}  // namespace

std::unique_ptr<Validator> make_class_validator(const SequenceClassificationConfig& config,
                                                Model& model, HeldOutTexts held, PredictRows how,
                                                World& world) {
  return std::make_unique<ClassValidator>(config, model, held, how, world);
}

}  // namespace llmctl
