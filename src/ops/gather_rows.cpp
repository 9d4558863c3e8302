#include "ops/gather_rows.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "base/error.h"
#include "ops/grain.h"
#include "ops/kernels/rows.h"

namespace llmctl {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class GatherRowsCpu : public torch::autograd::Function<GatherRowsCpu> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& given,
                            const at::Tensor& rows) {
    const at::Tensor x = given.contiguous();
    const std::int64_t columns = x.size(1);
    at::Tensor y = at::empty({rows.size(0), columns}, x.options());
    const float* const in = x.const_data_ptr<float>();
    const std::int64_t* const picked = rows.const_data_ptr<std::int64_t>();
    float* const out = y.mutable_data_ptr<float>();
    at::parallel_for(0, rows.size(0), row_grain(columns),
                     [&](std::int64_t begin, std::int64_t end) {
                       kernels::gather_rows(in, picked, out, begin, end, columns);
                     });
    context->save_for_backward({rows});
    context->saved_data["count"] = x.size(0);
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor rows = context->get_saved_variables()[0];
    const at::Tensor gradient = gradients[0].contiguous();
    const std::int64_t columns = gradient.size(1), count = context->saved_data["count"].toInt();
    const at::Tensor x_gradient = at::empty({count, columns}, gradient.options());
    const float* const in = gradient.const_data_ptr<float>();
    const std::int64_t* const picked = rows.const_data_ptr<std::int64_t>();
    float* const out = x_gradient.mutable_data_ptr<float>();
    at::parallel_for(0, count, row_grain(columns), [&](std::int64_t begin, std::int64_t end) {
      kernels::scatter_rows(in, picked, rows.size(0), out, begin, end, columns);
    });
    return {x_gradient, at::Tensor()};
  }
};

void check_rows(const at::Tensor& rows, std::int64_t count) {
  const std::int64_t* const values = rows.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    require(values[i] >= (i ? values[i - 1] : 0) && values[i] < count, ErrorCode::kInternal,
            "rows to gather must ascend below ", count, ": row ", values[i], " at ", i);
  }
}

}  // namespace

at::Tensor gather_rows(const at::Tensor& x, const at::Tensor& rows) {
  const at::Tensor wanted = rows.contiguous();
  if (wanted.is_cpu()) check_rows(wanted, x.size(0));
  if (x.is_cpu() && x.scalar_type() == at::kFloat && x.size(1) > 0) {
    return GatherRowsCpu::apply(x, wanted);
  }
  return at::index_select(x, 0, wanted);
}

}  // namespace llmctl
