#include "optim/optimizer.h"

#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/error.h"
#include "optim/average.h"
#include "optim/muon.h"

namespace llmctl {
namespace {

/// Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019) by LibTorch's fused kernels:
/// gradient scaling, both moments and the update in one pass over each parameter.
class FusedAdam : public Optimizer {
 public:
  FusedAdam(const OptimConfig& config, const NamedTensors& parameters,
            const std::vector<ParameterPlan>& plans)
      : config_(config) {
    require(parameters.size() == plans.size(), ErrorCode::kInternal, "the optimiser got ",
            parameters.size(), " parameters and ", plans.size(), " plans");
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const auto& [name, tensor] = parameters[i];
      Slot slot{name, tensor, at::zeros_like(tensor), at::zeros_like(tensor), plans[i]};
      slots_.push_back(std::move(slot));
    }
  }

  void step(double lr, double gradient_divisor) override {
    const c10::AutoGradMode no_grad(false);
    ++steps_;
    // One call for what a fused kernel takes together.
    using Key = std::tuple<bool, at::ScalarType, double, std::int64_t>;
    std::map<Key, std::vector<Slot*>> groups;
    for (auto& slot : slots_) {
      if (!slot.parameter.grad().defined()) continue;
      groups[{slot.plan.decay, slot.parameter.scalar_type(), slot.plan.rate, slot.plan.first_step}]
          .push_back(&slot);
    }
    for (auto& [key, group] : groups) update(group, lr, gradient_divisor);
  }

  NamedTensors state() const override {
    NamedTensors tensors;
    for (const auto& slot : slots_) {
      tensors.emplace_back("exp_avg." + slot.name, slot.average);
      tensors.emplace_back("exp_avg_sq." + slot.name, slot.square_average);
    }
    return tensors;
  }

  void load_state(const NamedTensors& state, std::int64_t steps) override {
    const c10::AutoGradMode no_grad(false);
    std::map<std::string, at::Tensor> given(state.begin(), state.end());
    for (auto& [name, tensor] : this->state()) {
      const auto found = given.find(name);
      require(found != given.end(), ErrorCode::kData, "the optimiser's state lacks tensor ", name);
      require(found->second.sizes() == tensor.sizes(), ErrorCode::kData,
              "the optimiser's state: tensor ", name, " has another shape than its parameter");
      at::Tensor target = tensor;
      target.copy_(found->second);
      given.erase(found);
    }
    require(given.empty(), ErrorCode::kData, "the optimiser's state has a tensor too many: ",
            given.empty() ? "" : given.begin()->first);
    steps_ = steps;
  }

 private:
  struct Slot {
    std::string name;
    at::Tensor parameter, average, square_average;
    ParameterPlan plan;
  };

  void update(const std::vector<Slot*>& group, double lr, double gradient_divisor) {
    std::vector<at::Tensor> parameters, gradients, averages, squares, counts;
    const at::Device device = group.front()->parameter.device();
    const ParameterPlan& plan = group.front()->plan;
    // The kernels ask for the count after the update, a tensor for each parameter. Steps that were
    // left out are not counted, so a parameter may have begun before its count says so.
    const std::int64_t updates = std::max<std::int64_t>(steps_ - plan.first_step, 1);
    const at::Tensor count = at::full({}, static_cast<double>(updates),
                                      at::TensorOptions().dtype(at::kFloat).device(device));
    for (Slot* slot : group) {
      parameters.push_back(slot->parameter);
      gradients.push_back(slot->parameter.grad());
      averages.push_back(slot->average);
      squares.push_back(slot->square_average);
      counts.push_back(count);
    }
    std::optional<at::Tensor> scale;
    if (gradient_divisor != 1.0) {
      scale = at::full({}, gradient_divisor, at::TensorOptions().dtype(at::kFloat).device(device));
    }
    const auto rule = [&](const auto& kernel) {
      kernel(parameters, gradients, averages, squares, /*max_exp_avg_sqs=*/at::TensorList{}, counts,
             lr * plan.rate, config_.beta1, config_.beta2, plan.decay ? config_.weight_decay : 0.0,
             config_.eps,
             /*amsgrad=*/false, /*maximize=*/false, scale,
             /*found_inf=*/std::optional<at::Tensor>());
    };
    if (config_.type != "adam") {
      rule([](auto&&... arguments) { at::_fused_adamw_(arguments...); });
    } else {
      rule([](auto&&... arguments) { at::_fused_adam_(arguments...); });
    }
    // The fused kernels do not say that they wrote; copies of the weights are kept until then.
    for (const at::Tensor& parameter : parameters) parameter.unsafeGetTensorImpl()->bump_version();
  }

  OptimConfig config_;
  std::vector<Slot> slots_;
  std::int64_t steps_ = 0;
};

}  // namespace

std::unique_ptr<Optimizer> make_adam(const OptimConfig& config, const NamedTensors& parameters,
                                     const std::vector<ParameterPlan>& plans) {
  return std::make_unique<FusedAdam>(config, parameters, plans);
}

std::unique_ptr<Optimizer> make_optimizer(const OptimConfig& config, const NamedTensors& parameters,
                                          const std::vector<ParameterPlan>& plans) {
  auto optimizer = config.type == "muon" ? make_muon(config, parameters, plans)
                                         : make_adam(config, parameters, plans);
  if (config.ema > 0) return with_average(std::move(optimizer), parameters, config.ema);
  return optimizer;
}

double gradient_square_sum(const NamedTensors& parameters) {
  const c10::AutoGradMode no_grad(false);
  std::vector<at::Tensor> gradients;
  for (const auto& [name, tensor] : parameters) {
    if (tensor.grad().defined() && tensor.grad().numel() > 0) gradients.push_back(tensor.grad());
  }
  if (gradients.empty()) return 0;
  const at::Tensor norms = at::stack(at::_foreach_norm(gradients, 2, at::kDouble)).to(at::kDouble);
  return norms.square().sum().item<double>();
}

}  // namespace llmctl
