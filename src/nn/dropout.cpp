#include "nn/dropout.h"

#include "base/random.h"
#include "ops/backend.h"
#include "ops/dropout.h"

namespace llmctl {

void seed_dropout(const Context& context, std::int64_t block, const at::Device& device) {
  if (!context.train) return;
  Random random(random_key(context.dropout_seed, "dropout", static_cast<std::uint64_t>(block)));
  seed_generator(device, random.next());
}

at::Tensor dropout(const at::Tensor& x, double probability, const Context& context) {
  if (!context.train || probability == 0) return x;
  return drop_elements(x, probability);
}

}  // namespace llmctl
