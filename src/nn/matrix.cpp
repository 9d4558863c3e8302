#include "nn/matrix.h"

#include <c10/core/GradMode.h>

#include "base/error.h"

namespace llmctl {

void Matrix::set_form(const Weight& form, bool frozen) {
  if (frozen || form.is_quantized()) weight.set_requires_grad(false);
  weight.set_data(form.values);
  scales = form.scales;
  copy_ = {};
}

bool Matrix::multiplies_stored(const at::Tensor& x, const Context& context) const {
  if (is_quantized()) {
    require(!context.train && !(c10::GradMode::is_enabled() && x.requires_grad()),
            ErrorCode::kInternal, "a quantised matrix cannot be trained");
    return true;
  }
  // Recomputation runs without gradients what it runs with them later: both times alike.
  return !context.train && !c10::GradMode::is_enabled() && x.is_cpu() &&
         context.compute != at::kDouble &&
         (weight.scalar_type() == at::kFloat || weight.scalar_type() == at::kBFloat16);
}

at::Tensor Matrix::in_dtype(at::ScalarType compute) const {
  if (weight.scalar_type() == compute) return weight;
  const void* const source = weight.const_data_ptr();
  if (!copy_.values.defined() || copy_.values.scalar_type() != compute || copy_.source != source ||
      copy_.version != weight._version()) {
    copy_ = {weight.detach().to(compute), source, weight._version()};
  }
  return copy_.values;
}

}  // namespace llmctl
