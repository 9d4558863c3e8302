// Losses of a classifier's outputs. B rows, K outputs.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "models/model.h"
#include "tasks/hidden_distillation.h"
#include "train/interfaces.h"

namespace llmctl {

struct ClassLossOptions {
  ProblemType problem = ProblemType::kSingleLabel;
  double label_smoothing = 0;  ///< Szegedy et al., 2016, section 7
  double focal_gamma = 0;      ///< Lin et al., 2017: losses times (1 − p)^gamma; 0: as they are
  /// By class, each above 0; empty: all 1. Of several labels the weight of a label's presence
  /// against its absence (PyTorch's pos_weight); of one label they are in the batch's weights
  /// already, which the mean divides by, and here for the smoothed part.
  std::vector<double> class_weights = {};
  double consistency = 0;  ///< of a second term, the divergence of two views; 0: one view
  /// Of a third term, the divergence from the teacher's logits, extra "teacher" [B, K]; the first
  /// one has the rest. Nothing: no teacher.
  std::optional<double> soft_share = {};
  double soft_temperature = 1;
  /// Of a fourth term, the distance from the teacher's hidden states; null: none.
  std::shared_ptr<HiddenDistillation> hidden = {};
};

/// Puts what the second reading of consistency sees into the batch, where it is not what the first
/// one does: `view` has the same rows.
void add_second_view(const Batch& view, Batch& batch);

/// Logits [B, K] in fp32.
at::Tensor class_logits(Model& model, const Sequence& input, const Context& context);

/// The term "loss": the sum over rows of weight × loss, counted in weights. The loss of a row is
/// what transformers computes for the problem_type: cross-entropy (labels [B] int64), the mean over
/// the labels of binary cross-entropy (labels [B, K] of 0 and 1), or the squared error (labels [B]
/// float). Rows of weight 0 have no label. The terms "consistency" and "distillation" are sums over
/// all rows: half of KL(p‖q) + KL(q‖p) for two views p and q of a row, the mean of the labels'
/// where each stands for itself, the squared difference of values; and KL(teacher‖p) at the
/// temperature, whose square its coefficient has (of values again the squared difference). The term
/// "hidden" is HiddenDistillation's, counted in tokens.
class ClassificationLoss : public Loss {
 public:
  explicit ClassificationLoss(Model& model, ClassLossOptions options = {})
      : model_(model), options_(std::move(options)) {}
  std::vector<std::pair<std::string, double>> counts(const Batch& batch) const override;
  std::vector<LossTerm> terms(const Batch& batch, const Context& context) override;
  std::vector<std::pair<std::string, at::Tensor>> parameters() const override;
  double tokens(const Batch& batch) const override;

 private:
  Model& model_;
  ClassLossOptions options_;
  bool warned_ = false;  // that two views are equal
};

}  // namespace llmctl
