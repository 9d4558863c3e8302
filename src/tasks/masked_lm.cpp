#include "tasks/masked_lm.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/logsumexp.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "data/prepare/chinese_words.h"
#include "metrics/perplexity.h"
#include "tasks/lm_loss.h"
#include "tasks/lm_rows.h"

namespace llmctl {

namespace {

constexpr std::int64_t kLogitsAtATime = std::int64_t{1} << 24;  // elements, 64 MB in fp32

class MaskedValidator : public Validator {
 public:
  MaskedValidator(Model& model, std::shared_ptr<const Shards> shards, const RowPlanOptions& options,
                  MakeRow make_row, std::int64_t pad, std::int64_t batch_size, World& world)
      : model_(model),
        shards_(std::move(shards)),
        plan_(*shards_, options),
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
    at::Tensor nats, correct;
    double masked = 0;
    for_each_row_batch(
        *shards_, plan_, batch_size_, world_, make_row_, pad_, [&](const Batch& host) {
          const Batch batch = to_device(host, model_.device());
          const LabelledRows rows = labelled_rows(model_, batch, context);
          const std::int64_t count = rows.labels.numel();
          const std::int64_t step =
              std::max<std::int64_t>(1, kLogitsAtATime / model_.facts().vocab_size);
          for (std::int64_t begin = 0; begin < count; begin += step) {
            const std::int64_t size = std::min(step, count - begin);
            const at::Tensor labels = rows.labels.narrow(0, begin, size);
            const at::Tensor logits =
                model_.head(rows.hidden.narrow(0, begin, size), context).to(at::kFloat);
            const at::Tensor right = at::gather(logits, 1, labels.unsqueeze(1)).squeeze(1);
            add_to(nats, at::logsumexp(logits, {1}).sub(right).sum(at::kDouble));
            add_to(correct, at::argmax(logits, 1).eq(labels).sum().to(at::kDouble));
          }
          masked += static_cast<double>(count);
        });
    std::array<double, 3> sums{value_of(nats), value_of(correct), masked};
    world_.sum(sums);
    require(sums[2] > 0, ErrorCode::kData, shards_->directory(), ": no token to validate on");
    ValidationResult result;
    result.scores = loss_and_perplexity(sums[0], sums[2]);
    result.scores.add(percent_score("masked_accuracy", sums[1] / sums[2], sums[2]));
    return result;
  }

 private:
  Model& model_;
  std::shared_ptr<const Shards> shards_;
  RowPlan plan_;
  MakeRow make_row_;
  std::int64_t pad_, batch_size_;
  World& world_;
};

class MaskedLm : public Objective {
 public:
  MaskedLm(const MaskingOptions& options, std::shared_ptr<const Tokenizer> tokenizer)
      : tokenizer_(std::move(tokenizer)),
        brackets_(brackets_of(*tokenizer_)),
        masker_(std::make_shared<const Masker>(*tokenizer_, options)) {}

  HeadKind head() const override { return HeadKind::kMaskedLm; }
  std::vector<ScoreKind> validation_scores() const override {
    return {loss_kind(kLossName), perplexity_kind("perplexity"), percent_kind("masked_accuracy")};
  }

  std::unique_ptr<Source> source(const std::vector<WeightedShards>& corpora,
                                 const PackingOptions& packing, const Batching& batching,
                                 const std::filesystem::path& cache) const override {
    return std::make_unique<RowSource>(
        Mixture(corpora, packing, kMaskedFormat, batching.seed, cache), batching,
        row_maker(packing), pad());
  }

  std::unique_ptr<Loss> loss(Model& model) const override { return make_lm_loss(model); }

  std::unique_ptr<Validator> validator(Model& model, std::shared_ptr<const Shards> valid,
                                       const PackingOptions& packing, std::int64_t batch_size,
                                       World& world, std::int64_t max_tokens) const override {
    return std::make_unique<MaskedValidator>(model, std::move(valid),
                                             validation_plan(packing, kMaskedFormat, max_tokens),
                                             row_maker(packing), pad(), batch_size, world);
  }

 private:
  std::int64_t pad() const { return tokenizer_->special().pad.value_or(0); }

  MakeRow row_maker(const PackingOptions& packing) const {
    return
        [joined = packing_of(packing.packing) == Packing::kConcat, brackets = brackets_,
         masker = masker_](const Shards& shards, std::span<const RowPiece> pieces, RandomKey key) {
          TokenRow row = bracketed_row(shards, pieces, joined, brackets);
          row.labels.resize(row.ids.size());
          masker->apply(key, row.ids, row.labels);
          return row;
        };
  }

  std::shared_ptr<const Tokenizer> tokenizer_;
  Brackets brackets_;
  std::shared_ptr<const Masker> masker_;
};

}  // namespace

void MaskedLmConfig::validate(const ConfigNode& node) const {
  if (mask_share + random_share > 1 + 1e-9) {
    node.fail("random_share", concat("mask_share and random_share add up to ",
                                     mask_share + random_share, ", expected at most 1"));
  }
  if (chinese_words && !whole_word) {
    node.fail("chinese_words", "is for whole words; set whole_word to true, too");
  }
}

Brackets brackets_of(const Tokenizer& tokenizer) {
  const SpecialTokens& special = tokenizer.special();
  require(special.cls && special.sep, ErrorCode::kConfig, "the tokenizer (",
          tokenizer.description(),
          ") has no [CLS] and [SEP]; train one with tokenizer_training.recipe \"masked\"");
  return {*special.cls, *special.sep};
}

TokenRow bracketed_row(const Shards& shards, std::span<const RowPiece> pieces, bool joined,
                       const Brackets& brackets) {
  TokenRow row;
  std::int64_t document = 0;
  const bool packed = !joined && pieces.size() > 1;
  for (const RowPiece& piece : pieces) {
    const std::size_t begin = row.ids.size();
    if (!joined || begin == 0) row.ids.push_back(brackets.cls);
    const std::size_t text = row.ids.size();
    row.ids.resize(text + piece.length);
    shards.read(piece.begin, std::span(row.ids).subspan(text));
    if (!joined) row.ids.push_back(brackets.sep);
    if (packed) {
      for (std::size_t i = begin; i < row.ids.size(); ++i) {
        row.positions.push_back(static_cast<std::int64_t>(i - begin));
        row.documents.push_back(document);
      }
      ++document;
    }
  }
  if (joined) row.ids.push_back(brackets.sep);
  return row;
}

std::unique_ptr<Objective> make_masked_lm(const ConfigNode& section,
                                          std::shared_ptr<const Tokenizer> tokenizer) {
  MaskedLmConfig config;
  read_config(section, config);
  MaskingOptions options;
  options.probability = config.mask_probability;
  options.whole_word = config.whole_word;
  options.mask_share = config.mask_share;
  options.random_share = config.random_share;
  if (config.chinese_words) {
    options.chinese_words = [words = ChineseWords()](std::string_view text) {
      return words.split(text);
    };
  }
  return std::make_unique<MaskedLm>(options, std::move(tokenizer));
}

}  // namespace llmctl
