#include "ops/cross_entropy.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "base/error.h"
#include "ops/gemm.h"
#include "ops/grain.h"
#include "ops/kernels/softmax.h"

namespace llmctl {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Losses [n] of logits [n, V] fp32 or fp64; with `differentiate` the logits become the gradient.
at::Tensor softmax_losses(at::Tensor& logits, const at::Tensor& labels, bool differentiate,
                          double smoothing) {
  const std::int64_t rows = logits.size(0), columns = logits.size(1);
  if (logits.is_cpu() && logits.scalar_type() == at::kFloat) {
    at::Tensor losses = at::empty({rows}, logits.options());
    float* const data = logits.mutable_data_ptr<float>();
    float* const out = losses.mutable_data_ptr<float>();
    const std::int64_t* const wanted = labels.const_data_ptr<std::int64_t>();
    at::parallel_for(0, rows, row_grain(columns), [&](std::int64_t begin, std::int64_t end) {
      kernels::softmax_losses({data + begin * columns, wanted + begin, end - begin, columns},
                              out + begin, differentiate, static_cast<float>(smoothing));
    });
    return losses;
  }
  const at::Tensor sums = at::logsumexp(logits, {1}, /*keepdim=*/true);
  const at::Tensor index = labels.unsqueeze(1);
  at::Tensor wanted = logits.gather(1, index);
  if (smoothing > 0) wanted = wanted * (1 - smoothing) + logits.mean(1, true) * smoothing;
  at::Tensor losses = (sums - wanted).squeeze(1);
  if (differentiate) {
    logits.sub_(sums).exp_();
    if (smoothing > 0) logits.sub_(smoothing / static_cast<double>(columns));
    logits.scatter_add_(1, index, at::zeros_like(sums).sub_(1 - smoothing));
  }
  return losses;
}

/// Rows whose logits are held at once: 64 MB of them on the CPU and 256 MB on a GPU. Each chunk
/// reads and writes the weight's whole gradient, which the products must outweigh.
std::int64_t chunk_rows(const at::Tensor& rows, std::int64_t vocabulary) {
  const std::int64_t elements = rows.is_cpu() ? 16 << 20 : 64 << 20;
  return std::max<std::int64_t>(64, elements / std::max<std::int64_t>(vocabulary, 1));
}

struct Pieces {
  at::Tensor losses;                                         // [N]
  at::Tensor rows_gradient, weight_gradient, bias_gradient;  // undefined where not wanted
};

/// The gradients that are asked for.
struct Wanted {
  bool rows = false, weight = false, bias = false;
  bool any() const { return rows || weight || bias; }
};

Pieces compute_chunks(const at::Tensor& rows, const at::Tensor& weight, const at::Tensor& bias,
                      const at::Tensor& labels, const CrossEntropyOptions& options,
                      const Wanted& want) {
  const at::ScalarType compute = options.compute;
  const at::ScalarType exact = compute == at::kDouble ? at::kDouble : at::kFloat;
  const std::int64_t count = rows.size(0), vocabulary = weight.size(0);
  // What the logits' product reads is there once, not once for each chunk.
  const at::Tensor exact_weight = rows.is_cpu() ? weight.to(exact) : weight.to(compute);
  const at::Tensor wide_bias = bias.defined() ? bias.to(exact) : bias;
  Pieces pieces;
  pieces.losses = at::empty({count}, rows.options().dtype(exact));
  if (want.rows) pieces.rows_gradient = at::empty_like(rows);
  if (want.weight) pieces.weight_gradient = at::zeros_like(weight);
  if (want.bias) pieces.bias_gradient = at::zeros_like(bias);
  at::Tensor w;  // [V, D] in `compute`, for the gradients
  if (exact_weight.scalar_type() == compute) w = exact_weight;
  const bool differentiate = want.any();
  const std::int64_t step = chunk_rows(rows, vocabulary);
  for (std::int64_t begin = 0; begin < count; begin += step) {
    const std::int64_t size = std::min(step, count - begin);
    const at::Tensor chunk = rows.narrow(0, begin, size);
    at::Tensor logits = gemm_exact(chunk, exact_weight, compute);
    if (wide_bias.defined()) logits.add_(wide_bias);
    pieces.losses.narrow(0, begin, size)
        .copy_(softmax_losses(logits, labels.narrow(0, begin, size), differentiate,
                              options.label_smoothing));
    if (want.bias) pieces.bias_gradient.add_(logits.sum(0));
    if (!want.rows && !want.weight) continue;
    // The gradient's products are in `compute`, as all others.
    if (!w.defined()) w = weight.to(compute);
    const at::Tensor gradient = logits.to(compute);
    if (want.rows) pieces.rows_gradient.narrow(0, begin, size).copy_(gemm(gradient, w));
    if (want.weight) {
      if (compute == weight.scalar_type()) {
        gemm_add(pieces.weight_gradient, gradient.t(), chunk.to(compute));
      } else {
        pieces.weight_gradient.add_(gemm(gradient.t(), chunk.to(compute)));
      }
    }
  }
  return pieces;
}

/// A label outside the vocabulary would read beyond the logits.
void check_labels(const at::Tensor& labels, std::int64_t vocabulary) {
  const std::int64_t* const values = labels.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < labels.numel(); ++i) {
    require(values[i] >= 0 && values[i] < vocabulary, ErrorCode::kData, "label ", values[i],
            " is outside the vocabulary of ", vocabulary, " tokens");
  }
}

