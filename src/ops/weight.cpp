#include "ops/weight.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/linear.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "base/cpu.h"
#include "base/error.h"
#include "ops/gemm.h"
#include "ops/grain.h"
#include "ops/kernels/matmul_panels.h"

namespace llmctl {
namespace {

kernels::WeightView view_of(const Weight& weight) {
  kernels::WeightView view;
  view.form = weight.form;
  view.outputs = weight.outputs();
  view.inputs = weight.inputs();
  if (weight.form == WeightForm::kInt4) view.group = weight.group;
  view.values = weight.values.const_data_ptr();
  if (weight.scales.defined()) view.scales = weight.scales.const_data_ptr();
  return view;
}

/// Outputs that a thread takes at least.
std::int64_t output_grain(const kernels::WeightView& view, std::int64_t rows) {
  constexpr std::size_t kBytes = 64 << 10;
  const std::size_t work =
      view.row_bytes() * static_cast<std::size_t>(std::max<std::int64_t>(rows, 1));
  return static_cast<std::int64_t>(
      std::max<std::size_t>(8, kBytes / std::max<std::size_t>(work, 1)));
}

/// Rows as the kernels of a form read them.
struct PreparedRows {
  at::Tensor held;
  const std::byte* rows = nullptr;
  std::size_t stride = 0;
};

PreparedRows prepare(const at::Tensor& x, const kernels::WeightView& view) {
  PreparedRows prepared;
  const std::int64_t count = x.size(0);
  const float* const from = x.const_data_ptr<float>();
  prepared.stride = kernels::prepared_bytes(view);
  if (prepared.stride == 0) {
    prepared.rows = reinterpret_cast<const std::byte*>(from);
    prepared.stride = static_cast<std::size_t>(view.inputs) * sizeof(float);
    return prepared;
  }
  prepared.held =
      at::empty({count, static_cast<std::int64_t>(prepared.stride)}, x.options().dtype(at::kByte));
  auto* const to = reinterpret_cast<std::byte*>(prepared.held.mutable_data_ptr<std::uint8_t>());
  at::parallel_for(0, count, row_grain(view.inputs), [&](std::int64_t begin, std::int64_t end) {
    kernels::prepare_rows(view, from, to, begin, end);
  });
  prepared.rows = to;
  return prepared;
}

bool prepared_alike(const kernels::WeightView& a, const kernels::WeightView& b) {
  return a.form == b.form && a.group == b.group && a.inputs == b.inputs;
}

/// Products of rows [N, I] fp32 on the CPU: one pass of the threads over all outputs of all.
std::vector<at::Tensor> multiply_cpu(const at::Tensor& rows, const std::vector<Weight>& weights,
                                     const std::vector<at::Tensor>& biases) {
  std::vector<kernels::Product> products(weights.size());
  std::vector<PreparedRows> prepared(weights.size());
  std::vector<at::Tensor> held, outputs;
  std::vector<std::int64_t> ends;
  std::int64_t total = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    kernels::Product& product = products[i];
    product.weight = view_of(weights[i]);
    product.rows = rows.size(0);
    const bool again = i > 0 && prepared_alike(product.weight, products[i - 1].weight);
    prepared[i] = again ? prepared[i - 1] : prepare(rows, product.weight);
    product.x = prepared[i].rows;
    product.x_stride = prepared[i].stride;
    if (biases[i].defined()) {
      held.push_back(biases[i].to(at::kFloat).contiguous());
      product.bias = held.back().const_data_ptr<float>();
    }
    outputs.push_back(at::empty({product.rows, product.weight.outputs}, rows.options()));
    product.y = outputs.back().mutable_data_ptr<float>();
    product.y_stride = product.weight.outputs;
    ends.push_back(total += product.weight.outputs);
  }
  const std::int64_t grain = output_grain(products.front().weight, rows.size(0));
  const bool many =
      rows.size(0) >= kernels::kManyRows && !at::globalContext().deterministicAlgorithms();
  at::parallel_for(0, total, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::size_t i = 0; i < products.size(); ++i) {
      const std::int64_t first = i == 0 ? 0 : ends[i - 1];
      const std::int64_t from = std::max(begin, first), to = std::min(end, ends[i]);
      if (from >= to) continue;
      if (many && kernels::has_panel_products(products[i].weight.form)) {
        kernels::multiply_by_panels(products[i], from - first, to - first);
      } else {
        kernels::multiply(products[i], from - first, to - first);
      }
    }
  });
  return outputs;
}

