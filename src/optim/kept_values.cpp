#include "optim/kept_values.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace llmctl {
namespace {

constexpr const char* kValuePrefix = "value.";

class KeptValues : public Optimizer {
 public:
  KeptValues(std::unique_ptr<Optimizer> inner, NamedTensors values)
      : inner_(std::move(inner)), values_(std::move(values)) {}

  void step(double lr, double gradient_divisor) override { inner_->step(lr, gradient_divisor); }
  void exchange_average() override { inner_->exchange_average(); }

  NamedTensors state() const override {
    NamedTensors state = inner_->state();
    for (const auto& [name, tensor] : values_)
      state.emplace_back(kValuePrefix + name, tensor.detach());
    return state;
  }

  void load_state(const NamedTensors& state, std::int64_t steps) override {
    const c10::AutoGradMode no_grad(false);
    NamedTensors inner = state;
    for (const auto& [name, value] : values_) {
      const auto found = std::find_if(
          inner.begin(), inner.end(),
          [&, key = kValuePrefix + name](const auto& entry) { return entry.first == key; });
      require(found != inner.end() && found->second.sizes() == value.sizes(), ErrorCode::kData,
              "the optimiser's state has no tensor ", kValuePrefix, name,
              " of its parameter's shape");
      at::Tensor(value).copy_(found->second);
      inner.erase(found);
    }
    inner_->load_state(inner, steps);
  }

 private:
  std::unique_ptr<Optimizer> inner_;
  NamedTensors values_;
};

}  // namespace

std::unique_ptr<Optimizer> with_values(std::unique_ptr<Optimizer> inner, NamedTensors values) {
  return std::make_unique<KeptValues>(std::move(inner), std::move(values));
}

}  // namespace llmctl
