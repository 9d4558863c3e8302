#include "infer/device_choice.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

#include "infer/sampler.h"

namespace llmctl {
namespace {

/// A choice's numbers as they go to the device, the rows of one tensor.
enum Number { kRow, kDraws, kTemperature, kTopK, kTopP, kMinP, kUniform, kNumbers };

at::Tensor numbers_of(std::span<const DeviceChoice> choices, std::int64_t vocabulary,
                      at::Device device) {
  const auto n = std::ssize(choices);
  at::Tensor numbers = at::empty({kNumbers, n}, at::kDouble);
  auto* const at = numbers.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < n; ++i) {
    const DeviceChoice& choice = choices[static_cast<std::size_t>(i)];
    const auto set = [&](Number number, double value) { at[number * n + i] = value; };
    const bool all = choice.top_k <= 0 || choice.top_k > vocabulary;
    set(kRow, static_cast<double>(choice.row));
    set(kDraws, choice.draws);
    set(kTemperature, choice.temperature);
    set(kTopK, static_cast<double>(all ? vocabulary : choice.top_k));
    set(kTopP, choice.top_p);
    set(kMinP, std::min(choice.min_p, 1.0));
    set(kUniform, choice.uniform);
  }
  return numbers.to(device);
}

/// Logits [N, V] divided by temperatures [N, 1], with Sampler's rounding.
at::Tensor divided(const at::Tensor& logits, const at::Tensor& temperatures) {
  const at::Tensor quotient = logits / temperatures.to(at::kFloat);
  const at::Tensor greatest = at::amax(logits, -1, /*keepdim=*/true);
  const at::Tensor distance = ((logits.to(at::kDouble) - greatest) / temperatures).to(at::kFloat);
  return at::where(temperatures.ge(kSmallTemperature), quotient, distance);
}

/// Draws [N] from logits [N, V] by columns of numbers [kNumbers, N].
at::Tensor draw(const at::Tensor& logits, const at::Tensor& numbers) {
  const auto column = [&](Number number) { return numbers[number].unsqueeze(1); };  // [N, 1]
  // By falling logits, of equals the lowest id first: [N, V] each.
  const auto [values, ids] =
      at::sort(divided(logits, column(kTemperature)), /*stable=*/true, -1, /*descending=*/true);
  at::Tensor weights = at::exp((values - values.narrow(1, 0, 1)).to(at::kDouble));
  const at::Tensor kth = values.gather(1, column(kTopK).to(at::kLong) - 1);
  weights = weights * values.ge(kth);
  // What a token and all less likely ones have together.
  const at::Tensor tail = at::cumsum(weights.flip(1), 1).flip(1);
  const at::Tensor spare = (1 - column(kTopP)) * tail.narrow(1, 0, 1);
  const at::Tensor first = at::arange(values.size(1), ids.options()).eq(0);
  weights = weights * tail.gt(spare).logical_and(weights.ge(column(kMinP))).logical_or(first);
  weights = at::zeros_like(weights).scatter(1, ids, weights);  // by ascending ids again
  const at::Tensor sums = at::cumsum(weights, 1);
  const at::Tensor below = sums.le(column(kUniform) * sums.narrow(1, sums.size(1) - 1, 1)).sum(1);
  const at::Tensor last = (weights.gt(0) * at::arange(weights.size(1), ids.options())).amax(1);
  return at::where(below < last, below, last);  // rounding may leave the sum below the draw
}

}  // namespace

std::vector<TokenId> choose_on_device(const at::Tensor& logits,
                                      std::span<const DeviceChoice> choices) {
  if (choices.empty()) return {};
  const at::Tensor numbers = numbers_of(choices, logits.size(1), logits.device());
  const at::Tensor rows = numbers[kRow].to(at::kLong);
  at::Tensor ids = at::argmax(logits, -1).index_select(0, rows);  // [N]
  const auto draws = [](const DeviceChoice& choice) { return choice.draws; };
  if (std::any_of(choices.begin(), choices.end(), draws)) {
    ids = at::where(numbers[kDraws].ne(0), draw(logits.index_select(0, rows), numbers), ids);
  }
  const at::Tensor finite = at::isfinite(at::amax(logits, -1)).index_select(0, rows);
  ids = at::where(finite, ids, -1).cpu();
  const auto* const id = ids.const_data_ptr<std::int64_t>();
  return {id, id + ids.numel()};
}

}  // namespace llmctl