bool has_bf16_tiles(const Weight& weight) {
  return weight.form == WeightForm::kBf16 && cpu_features().amx_bf16;
}

/// Whether a library's product is faster: of many rows in fp32, whose operands it copies together,
/// in bf16 where there are instructions for whole tiles, and in fp32 again where there are none for
/// the weight's form. Its results depend on the shape.
bool prefers_library(const Weight& weight, std::int64_t rows) {
  if (at::globalContext().deterministicAlgorithms()) return false;
  if (has_bf16_tiles(weight)) return rows >= 32;
  if (rows * weight.inputs() < 64 << 10) return false;
  return weight.form == WeightForm::kFp32 ||
         (rows >= 64 && !kernels::multiplies_as_fast_as_fp32(weight.form));
}

/// Rows [N, ...] of the parts of a weight as numbers.
at::Tensor dense_rows(const Weight& weight, const at::Tensor& values, const at::Tensor& scales) {
  if (!weight.is_quantized()) return values.to(at::kFloat);
  if (weight.form == WeightForm::kInt8) return values.to(at::kFloat).mul_(scales.unsqueeze(1));
  const std::int64_t rows = values.size(0), half = weight.group / 2;
  const at::Tensor packed = values.view({rows, -1, 1, half});  // [N, groups, 1, half]
  at::Tensor numbers =
      at::empty({rows, packed.size(1), 2, half}, values.options().dtype(at::kFloat));
  numbers.select(2, 0).copy_(packed.select(2, 0).bitwise_and(15));
  numbers.select(2, 1).copy_(packed.select(2, 0).__rshift__(4));
  numbers.sub_(8).mul_(scales.to(at::kFloat).view({rows, -1, 1, 1}));
  return numbers.view({rows, weight.inputs()});
}

at::Tensor multiply_by_library(const at::Tensor& rows, const Weight& weight,
                               const at::Tensor& bias) {
  if (weight.form == WeightForm::kFp32 || has_bf16_tiles(weight)) {
    const at::ScalarType type = weight.values.scalar_type();
    return gemm(rows.to(type), weight.values.t(), bias.defined() ? bias.to(type) : bias)
        .to(at::kFloat);
  }
  // Some of the weight's rows at a time become fp32, so that they stay in a cache.
  constexpr std::int64_t kNumbers = 512 << 10;
  const std::int64_t outputs = weight.outputs();
  const std::int64_t part = std::max<std::int64_t>(16, kNumbers / weight.inputs());
  at::Tensor y = at::empty({rows.size(0), outputs}, rows.options());
  for (std::int64_t first = 0; first < outputs; first += part) {
    const std::int64_t count = std::min(part, outputs - first);
    const at::Tensor scales =
        weight.is_quantized() ? weight.scales.narrow(0, first, count) : at::Tensor();
    const at::Tensor dense = dense_rows(weight, weight.values.narrow(0, first, count), scales);
    const at::Tensor own_bias =
        bias.defined() ? bias.to(at::kFloat).narrow(0, first, count) : at::Tensor();
    y.narrow(1, first, count).copy_(gemm(rows, dense.t(), own_bias));
  }
  return y;
}

