#include "nn/initialize.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace llmctl {

void fill_normal(at::Tensor& tensor, double deviation, std::uint64_t seed,
                 const std::string& name) {
  constexpr std::int64_t kBlock = 4096;  // elements of one stream of draws
  const c10::AutoGradMode no_grad(false);
  at::Tensor values = at::empty(tensor.sizes(), at::kFloat);
  float* const data = values.mutable_data_ptr<float>();
  const std::int64_t count = values.numel();
  at::parallel_for(0, (count + kBlock - 1) / kBlock, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t block = first; block < last; ++block) {
      Random random(random_key(seed, "initialize " + name, static_cast<std::uint64_t>(block)));
      const std::int64_t end = std::min(count, (block + 1) * kBlock);
      for (std::int64_t i = block * kBlock; i < end; ++i) {
        data[i] = static_cast<float>(deviation * random.normal());
      }
    }
  });
  tensor.copy_(values);
}

namespace {

/// table[p, column(c)] = amplitude · sine or cosine of the angle of position p and wave c.
template <class Column>
void fill_waves(at::Tensor& table, double amplitude, const Column& column) {
  const c10::AutoGradMode no_grad(false);
  at::Tensor values = at::empty(table.sizes(), at::kFloat);
  float* const data = values.mutable_data_ptr<float>();
  const std::int64_t width = values.size(1);
  for (std::int64_t position = 0; position < values.size(0); ++position) {
    for (std::int64_t c = 0; c < width; ++c) {
      const double exponent = static_cast<double>(c - c % 2) / static_cast<double>(width);
      const double angle = static_cast<double>(position) * std::pow(10000.0, -exponent);
      data[position * width + column(c, width)] =
          static_cast<float>(amplitude * (c % 2 == 0 ? std::sin(angle) : std::cos(angle)));
    }
  }
  table.copy_(values);
}

}  // namespace

void fill_sinusoids(at::Tensor& table, double amplitude) {
  fill_waves(table, amplitude, [](std::int64_t c, std::int64_t) { return c; });
}

void fill_half_sinusoids(at::Tensor& table) {
  fill_waves(table, 1, [](std::int64_t c, std::int64_t width) {
    return c % 2 == 0 ? c / 2 : (width + 1) / 2 + c / 2;
  });
}

}  // namespace llmctl
