#include "tasks/causal_lm.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <utility>

#include "base/error.h"
#include "corpus/kneser_ney.h"
#include "tasks/text_answers.h"

namespace llmctl {

namespace {

constexpr std::string_view kNgram = "ngram:";

/// The N of a yardstick "ngram:N".
int ngram_order(const std::string& name) {
  int order = 0;
  const char* const end = name.data() + name.size();
  const bool whole = name.starts_with(kNgram) &&
                     std::from_chars(name.data() + kNgram.size(), end, order).ptr == end;
  require(whole && order >= 1 && order <= 16, ErrorCode::kUsage, "baseline ", name,
          ": expected ngram:N with N from 1 to 16");
  return order;
}

void for_each_shard_document(const Shards& shards,
                             const std::function<void(std::span<const std::int64_t>)>& use) {
  std::vector<std::int64_t> tokens;
  for (std::uint64_t i = 0; i < shards.documents(); ++i) {
    tokens.resize(shards.document_start(i + 1) - shards.document_start(i));
    shards.read(shards.document_start(i), tokens);
    use(tokens);
  }
}

/// Loss of a Kneser-Ney model of some order on the same tokens.
Baseline ngram_baseline(int order, const Shards& train, const Shards& valid,
                        const Tokenizer& tokenizer) {
  const SpecialTokens& special = tokenizer.special();
  const auto start = special.eos ? special.eos : special.bos;
  require(start.has_value(), ErrorCode::kUsage, "baseline ngram:", order,
          ": the tokenizer has no end-of-text token");
  KneserNey::Builder builder(order, tokenizer.vocab_size(), *start);
  for_each_shard_document(train,
                          [&](std::span<const std::int64_t> document) { builder.add(document); });
  const KneserNey model = builder.build();
  TokenLoss total;
  for_each_shard_document(valid, [&](std::span<const std::int64_t> document) {
    const TokenLoss loss = model.loss(document);
    total.nats += loss.nats;
    total.tokens += loss.tokens;
  });
  const auto tokens = static_cast<double>(std::max<std::uint64_t>(total.tokens, 1));
  return {concat("ngram", order), {loss_score(kLossName, total.nats / tokens, tokens)}};
}

class CausalLm : public TextTask {
 public:
  CausalLm(const CausalLmConfig& config, std::shared_ptr<const Tokenizer> tokenizer)
      : TextTask(std::move(tokenizer)), config_(config) {}

  const std::string& type() const override { return config_.type; }
  HeadKind head() const override { return HeadKind::kCausalLm; }
  std::vector<ScoreKind> validation_scores() const override {
    return {loss_kind(kLossName), perplexity_kind("perplexity"), loss_kind("bits_per_byte")};
  }
  std::vector<ScoreKind> evaluation_scores() const override { return validation_scores(); }

  void check_baseline(const std::string& name, const TaskData& data) const override {
    ngram_order(name);
    require(!data.train.empty(), ErrorCode::kUsage, "baseline ", name,
            ": name its training text (the key train of the task), or evaluate a run directory");
  }

  std::unique_ptr<Responder> responder(Model& model, const AnswerOptions& options) const override {
    return std::make_unique<TextResponder>(model, tokenizer_,
                                           choose_form(model, tokenizer_, options), options);
  }

 protected:
  MakeRow row_maker(const PackingOptions& packing) const override {
    const SpecialTokens& special = tokenizer_->special();
    return [joined = packing_of(packing.packing) == Packing::kConcat,
            start = special.bos ? special.bos : special.eos](
               const Shards& shards, std::span<const RowPiece> pieces, RandomKey) {
      return causal_row(shards, pieces, joined, start);
    };
  }

  LmScores lm_scores() const override { return {.accuracy = false, .bits_per_byte = true}; }

  void evaluate_more(Model&, const Shards& shards, const TaskData& data,
                     const EvaluateOptions& options, TaskEvaluation& evaluation) const override {
    if (options.baselines.empty()) return;
    const std::shared_ptr<const Shards> train = training_shards(data);
    for (const std::string& name : options.baselines) {
      evaluation.baselines.push_back(
          ngram_baseline(ngram_order(name), *train, shards, *tokenizer_));
    }
  }

 private:
  CausalLmConfig config_;
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

std::unique_ptr<TextTask> make_causal_lm(const CausalLmConfig& config,
                                         std::shared_ptr<const Tokenizer> tokenizer) {
  return std::make_unique<CausalLm>(config, std::move(tokenizer));
}

}  // namespace llmctl