class LinearCrossEntropy : public torch::autograd::Function<LinearCrossEntropy> {
 public:
  /// The sum of the losses, and the [N] losses.
  static variable_list forward(AutogradContext* context, const at::Tensor& rows,
                               const at::Tensor& weight,
                               const std::optional<at::Tensor>& given_bias,
                               const at::Tensor& labels, at::ScalarType compute, double smoothing) {
    const at::Tensor bias = given_bias.value_or(at::Tensor());
    Pieces pieces = compute_chunks(
        rows, weight, bias, labels, {compute, smoothing},
        {rows.requires_grad(), weight.requires_grad(), bias.defined() && bias.requires_grad()});
    context->saved_data["gradients"] =
        std::vector<at::Tensor>{pieces.rows_gradient, pieces.weight_gradient, pieces.bias_gradient};
    context->mark_non_differentiable({pieces.losses});
    return {pieces.losses.sum(), pieces.losses};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    // Taken out, so that AccumulateGrad may keep them as they are.
    std::vector<at::Tensor> made = context->saved_data.at("gradients").toTensorVector();
    context->saved_data.clear();
    const at::Tensor& factor = gradients[0];
    const bool scale = !factor.is_cpu() || factor.item<double>() != 1.0;
    variable_list result(6);
    for (std::size_t i = 0; i < made.size(); ++i) {
      if (made[i].defined()) result[i] = scale ? made[i].mul_(factor) : made[i];
    }
    return result;
  }
};

}  // namespace

at::Tensor linear_cross_entropy(const at::Tensor& rows, const at::Tensor& weight,
                                const at::Tensor& bias, const at::Tensor& labels,
                                const CrossEntropyOptions& options, at::Tensor* per_row) {
  const at::Tensor wanted = labels.contiguous();
  if (wanted.is_cpu()) check_labels(wanted, weight.size(0));
  if (c10::GradMode::is_enabled() && (rows.requires_grad() || weight.requires_grad() ||
                                      (bias.defined() && bias.requires_grad()))) {
    // An undefined tensor among the inputs must be an optional one.
    const std::optional<at::Tensor> given =
        bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt;
    const variable_list outputs = LinearCrossEntropy::apply(
        rows, weight, given, wanted, options.compute, options.label_smoothing);
    if (per_row) *per_row = outputs[1];
    return outputs[0];
  }
  const c10::AutoGradMode no_grad(false);
  const Pieces pieces = compute_chunks(rows, weight, bias, wanted, options, {});
  if (per_row) *per_row = pieces.losses;
  return pieces.losses.sum();
}

at::Tensor stored_cross_entropy(const at::Tensor& rows, const Weight& weight,
                                const at::Tensor& bias, const at::Tensor& labels,
                                at::Tensor* per_row) {
  const c10::AutoGradMode no_grad(false);
  const at::Tensor wanted = labels.contiguous();
  const std::int64_t count = rows.size(0), vocabulary = weight.outputs();
  if (wanted.is_cpu()) check_labels(wanted, vocabulary);
  const at::Tensor losses = at::empty({count}, rows.options().dtype(at::kFloat));
  const std::int64_t step = chunk_rows(rows, vocabulary);
  for (std::int64_t begin = 0; begin < count; begin += step) {
    const std::int64_t size = std::min(step, count - begin);
    at::Tensor logits = multiply(rows.narrow(0, begin, size), weight, bias);
    losses.narrow(0, begin, size)
        .copy_(softmax_losses(logits, wanted.narrow(0, begin, size), /*differentiate=*/false,
                              /*smoothing=*/0));
  }
  if (per_row) *per_row = losses;
  return losses.sum();
}

}  // namespace llmctl