/// To the nearest whole number, ties to the even one: of numbers below 2²², by an addition that
/// leaves no room for fractions.
float round_to(float value, float lowest, float highest) {
  constexpr float kNoFractions = 12582912.0f;  // 1.5 · 2²³
  return (std::clamp(value, lowest, highest) + kNoFractions) - kNoFractions;
}

void quantize_row_int8(const float* row, std::int64_t inputs, std::int8_t* values, float* scale) {
  float largest = 0;
  for (std::int64_t i = 0; i < inputs; ++i) largest = std::max(largest, std::abs(row[i]));
  *scale = largest / 127;
  const float factor = *scale > 0 ? 1 / *scale : 0;
  for (std::int64_t i = 0; i < inputs; ++i) {
    values[i] = static_cast<std::int8_t>(round_to(row[i] * factor, -127, 127));
  }
}

/// The squared error of a group whose integers are multiplied by `scale`.
float group_error(const float* group, std::int64_t size, float scale) {
  const float factor = 1 / scale;
  float error = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    const float difference = group[i] - scale * round_to(group[i] * factor, -8, 7);
    error += difference * difference;
  }
  return error;
}

/// Among scales, of both signs since there is one more number on one side, around what puts the
/// largest magnitude at the end of the range.
c10::BFloat16 best_scale(const float* group, std::int64_t size) {
  float extreme = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    if (std::abs(group[i]) > std::abs(extreme)) extreme = group[i];
  }
  c10::BFloat16 best = 0;
  float least = -1;
  for (int step = -12; step <= 12; ++step) {
    // -9.2 to -6.8, and as many of the other sign below 8.2.
    const float end = step <= 0 ? -6.8f + 0.2f * static_cast<float>(step)
                                : 5.8f + 0.2f * static_cast<float>(step);
    const c10::BFloat16 scale = extreme / end;
    if (static_cast<float>(scale) == 0) continue;
    const float error = group_error(group, size, scale);
    if (least >= 0 && error >= least) continue;
    least = error;
    best = scale;
  }
  return best;
}

void quantize_group_int4(const float* group, std::int64_t size, std::uint8_t* packed,
                         c10::BFloat16* scale) {
  *scale = best_scale(group, size);
  const float used = *scale;
  const float factor = used == 0 ? 0 : 1 / used;
  const auto number = [&](std::int64_t i) {
    return static_cast<unsigned>(round_to(group[i] * factor, -8, 7) + 8);
  };
  for (std::int64_t i = 0; i < size / 2; ++i) {
    packed[i] = static_cast<std::uint8_t>(number(i) | number(i + size / 2) << 4);
  }
}

}  // namespace

const char* weight_form_name(WeightForm form) {
  switch (form) {
    case WeightForm::kFp32:
      return "fp32";
    case WeightForm::kBf16:
      return "bf16";
    case WeightForm::kInt8:
      return "int8";
    case WeightForm::kInt4:
      break;
  }
  return "int4";
}

std::int64_t Weight::inputs() const {
  return form == WeightForm::kInt4 ? 2 * values.size(1) : values.size(1);
}

Weight dense_weight(const at::Tensor& values) {
  Weight weight;
  weight.form = values.scalar_type() == at::kBFloat16 ? WeightForm::kBf16 : WeightForm::kFp32;
  weight.values = values;
  return weight;
}

Weight stored_weight(const at::Tensor& values, const at::Tensor& scales) {
  if (!scales.defined()) return dense_weight(values);
  Weight weight;
  weight.form = values.scalar_type() == at::kByte ? WeightForm::kInt4 : WeightForm::kInt8;
  weight.values = values;
  weight.scales = scales;
  if (weight.form == WeightForm::kInt4) weight.group = 2 * values.size(1) / scales.size(1);
  return weight;
}

