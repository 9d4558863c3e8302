#include "optim/muon.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace llmctl {

bool is_block_matrix(const std::string& name, const at::Tensor& tensor) {
  if (tensor.dim() != 2) return false;
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    if (end > begin && std::all_of(name.begin() + static_cast<std::ptrdiff_t>(begin),
                                   name.begin() + static_cast<std::ptrdiff_t>(end),
                                   [](char c) { return c >= '0' && c <= '9'; })) {
      return true;
    }
    begin = end + 1;
  }
  return false;
}

at::Tensor orthogonalize(const at::Tensor& gradient) {
  // Coefficients that send singular values near 1 fast; exactly 1 is not needed.
  constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315;
  constexpr int kSteps = 5;
  const bool tall = gradient.size(0) > gradient.size(1);
  at::Tensor x = tall ? gradient.t() : gradient;
  x = x / at::linalg_vector_norm(x).clamp_min(1e-7);
  for (int step = 0; step < kSteps; ++step) {
    const at::Tensor gram = at::matmul(x, x.t());
    const at::Tensor polynomial = at::addmm(gram, gram, gram, /*beta=*/kB, /*alpha=*/kC);
    x = at::addmm(x, polynomial, x, /*beta=*/kA, /*alpha=*/1.0);
  }
  return tall ? x.t() : x;
}

namespace {

class Muon : public Optimizer {
 public:
  Muon(const OptimConfig& config, const NamedTensors& parameters,
       const std::vector<ParameterPlan>& plans)
      : config_(config) {
    NamedTensors others;
    std::vector<ParameterPlan> others_plans;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const auto& [name, tensor] = parameters[i];
      if (is_block_matrix(name, tensor)) {
        slots_.push_back({name, tensor, at::zeros_like(tensor), plans.at(i)});
      } else {
        others.push_back(parameters[i]);
        others_plans.push_back(plans.at(i));
      }
    }
    adam_ = make_adam(config, others, others_plans);
  }

  void step(double lr, double gradient_divisor) override {
    adam_->step(lr, gradient_divisor);
    const c10::AutoGradMode no_grad(false);
    for (Slot& slot : slots_) {
      at::Tensor parameter = slot.parameter;
      if (!parameter.grad().defined()) continue;
      const at::Tensor gradient = parameter.grad() / gradient_divisor;
      slot.momentum.lerp_(gradient, 1 - config_.muon_momentum);
      const at::Tensor direction =
          orthogonalize(gradient.lerp(slot.momentum, config_.muon_momentum));  // Nesterov
      // With this factor an update is as large, root mean square, as AdamW's, so that rates compare
      // (Liu et al., 2025).
      const double size =
          0.2 * std::sqrt(static_cast<double>(std::max(direction.size(0), direction.size(1))));
      const double rate = lr * slot.plan.rate * config_.muon_lr_ratio;
      if (slot.plan.decay) parameter.mul_(1 - rate * config_.weight_decay);
      parameter.add_(direction, -rate * size);
    }
  }

  NamedTensors state() const override {
    NamedTensors state = adam_->state();
    for (const Slot& slot : slots_) state.emplace_back("momentum." + slot.name, slot.momentum);
    return state;
  }

  void load_state(const NamedTensors& state, std::int64_t steps) override {
    NamedTensors rest;
    std::size_t found = 0;
    const c10::AutoGradMode no_grad(false);
    for (const auto& [name, tensor] : state) {
      const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                     [&](const Slot& s) { return name == "momentum." + s.name; });
      if (slot == slots_.end()) {
        rest.emplace_back(name, tensor);
        continue;
      }
      require(tensor.sizes() == slot->momentum.sizes(), ErrorCode::kData,
              "the optimiser's state: tensor ", name, " has another shape than its parameter");
      slot->momentum.copy_(tensor);
      ++found;
    }
    require(found == slots_.size(), ErrorCode::kData, "the optimiser's state lacks ",
            slots_.size() - found, " momentum tensors");
    adam_->load_state(rest, steps);
  }

 private:
  struct Slot {
    std::string name;
    at::Tensor parameter, momentum;
    ParameterPlan plan;
  };

  OptimConfig config_;
  std::vector<Slot> slots_;
  std::unique_ptr<Optimizer> adam_;
};

}  // namespace

std::unique_ptr<Optimizer> make_muon(const OptimConfig& config, const NamedTensors& parameters,
                                     const std::vector<ParameterPlan>& plans) {
  return std::make_unique<Muon>(config, parameters, plans);
}

}  // namespace llmctl
