#include "tasks/lm_validator.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/logsumexp.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "metrics/perplexity.h"
#include "models/inputs.h"
#include "tasks/lm_loss.h"

namespace llmctl {
namespace {

constexpr std::int64_t kLogitsAtATime = std::int64_t{1} << 24;  // elements, 64 MB in fp32

/// Sums over labelled tokens, on the model's device.
struct Sums {
  at::Tensor nats, correct;
};

/// Loss and hits of the labelled positions, whose logits [N, V] are made in pieces.
void add_hits(Model& model, const LabelledRows& rows, const Context& context, Sums& sums) {
  const std::int64_t count = rows.labels.numel();
  const std::int64_t step = std::max<std::int64_t>(1, kLogitsAtATime / model.facts().vocab_size);
  for (std::int64_t begin = 0; begin < count; begin += step) {
    const std::int64_t size = std::min(step, count - begin);
    const at::Tensor labels = rows.labels.narrow(0, begin, size);
    const at::Tensor logits =
        model.head(rows.hidden.narrow(0, begin, size), context).to(at::kFloat);
    const at::Tensor right = at::gather(logits, 1, labels.unsqueeze(1)).squeeze(1);
    add_to(sums.nats, at::logsumexp(logits, {1}).sub(right).sum(at::kDouble));
    add_to(sums.correct, at::argmax(logits, 1).eq(labels).sum().to(at::kDouble));
  }
}

}  // namespace

LmValidator::LmValidator(Model& model, LmValidation validation, World& world)
    : model_(model),
      validation_(std::move(validation)),
      plan_(*validation_.shards, validation_.plan),
      world_(world) {
  require(plan_.rows() > 0, ErrorCode::kData, validation_.shards->directory(),
          ": no text to validate on");
}

ValidationResult LmValidator::validate(const Context& given) {
  const c10::NoGradGuard no_grad;
  const Shards& shards = *validation_.shards;
  Context context = given;
  context.train = false;
  Sums sums;
  double tokens = 0;
  const PlannedRows planned = {shards, plan_, validation_.make_row, validation_.pad};
  for_each_row_batch(planned, validation_.batch_size, world_, [&](const Batch& host) {
    const Batch batch = to_model(host, model_);
    const LabelledRows rows = labelled_rows(model_, batch, context);
    if (rows.labels.numel() == 0) return;
    tokens += static_cast<double>(rows.labels.numel());
    if (validation_.scores.accuracy) {
      add_hits(model_, rows, context, sums);
    } else {
      add_to(sums.nats, model_.lm_loss(rows.hidden, rows.labels, context).to(at::kDouble));
    }
  });
  std::array<double, 3> totals{value_of(sums.nats), value_of(sums.correct), tokens};
  world_.sum(totals);
  const auto [nats, correct, count] = totals;
  require(count > 0, ErrorCode::kData, shards.directory(), ": no token to validate on");
  ValidationResult result;
  result.scores = loss_and_perplexity(nats, count);
  if (validation_.scores.accuracy)
    result.scores.add(percent_score("masked_accuracy", correct / count, count));
  const std::uint64_t limit = validation_.plan.max_tokens;
  const bool whole = limit == 0 || limit >= shards.tokens();
  if (validation_.scores.bits_per_byte && whole && shards.text_bytes() > 0) {
    const auto bytes = static_cast<double>(shards.text_bytes());
    result.scores.add(loss_score("bits_per_byte", bits_per(nats, bytes), bytes));
  }
  return result;
}

}  // namespace llmctl
