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

void fill_sinusoids(at::Tensor& table, double amplitude) {
  const c10::AutoGradMode no_grad(false);
  at::Tensor values = at::empty(table.sizes(), at::kFloat);
  float* const data = values.mutable_data_ptr<float>();
  const std::int64_t width = values.size(1);
  for (std::int64_t position = 0; position < values.size(0); ++position) {
    for (std::int64_t column = 0; column < width; ++column) {
      const double exponent = static_cast<double>(column - column % 2) / static_cast<double>(width);
      const double angle = static_cast<double>(position) * std::pow(10000.0, -exponent);
      data[position * width + column] =
          static_cast<float>(amplitude * (column % 2 == 0 ? std::sin(angle) : std::cos(angle)));
    }
  }
  table.copy_(values);
}

}  // namespace llmctl
