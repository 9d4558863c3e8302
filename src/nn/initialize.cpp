#include "nn/initialize.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

#include <algorithm>

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

}  // namespace llmctl
