// How fast the operations of src/ops are: against the same written as plain tensor code, and
// against what this machine can move and multiply at most. Prints a table; not a test.
//   cmake --build build/release --target operations_benchmark &&
//   build/release/bin/operations_benchmark [ROWS [WIDTH]]
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/add.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/silu.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "ops/activation.h"
#include "ops/backend.h"
#include "ops/cross_entropy.h"
#include "ops/gather_rows.h"
#include "ops/norm.h"
#include "ops/rotary.h"
#include "timing.h"

namespace llmctl {
namespace {

using Tensors = std::vector<at::Tensor>;
using Function = std::function<Tensors(const Tensors&)>;

struct Times {
  double forward = 0, backward = 0;
};

Times time_of(const Function& function, const Tensors& inputs) {
  Times times;
  Tensors with_gradient;
  for (const auto& input : inputs) {
    at::Tensor copy = input.detach().clone();
    if (copy.is_floating_point()) copy.set_requires_grad(true);
    with_gradient.push_back(copy);
  }
  times.forward = seconds_of([&] { function(with_gradient); });
  const Tensors outputs = function(with_gradient);
  Tensors gradients, wanted;
  for (const auto& output : outputs) gradients.push_back(at::randn(output.sizes()));
  for (const auto& input : with_gradient) {
    if (input.requires_grad()) wanted.push_back(input);
  }
  times.backward =
      seconds_of([&] { torch::autograd::grad(outputs, wanted, gradients, /*retain_graph=*/true); });
  return times;
}

struct Case {
  std::string name;
  Function ours, composite;
  Tensors inputs;
  double forward_bytes, backward_bytes;  ///< what must be read and written at least
};

at::Tensor composite_rms_norm(const at::Tensor& x, const at::Tensor& weight) {
  return x * at::rsqrt((x * x).mean({-1}, true) + 1e-5) * weight;
}

at::Tensor composite_layer_norm(const at::Tensor& x, const at::Tensor& weight,
                                const at::Tensor& bias) {
  const at::Tensor centred = x - x.mean({-1}, true);
  return centred * at::rsqrt((centred * centred).mean({-1}, true) + 1e-5) * weight + bias;
}

/// x [B, T, H, K]: both halves turned, as Hugging Face's models write it.
at::Tensor composite_rotary(const at::Tensor& x, const at::Tensor& cosines,
                            const at::Tensor& sines) {
  const at::Tensor c = at::cat({cosines, cosines}, -1).unsqueeze(1);
  const at::Tensor s = at::cat({sines, sines}, -1).unsqueeze(1);
  const std::int64_t half = x.size(-1) / 2;
  const at::Tensor turned = at::cat({-x.narrow(-1, half, half), x.narrow(-1, 0, half)}, -1);
  return x * c + turned * s;
}

std::vector<Case> cases(std::int64_t rows, std::int64_t width) {
  const at::Tensor x = at::randn({rows, width}), y = at::randn({rows, width});
  const at::Tensor weight = at::randn({width}), bias = at::randn({width});
  const double bytes = 4.0 * static_cast<double>(rows * width);
  std::vector<Case> out;
  out.push_back({"RMSNorm",
                 [](const Tensors& in) -> Tensors {
                   return {norm(in[0], {in[1], {}, 1e-5}, at::kFloat)};
                 },
                 [](const Tensors& in) -> Tensors { return {composite_rms_norm(in[0], in[1])}; },
                 {x, weight},
                 2 * bytes,
                 3 * bytes});
  out.push_back(
      {"LayerNorm",
       [](const Tensors& in) -> Tensors {
         return {norm(in[0], {in[1], in[2], 1e-5}, at::kFloat)};
       },
       [](const Tensors& in) -> Tensors { return {composite_layer_norm(in[0], in[1], in[2])}; },
       {x, weight, bias},
       2 * bytes,
       3 * bytes});
  out.push_back({"residual + RMSNorm",
                 [](const Tensors& in) -> Tensors {
                   const auto [sum, normed] = add_norm(in[0], in[1], {in[2], {}, 1e-5}, at::kFloat);
                   return {sum, normed};
                 },
                 [](const Tensors& in) -> Tensors {
                   const at::Tensor sum = in[0] + in[1];
                   return {sum, composite_rms_norm(sum, in[2])};
                 },
                 {x, y, weight},
                 4 * bytes,
                 4 * bytes});
  out.push_back(
      {"residual + LayerNorm",
       [](const Tensors& in) -> Tensors {
         const auto [sum, normed] = add_norm(in[0], in[1], {in[2], in[3], 1e-5}, at::kFloat);
         return {sum, normed};
       },
       [](const Tensors& in) -> Tensors {
         const at::Tensor sum = in[0] + in[1];
         return {sum, composite_layer_norm(sum, in[2], in[3])};
       },
       {x, y, weight, bias},
       4 * bytes,
       4 * bytes});
  const std::int64_t head = 64, length = std::min<std::int64_t>(rows, 512);
  const auto [cosines, sines] =
      rotary_angles(at::arange(length), at::arange(head / 2).to(at::kFloat) + 1);
  out.push_back({"rotary embedding",
                 [cosines = cosines, sines = sines](const Tensors& in) -> Tensors {
                   return {rotary(in[0], cosines, sines)};
                 },
                 [cosines = cosines, sines = sines](const Tensors& in) -> Tensors {
                   return {composite_rotary(in[0], cosines, sines)};
                 },
                 {at::randn({rows / length, length, width / head, head})},
                 2 * bytes,
                 2 * bytes});
  const Activation silu = *find_activation("silu"), gelu = *find_activation("gelu"),
                   gelu_tanh = *find_activation("gelu_new");
  out.push_back(
      {"SwiGLU product",
       [silu](const Tensors& in) -> Tensors { return {gated_product(silu, in[0], in[1])}; },
       [](const Tensors& in) -> Tensors { return {at::silu(in[0]) * in[1]}; },
       {x, y},
       3 * bytes,
       5 * bytes});
  out.push_back({"GELU (tanh) product",
                 [gelu_tanh](const Tensors& in) -> Tensors {
                   return {gated_product(gelu_tanh, in[0], in[1])};
                 },
                 [](const Tensors& in) -> Tensors { return {at::gelu(in[0], "tanh") * in[1]}; },
                 {x, y},
                 3 * bytes,
                 5 * bytes});
  out.push_back({"GELU",
                 [gelu](const Tensors& in) -> Tensors { return {activate(gelu, in[0])}; },
                 [](const Tensors& in) -> Tensors { return {at::gelu(in[0])}; },
                 {x},
                 2 * bytes,
                 3 * bytes});
  const at::Tensor masked = at::arange(0, rows, 7);
  const double share = static_cast<double>(masked.numel()) / static_cast<double>(rows);
  out.push_back(
      {"gather of 1 row in 7",
       [masked](const Tensors& in) -> Tensors { return {gather_rows(in[0], masked)}; },
       [masked](const Tensors& in) -> Tensors { return {at::index_select(in[0], 0, masked)}; },
       {x},
       2 * share* bytes,
       (1 + share) * bytes});
  return out;
}

void print(const std::string& name, const char* pass, double ours, double composite, double rate,
           const char* unit, double roof) {
  std::printf("%-24s %-9s %9.3f %12.3f %7.2fx %9.1f %-7s %4.0f %%\n", name.c_str(), pass,
              ours * 1e3, composite * 1e3, composite / ours, rate, unit, 100 * rate / roof);
}

void run(std::int64_t rows, std::int64_t width) {
  const at::Tensor a = at::randn({rows, width}), b = at::randn({rows, width});
  at::Tensor sum = at::ones_like(a);
  const double gigabytes = 12.0 * static_cast<double>(rows * width) / 1e9;
  const double move = gigabytes / seconds_of([&] { at::add_out(sum, a, b); });
  const at::Tensor left = at::randn({1024, 1024}), right = at::randn({1024, 1024});
  at::Tensor product = at::ones_like(left);
  const double multiply =
      2e-9 * 1024 * 1024 * 1024 / seconds_of([&] { at::mm_out(product, left, right); });
  std::printf(
      "%ld rows of %ld fp32, %d threads; the roof: %.1f GB/s (a + b), %.0f GFLOP/s "
      "(1024³ product)\n\n",
      static_cast<long>(rows), static_cast<long>(width), at::get_num_threads(), move, multiply);
  std::printf("%-24s %-9s %9s %12s %8s %17s %6s\n", "operation", "pass", "ours ms", "composite ms",
              "faster", "rate", "roof");
  for (const Case& each : cases(rows, width)) {
    const Times ours = time_of(each.ours, each.inputs);
    const Times composite = time_of(each.composite, each.inputs);
    print(each.name, "forward", ours.forward, composite.forward,
          each.forward_bytes / ours.forward / 1e9, "GB/s", move);
    print(each.name, "backward", ours.backward, composite.backward,
          each.backward_bytes / ours.backward / 1e9, "GB/s", move);
  }

  // The loss makes its gradients on the way: both passes together.
  const std::int64_t few = std::min<std::int64_t>(rows, 1024), vocabulary = 16384;
  const at::Tensor hidden = at::randn({few, width}).set_requires_grad(true);
  const at::Tensor output = at::randn({vocabulary, width}).mul_(0.02).set_requires_grad(true);
  const at::Tensor labels = at::randint(vocabulary, {few}, at::kLong);
  const Tensors wanted = {hidden, output};
  const double ours = seconds_of([&] {
    torch::autograd::grad({linear_cross_entropy(hidden, output, {}, labels, at::kFloat)}, wanted);
  });
  const double composite = seconds_of([&] {
    torch::autograd::grad(
        {at::cross_entropy_loss(at::mm(hidden, output.t()), labels, {}, at::Reduction::Sum)},
        wanted);
  });
  const double work = 6e-9 * static_cast<double>(few * width) * static_cast<double>(vocabulary);
  print("linear + cross-entropy", "both", ours, composite, work / ours, "GFLOP/s", multiply);
}

}  // namespace
}  // namespace llmctl

int main(int argc, char** argv) {
  const auto argument = [&](int i, std::int64_t fallback) {
    return argc > i ? std::max<std::int64_t>(std::atoll(argv[i]), 64) : fallback;
  };
  llmctl::initialize_backend(0);  // as a command that computes does
  llmctl::run(argument(1, 8192), argument(2, 1024));
}
