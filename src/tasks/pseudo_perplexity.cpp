#include "tasks/pseudo_perplexity.h"

#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>

#include <array>
#include <utility>
#include <vector>

#include "base/error.h"
#include "data/collate.h"
#include "metrics/perplexity.h"
#include "models/inputs.h"
#include "tasks/lm_loss.h"
#include "tasks/lm_rows.h"
#include "tasks/masked_lm.h"

namespace llmctl {

PseudoPerplexity pseudo_perplexity(Model& model, const Tokenizer& tokenizer, const Shards& shards,
                                   const PseudoPerplexityOptions& options, const Context& given,
                                   World& world) {
  const c10::NoGradGuard no_grad;
  Context context = given;
  context.train = false;
  const Brackets brackets = brackets_of(tokenizer);
  require(tokenizer.special().mask.has_value(), ErrorCode::kConfig, "the tokenizer (",
          tokenizer.description(), ") has no mask token");
  require(options.batch_size > 0, ErrorCode::kConfig, "a batch size of ", options.batch_size);
  const std::int64_t mask = *tokenizer.special().mask;
  const PackingOptions packing{"pad", options.sequence_length};
  const RowPlan plan(shards, validation_plan(packing, kMaskedFormat, options.max_tokens));

  at::Tensor nats;
  double tokens = 0;
  std::vector<TokenRow> waiting;
  const auto flush = [&] {
    if (waiting.empty()) return;
    const Batch batch = to_model(collate(waiting, tokenizer.special().pad.value_or(0)), model);
    const LabelledRows rows = labelled_rows(model, batch, context);
    add_to(nats, model.lm_loss(rows.hidden, rows.labels, context).to(at::kDouble));
    tokens += static_cast<double>(waiting.size());
    waiting.clear();
  };
  std::vector<RowPiece> pieces;
  for (auto row = static_cast<std::uint64_t>(world.rank()); row < plan.rows();
       row += static_cast<std::uint64_t>(world.size())) {
    plan.pieces(row, pieces);
    const TokenRow whole = bracketed_row(shards, pieces, false, brackets);
    for (std::size_t i = 1; i + 1 < whole.ids.size(); ++i) {
      TokenRow masked = whole;
      masked.labels.assign(whole.ids.size(), kIgnoreLabel);
      std::swap(masked.labels[i], masked.ids[i]);
      masked.ids[i] = mask;
      waiting.push_back(std::move(masked));
      if (waiting.size() == static_cast<std::size_t>(options.batch_size)) flush();
    }
  }
  flush();
  std::array<double, 2> sums{value_of(nats), tokens};
  world.sum(sums);
  require(sums[1] > 0, ErrorCode::kData, shards.directory(), ": no token to score");
  return {sums[0] / sums[1], perplexity(sums[0], sums[1]), static_cast<std::int64_t>(sums[1])};
}

}  // namespace llmctl