Weight quantize_weight(const at::Tensor& dense, WeightForm form, std::int64_t group) {
  const c10::AutoGradMode no_grad(false);
  const at::Tensor source = dense.to(at::kFloat).contiguous();  // [O, I]
  const std::int64_t rows = source.size(0), inputs = source.size(1);
  require(source.isfinite().all().item<bool>(), ErrorCode::kData,
          "a matrix with values that are not finite cannot be quantised");
  const float* const from = source.const_data_ptr<float>();
  Weight weight;
  weight.form = form;
  if (form == WeightForm::kInt8) {
    weight.values = at::empty({rows, inputs}, at::kChar);
    weight.scales = at::empty({rows}, at::kFloat);
    auto* const values = weight.values.mutable_data_ptr<std::int8_t>();
    auto* const scales = weight.scales.mutable_data_ptr<float>();
    at::parallel_for(0, rows, row_grain(inputs), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        quantize_row_int8(from + row * inputs, inputs, values + row * inputs, scales + row);
      }
    });
    return weight;
  }
  require(form == WeightForm::kInt4 && (group == 32 || group == 64) && inputs % group == 0,
          ErrorCode::kInternal, "no groups of ", group, " in rows of ", inputs);
  weight.group = group;
  weight.values = at::empty({rows, inputs / 2}, at::kByte);
  weight.scales = at::empty({rows, inputs / group}, at::kBFloat16);
  auto* const values = weight.values.mutable_data_ptr<std::uint8_t>();
  auto* const scales = weight.scales.mutable_data_ptr<c10::BFloat16>();
  at::parallel_for(
      0, rows * (inputs / group), row_grain(group), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          quantize_group_int4(from + i * group, group, values + i * (group / 2), scales + i);
        }
      });
  return weight;
}

at::Tensor dequantize(const Weight& weight) {
  const c10::AutoGradMode no_grad(false);
  return dense_rows(weight, weight.values, weight.scales);
}

at::Tensor weight_rows(const Weight& weight, const at::Tensor& ids) {
  const c10::AutoGradMode no_grad(false);
  if (!weight.is_quantized()) return at::embedding(weight.values, ids).to(at::kFloat);
  const at::Tensor flat = ids.reshape({-1});
  std::vector<std::int64_t> shape = ids.sizes().vec();
  shape.push_back(weight.inputs());
  return dense_rows(weight, at::index_select(weight.values, 0, flat),
                    at::index_select(weight.scales, 0, flat))
      .view(shape);
}

std::vector<at::Tensor> multiply_each(const at::Tensor& x, const std::vector<Weight>& weights,
                                      const std::vector<at::Tensor>& biases) {
  const c10::AutoGradMode no_grad(false);
  const at::Tensor rows = x.reshape({-1, x.size(-1)}).to(at::kFloat).contiguous();  // [N, I]
  for (const Weight& weight : weights) {
    require(weight.inputs() == rows.size(1), ErrorCode::kInternal, "a weight of ", weight.inputs(),
            " inputs and rows of ", rows.size(1));
  }
  std::vector<at::Tensor> outputs;
  const bool library =
      x.is_cpu() && std::all_of(weights.begin(), weights.end(), [&](const Weight& weight) {
        return prefers_library(weight, rows.size(0));
      });
  if (library) {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      outputs.push_back(multiply_by_library(rows, weights[i], biases[i]));
    }
  } else if (x.is_cpu()) {
    outputs = multiply_cpu(rows, weights, biases);
  } else {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const at::Tensor bias = biases[i].defined() ? biases[i].to(at::kFloat) : biases[i];
      outputs.push_back(at::linear(rows, dequantize(weights[i]), bias));
    }
  }
  std::vector<std::int64_t> shape = x.sizes().vec();
  for (at::Tensor& output : outputs) {
    shape.back() = output.size(1);
    output = output.view(shape);  // [N, O] → [..., O]
  }
  return outputs;
}

at::Tensor multiply(const at::Tensor& x, const Weight& weight, const at::Tensor& bias) {
  return multiply_each(x, {weight}, {bias})[0];
}

}  // namespace llmctl
