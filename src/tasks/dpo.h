// Preference tuning: a causal language model learns which of two answers is better.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tasks/task.h"
#include "tasks/text_generation.h"

namespace llmctl {

/// Section "task" of type dpo.
struct DpoConfig {
  std::string type = "dpo";
  double beta = 0.1;
  std::string loss_type = "sigmoid";
  double label_smoothing = 0;
  std::string reference;
  std::optional<std::string> prompt_field, chosen_field, rejected_field;
  std::optional<std::string> prompt_template;
  std::string chat_template;
  std::optional<bool> conversations;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("type", self.type, "The task.", OneOf{{"dpo"}});
    visit("beta", self.beta,
          "How strongly the model is held to the reference: the larger, the nearer it stays.",
          Range<double>{1e-6, 1e6});
    visit("loss_type", self.loss_type,
          "sigmoid (DPO; Rafailov et al., 2023), hinge (SLiC; Zhao et al., 2023) or ipo (Azar et "
          "al., 2023, of log-probabilities for each token), as TRL defines them.",
          OneOf{{"sigmoid", "hinge", "ipo"}});
    visit(
        "label_smoothing", self.label_smoothing,
        "Of sigmoid: the share of pairs that are believed to be the wrong way round (conservative "
        "DPO; Mitchell, 2023).",
        Range<double>{0, 0.5});
    visit("reference", self.reference,
          "Model that stays as it is and that preferences are measured against; empty: "
          "model.init_from, which with lora is the model without its adapter.",
          PathKey{.or_name = true});
    visit("prompt_field", self.prompt_field,
          "Field of the prompt; absent: prompt, question or instruction, as the file has it.");
    visit("chosen_field", self.chosen_field, "Field of the better answer; absent: chosen.");
    visit("rejected_field", self.rejected_field, "Field of the worse answer; absent: rejected.");
    visit_form_keys(self, visit);
  }
  void validate(const ConfigNode& node) const;
};

std::unique_ptr<Task> make_dpo(const DpoConfig& config, std::shared_ptr<const Tokenizer> tokenizer);

}  // namespace llmctl
