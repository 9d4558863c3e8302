#include "tasks/causal_lm.h"

#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>

#include <array>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "metrics/perplexity.h"
#include "tasks/lm_loss.h"
#include "tasks/lm_rows.h"

namespace llmctl {

namespace {

std::int64_t pad_of(const Tokenizer& tokenizer) {
  return tokenizer.special().pad.value_or(0);
}

MakeRow row_maker(const PackingOptions& packing, const Tokenizer& tokenizer) {
  const SpecialTokens& special = tokenizer.special();
  return [joined = packing_of(packing.packing) == Packing::kConcat,
          start = special.bos ? special.bos : special.eos](
             const Shards& shards, std::span<const RowPiece> pieces, RandomKey) {
    return causal_row(shards, pieces, joined, start);
  };
}

class CausalValidator : public Validator {
 public:
  CausalValidator(Model& model, std::shared_ptr<const Shards> shards, const RowPlanOptions& options,
                  MakeRow make_row, std::int64_t pad, std::int64_t batch_size, World& world)
      : model_(model),
        shards_(std::move(shards)),
        plan_(*shards_, options),
        whole_(options.max_tokens == 0 || options.max_tokens >= shards_->tokens()),
        make_row_(std::move(make_row)),
        pad_(pad),
        batch_size_(batch_size),
        world_(world) {
    require(plan_.rows() > 0, ErrorCode::kData, shards_->directory(), ": no text to validate on");
  }

  ValidationResult validate(const Context& given) override {
    const c10::NoGradGuard no_grad;
    Context context = given;
    context.train = false;
    at::Tensor nats;
    double tokens = 0;
    for_each_row_batch(
        *shards_, plan_, batch_size_, world_, make_row_, pad_, [&](const Batch& host) {
          const Batch batch = to_device(host, model_.device());
          const LabelledRows rows = labelled_rows(model_, batch, context);
          if (rows.labels.numel() == 0) return;
          add_to(nats, model_.lm_loss(rows.hidden, rows.labels, context).to(at::kDouble));
          tokens += static_cast<double>(rows.labels.numel());
        });
    std::array<double, 2> sums{value_of(nats), tokens};
    world_.sum(sums);
    require(sums[1] > 0, ErrorCode::kData, shards_->directory(), ": no token to validate on");
    ValidationResult result;
    result.scores = loss_and_perplexity(sums[0], sums[1]);
    if (whole_ && shards_->text_bytes() > 0) {
      const auto bytes = static_cast<double>(shards_->text_bytes());
      result.scores.add(loss_score("bits_per_byte", bits_per(sums[0], bytes), bytes));
    }
    return result;
  }

 private:
  Model& model_;
  std::shared_ptr<const Shards> shards_;
  RowPlan plan_;
  bool whole_;
  MakeRow make_row_;
  std::int64_t pad_, batch_size_;
  World& world_;
};

class CausalLm : public Objective {
 public:
  explicit CausalLm(std::shared_ptr<const Tokenizer> tokenizer)
      : tokenizer_(std::move(tokenizer)) {}

  HeadKind head() const override { return HeadKind::kCausalLm; }
  std::vector<ScoreKind> validation_scores() const override {
    return {loss_kind(kLossName), perplexity_kind("perplexity"), loss_kind("bits_per_byte")};
  }

  std::unique_ptr<Source> source(const std::vector<WeightedShards>& corpora,
                                 const PackingOptions& packing, const Batching& batching,
                                 const std::filesystem::path& cache) const override {
    return std::make_unique<RowSource>(Mixture(corpora, packing, {}, batching.seed, cache),
                                       batching, row_maker(packing, *tokenizer_),
                                       pad_of(*tokenizer_));
  }

  std::unique_ptr<Loss> loss(Model& model) const override { return make_lm_loss(model); }

  std::unique_ptr<Validator> validator(Model& model, std::shared_ptr<const Shards> valid,
                                       const PackingOptions& packing, std::int64_t batch_size,
                                       World& world, std::int64_t max_tokens) const override {
    return std::make_unique<CausalValidator>(
        model, std::move(valid), validation_plan(packing, {}, max_tokens),
        row_maker(packing, *tokenizer_), pad_of(*tokenizer_), batch_size, world);
  }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
};

}  // namespace

TokenRow causal_row(const Shards& shards, std::span<const RowPiece> pieces, bool joined,
                    std::optional<TokenId> start) {
  TokenRow row;
  std::int64_t document = 0;
  for (const RowPiece& piece : pieces) {
    const std::uint64_t end = piece.begin + piece.length;
    std::vector<std::int64_t> targets(piece.length);
    shards.read(piece.begin, targets);

    std::vector<std::int64_t> inputs(piece.length);
    std::copy(targets.begin(), targets.end() - 1, inputs.begin() + 1);
    std::uint64_t next = shards.document_of(piece.begin);
    const bool begins_document = shards.document_start(next) == piece.begin;
    if (!begins_document || (joined && !start && piece.begin > 0)) {
      shards.read(piece.begin - 1, {inputs.data(), 1});
    } else if (start) {
      inputs[0] = *start;
    } else {
      inputs.erase(inputs.begin());
      targets.erase(targets.begin());
    }
    if (joined && start) {
      for (++next; shards.document_start(next) < end; ++next) {
        inputs[shards.document_start(next) - piece.begin] = *start;
      }
    }
    if (inputs.empty()) continue;

    row.ids.insert(row.ids.end(), inputs.begin(), inputs.end());
    row.labels.insert(row.labels.end(), targets.begin(), targets.end());
    if (!joined && pieces.size() > 1) {
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        row.positions.push_back(static_cast<std::int64_t>(i));
        row.documents.push_back(document);
      }
      ++document;
    }
  }
  if (row.ids.empty()) {  // documents of one token that nothing precedes
    row.ids.resize(1);
    shards.read(pieces.front().begin, row.ids);
    row.labels = {kIgnoreLabel};
  }
  return row;
}

std::unique_ptr<Objective> make_causal_lm(const ConfigNode& section,
                                          std::shared_ptr<const Tokenizer> tokenizer) {
  CausalLmConfig config;
  read_config(section, config);
  return std::make_unique<CausalLm>(std::move(tokenizer));
}

}  // namespace llmctl
