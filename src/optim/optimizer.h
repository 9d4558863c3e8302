// Optimisers over named parameters. Gradients arrive as sums and are scaled in the update's own
// pass.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/fields.h"

namespace llmctl {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// Section "optim" (all optimisers and schedules).
struct OptimConfig {
  std::string type = "adamw";
  double lr = 3e-4;
  double min_lr_ratio = 0.1;
  std::string schedule = "cosine";
  std::int64_t warmup_steps = 0;
  std::int64_t decay_steps = 0;
  double weight_decay = 0.1;
  double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
  double clip_norm = 1.0;
  double muon_lr_ratio = 3.0;
  double muon_momentum = 0.95;
  std::vector<std::string> freeze;
  double layer_decay = 1;
  std::int64_t unfreeze_steps = 0;
  double ema = 0;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("type", self.type,
          "adamw (decoupled weight decay, Loshchilov and Hutter 2019), adam (L2 in the gradient, "
          "Kingma and Ba 2015), or muon (orthogonalised momentum for the matrices inside blocks, "
          "Jordan et al. 2024, with adamw for the rest).",
          OneOf{{"adamw", "adam", "muon"}});
    visit("lr", self.lr, "Peak learning rate.", Range<double>{0, 10}, Change::kOnRequest);
    visit("min_lr_ratio", self.min_lr_ratio,
          "Learning rate at the end of the decay, as a share of lr.", Range<double>{0, 1},
          Change::kOnRequest);
    visit("schedule", self.schedule, "Shape after the warm-up.",
          OneOf{{"cosine", "linear", "constant", "inverse_sqrt"}}, Change::kOnRequest);
    visit("warmup_steps", self.warmup_steps, "Steps of linear warm-up.",
          Range<std::int64_t>{0, 1'000'000'000}, Change::kOnRequest);
    visit("decay_steps", self.decay_steps, "Step at which the decay ends; 0: the end of the run.",
          Range<std::int64_t>{0, 1'000'000'000}, Change::kOnRequest);
    visit("weight_decay", self.weight_decay, "Weight decay; biases and norms are spared.",
          Range<double>{0, 10}, Change::kOnRequest);
    visit("beta1", self.beta1, "Decay of the first moment.", Range<double>{0, 1},
          Change::kOnRequest);
    visit("beta2", self.beta2, "Decay of the second moment.", Range<double>{0, 1},
          Change::kOnRequest);
    visit("eps", self.eps, "Added to the root of the second moment.", Range<double>{0, 1},
          Change::kOnRequest);
    visit("clip_norm", self.clip_norm, "Largest global gradient norm; 0: no clipping.",
          Range<double>{0, 1e9}, Change::kOnRequest);
    visit("muon_lr_ratio", self.muon_lr_ratio,
          "Muon: learning rate of the matrices inside blocks, as a multiple of lr.",
          Range<double>{0, 1000}, Change::kOnRequest);
    visit("muon_momentum", self.muon_momentum, "Muon: decay of its momentum.", Range<double>{0, 1},
          Change::kOnRequest);
    visit("freeze", self.freeze,
          "Parameters that stay as they are: patterns of their Hugging Face names, * for anything "
          "(\"*embeddings*\", \"bert.encoder.layer.[0-5].*\").");
    visit("layer_decay", self.layer_decay,
          "Learning rate of each block as a share of the one above it; heads have lr, embeddings "
          "the least (0.8 to 0.95 for small labelled sets).",
          Range<double>{0, 1}, Change::kOnRequest);
    visit("unfreeze_steps", self.unfreeze_steps,
          "Gradual unfreezing: at first only heads are trained, and after each so many steps the "
          "next block below; 0: all from the beginning.",
          Range<std::int64_t>{0, 1'000'000'000}, Change::kOnRequest);
    visit("ema", self.ema,
          "Decay of a moving average of the weights, such as 0.999: it is what validation scores "
          "and what checkpoints hold as the model, the weights in training beside it; 0: none.",
          Range<double>{0, 0.999999});
  }
};

/// How one parameter is trained; which ones how: optim/parameter_plan.h.
struct ParameterPlan {
  bool decay = true;            ///< weight decay applies to it
  bool frozen = false;          ///< it stays as it is
  double rate = 1;              ///< times the learning rate
  std::int64_t first_step = 0;  ///< it is trained from this step of the run on
};

/// The learning rate of update `step` (from 0) of a run of `total` steps.
double learning_rate(const OptimConfig& config, std::int64_t step, std::int64_t total);

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// One update of every parameter that has a gradient: gradient / gradient_divisor, then the rule
  /// at `lr`.
  virtual void step(double lr, double gradient_divisor) = 0;
  /// State as tensors "STATE.PARAMETER" ("exp_avg.model.norm.weight", …) and the step count.
  virtual NamedTensors state() const = 0;
  virtual void load_state(const NamedTensors& state, std::int64_t steps) = 0;
  /// Exchanges the parameters and the average that is kept of them (optim/average.h); nothing where
  /// none is.
  virtual void exchange_average() {}
};

/// For parameters that are not frozen, with the plan of each; with an average of them where
/// config.ema asks for it.
std::unique_ptr<Optimizer> make_optimizer(const OptimConfig& config, const NamedTensors& parameters,
                                          const std::vector<ParameterPlan>& plans);

/// Sum of squares of all gradients (fp64), before any division.
double gradient_square_sum(const NamedTensors& parameters);

}  // namespace llmctl
