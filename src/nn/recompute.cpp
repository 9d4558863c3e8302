#include "nn/recompute.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <memory>
#include <utility>

namespace llmctl {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Work = std::function<at::Tensor(const std::vector<at::Tensor>& inputs)>;

struct HeldWork : torch::CustomClassHolder {
  explicit HeldWork(Work held) : work(std::move(held)) {}
  Work work;
};

class RecomputeFunction : public torch::autograd::Function<RecomputeFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const Work& work, at::TensorList inputs) {
    context->save_for_backward(inputs.vec());
    context->saved_data["work"] = c10::IValue::make_capsule(c10::make_intrusive<HeldWork>(work));
    return work(inputs.vec());
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto held = context->saved_data["work"].toCapsule();
    std::vector<at::Tensor> inputs;
    for (std::size_t i = 0; i < saved.size(); ++i) {
      inputs.push_back(saved[i].detach());
      if (saved[i].is_floating_point()) {
        inputs.back().set_requires_grad(context->needs_input_grad(i));
      }
    }
    at::Tensor output;
    {
      const c10::AutoGradMode with_gradients(true);
      output = static_cast<const HeldWork&>(*held).work(inputs);
    }
    torch::autograd::backward({output}, {gradients[0]});
    variable_list result(1);  // the work itself has none
    for (const at::Tensor& input : inputs) {
      result.push_back(input.requires_grad() ? input.grad() : at::Tensor());
    }
    return result;
  }
};

}  // namespace

at::Tensor recompute(const Work& work, const std::vector<at::Tensor>& inputs) {
  return RecomputeFunction::apply(work, at::TensorList(inputs));
}

}  // namespace llmctl
