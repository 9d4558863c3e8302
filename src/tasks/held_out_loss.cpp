#include "tasks/held_out_loss.h"

#include <c10/core/GradMode.h>

#include <memory>

#include "base/signals.h"
#include "models/inputs.h"
#include "tasks/bucketed_source.h"
#include "tasks/lm_loss.h"

namespace llmctl {

std::array<double, 2> held_out_loss(Model& model, const HeldOutRows& rows, std::int64_t batch_size,
                                    const Context& context, const World& world) {
  const c10::NoGradGuard no_grad;
  const std::unique_ptr<Loss> loss = make_lm_loss(model);
  std::array<double, 2> total{};
  std::int64_t number = 0;
  for (const auto& indices : batches_by_length(rows.lengths, batch_size)) {
    stop_if_asked();
    if (number++ % world.size() != world.rank()) continue;
    const LossTerm term = loss->terms(to_model(rows.collate(indices), model), context).front();
    total[0] += term.sum.item<double>();
    total[1] += term.count;
  }
  return total;
}

}  // namespace llmctl
