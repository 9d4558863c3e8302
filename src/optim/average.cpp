#include "optim/average.h"

#include <ATen/ops/_foreach_lerp.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/error.h"

namespace llmctl {
namespace {

constexpr const char* kPrefix = "weights.";

class Averaging : public Optimizer {
 public:
  Averaging(std::unique_ptr<Optimizer> inner, const NamedTensors& parameters, double decay)
      : inner_(std::move(inner)), decay_(decay) {
    const c10::AutoGradMode no_grad(false);
    for (const auto& [name, tensor] : parameters) {
      names_.push_back(name);
      parameters_.push_back(tensor);
      others_.push_back(tensor.detach().clone());
    }
  }

  void step(double lr, double gradient_divisor) override {
    inner_->step(lr, gradient_divisor);
    const c10::AutoGradMode no_grad(false);
    const auto updates = static_cast<double>(++updates_);
    at::_foreach_lerp_(others_, parameters_, 1 - std::min(decay_, updates / (updates + 9)));
  }

  NamedTensors state() const override {
    NamedTensors state = inner_->state();
    for (std::size_t i = 0; i < names_.size(); ++i)
      state.emplace_back(kPrefix + names_[i], others_[i]);
    return state;
  }

  void load_state(const NamedTensors& state, std::int64_t steps) override {
    const c10::AutoGradMode no_grad(false);
    NamedTensors inner;
    std::map<std::string, at::Tensor> weights;
    for (const auto& [name, tensor] : state) {
      if (name.starts_with(kPrefix)) {
        weights.emplace(name, tensor);
      } else {
        inner.emplace_back(name, tensor);
      }
    }
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const auto found = weights.find(kPrefix + names_[i]);
      require(found != weights.end() && found->second.sizes() == parameters_[i].sizes(),
              ErrorCode::kData, "the optimiser's state has no tensor ", kPrefix, names_[i],
              " of its parameter's shape");
      others_[i].copy_(parameters_[i]);
      parameters_[i].copy_(found->second);
    }
    updates_ = steps;
    inner_->load_state(inner, steps);
  }

  void exchange_average() override {
    const c10::AutoGradMode no_grad(false);
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const at::Tensor kept = parameters_[i].detach().clone();
      parameters_[i].copy_(others_[i]);
      others_[i].copy_(kept);
    }
  }

 private:
  std::unique_ptr<Optimizer> inner_;
  double decay_;
  std::vector<std::string> names_;
  std::vector<at::Tensor> parameters_, others_;
  std::int64_t updates_ = 0;
};

}  // namespace

std::unique_ptr<Optimizer> with_average(std::unique_ptr<Optimizer> inner,
                                        const NamedTensors& parameters, double decay) {
  return std::make_unique<Averaging>(std::move(inner), parameters, decay);
}

}  // namespace llmctl
