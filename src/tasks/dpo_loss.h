// Direct preference optimisation (Rafailov et al., 2023): a model learns to prefer the chosen of
// two answers to the rejected one, relative to a reference model that stays as it is.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "models/model.h"
#include "train/interfaces.h"

namespace llmctl {

/// Which function of the margins is minimised, by the names of TRL.
struct DpoRule {
  std::string type = "sigmoid";  ///< "sigmoid", "hinge" (Zhao et al., 2023) or "ipo" (Azar, 2023)
  double beta = 0.1;
  double label_smoothing = 0;  ///< of "sigmoid": share of pairs whose answers are swapped
};

/// What a model thinks of the answers of B pairs.
struct PairLogProbabilities {
  at::Tensor chosen, rejected;                ///< [B] fp32: sums over an answer's tokens
  at::Tensor chosen_tokens, rejected_tokens;  ///< [B] fp32: how many those are
};

/// Losses [B] with gradient in the policy's. "ipo" takes means over an answer's tokens, the others
/// their sums.
at::Tensor dpo_losses(const DpoRule& rule, const PairLogProbabilities& policy,
                      const PairLogProbabilities& reference);

/// Log-probabilities of the labelled tokens of each row of a batch of 2·B rows, the chosen answers
/// before the rejected ones. With gradient where it is enabled.
PairLogProbabilities pair_log_probabilities(Model& model, const Batch& batch,
                                            const Context& context);

/// What pairs come to, as sums over them.
struct PairTotals {
  double loss = 0, right = 0, margin = 0, chosen = 0, rejected = 0;  ///< rewards are times beta
};
PairTotals pair_totals(const DpoRule& rule, const PairLogProbabilities& policy,
                       const PairLogProbabilities& reference);

/// One term, "loss", over the pairs of a batch as pair_log_probabilities() takes it, with the
/// extras reward_accuracy, reward_margin, chosen_reward and rejected_reward. The reference is on
/// the model's device and takes no gradient.
std::unique_ptr<Loss> make_dpo_loss(Model& model, std::shared_ptr<Model> reference,
                                    const DpoRule& rule);

}  // namespace llmctl
