#include "tasks/masked_lm.h"

#include <utility>

#include "base/error.h"
#include "prompt/fill_masks.h"
#include "tasks/pseudo_perplexity.h"
#include "tasks/text_answers.h"
#include "text/chinese_words.h"

namespace llmctl {

namespace {

MaskingOptions masking_options(const MaskedLmConfig& config) {
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
  return options;
}

class MaskResponder : public Responder {
 public:
  MaskResponder(Model& model, std::shared_ptr<const Tokenizer> tokenizer,
                const AnswerOptions& options)
      : model_(model),
        tokenizer_(std::move(tokenizer)),
        options_{options.top, options.batch_size, options.context} {}

  Json input_of(const std::string& text) const override { return {{"text", text}}; }
  void check(std::span<const AnswerInput> inputs) const override {
    check_masks(model_, *tokenizer_, texts_of(inputs), places_of(inputs));
  }
  AnswerList answer(std::span<const AnswerInput> inputs, std::size_t,
                    const AnswerEvents&) override {
    AnswerList answers;
    for (FilledMasks& filled :
         fill_masks(model_, tokenizer_, texts_of(inputs), options_, places_of(inputs))) {
      answers.push_back(std::make_unique<MaskAnswer>(std::move(filled)));
    }
    return answers;
  }
  Json settings() const override { return {{"top", options_.top}}; }
  std::int64_t batch_size() const override { return options_.batch_size; }

 private:
  static std::vector<std::string> texts_of(std::span<const AnswerInput> inputs) {
    std::vector<std::string> texts;
    for (const AnswerInput& input : inputs) texts.push_back(prompt_of(input));
    return texts;
  }
  static std::vector<std::string> places_of(std::span<const AnswerInput> inputs) {
    std::vector<std::string> places;
    for (const AnswerInput& input : inputs) places.push_back(input.place);
    return places;
  }

  Model& model_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  MaskOptions options_;
};

class MaskedLm : public TextTask {
 public:
  MaskedLm(const MaskedLmConfig& config, std::shared_ptr<const Tokenizer> tokenizer)
      : TextTask(std::move(tokenizer)),
        config_(config),
        brackets_(brackets_of(*tokenizer_)),
        masker_(std::make_shared<const Masker>(*tokenizer_, masking_options(config))) {}

  const std::string& type() const override { return config_.type; }
  HeadKind head() const override { return HeadKind::kMaskedLm; }
  std::vector<ScoreKind> validation_scores() const override {
    return {loss_kind(kLossName), perplexity_kind("perplexity"), percent_kind("masked_accuracy")};
  }
  std::vector<ScoreKind> evaluation_scores() const override {
    std::vector<ScoreKind> kinds = validation_scores();
    if (config_.pseudo_perplexity) kinds.push_back(perplexity_kind("pseudo_perplexity"));
    return kinds;
  }
  std::string generate_flags() const override { return "-p \"… [MASK] …\""; }
  std::unique_ptr<Responder> responder(Model& model, const AnswerOptions& options) const override {
    return std::make_unique<MaskResponder>(model, tokenizer_, options);
  }

 protected:
  RowFormat row_format() const override { return kMaskedFormat; }
  LmScores lm_scores() const override { return {.accuracy = true, .bits_per_byte = false}; }

  MakeRow row_maker(const PackingOptions& packing) const override {
    return
        [joined = packing_of(packing.packing) == Packing::kConcat, brackets = brackets_,
         masker = masker_](const Shards& shards, std::span<const RowPiece> pieces, RandomKey key) {
          TokenRow row = bracketed_row(shards, pieces, joined, brackets);
          row.labels.resize(row.ids.size());
          masker->apply(key, row.ids, row.labels);
          return row;
        };
  }

  void evaluate_more(Model& model, const Shards& shards, const TaskData& data,
                     const EvaluateOptions& options, TaskEvaluation& evaluation) const override {
    if (!config_.pseudo_perplexity) return;
    const PseudoPerplexityOptions pseudo{data.sequence_length, options.batch_size,
                                         config_.pseudo_perplexity_tokens};
    const PseudoPerplexity found =
        pseudo_perplexity(model, *tokenizer_, shards, pseudo, options.context, *make_local_world());
    evaluation.scores.add(
        perplexity_score("pseudo_perplexity", found.perplexity, static_cast<double>(found.tokens)));
  }

 private:
  MaskedLmConfig config_;
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
          ") has no [CLS] and [SEP]; train one with: llmctl tokenizer train --recipe masked");
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

Json MaskAnswer::record() const {
  Json masks = Json::array();
  for (const auto& choices : filled_.choices) {
    Json words = Json::array();
    for (const MaskChoice& choice : choices)
      words.push_back(Json{{"word", choice.word}, {"probability", choice.probability}});
    masks.push_back(std::move(words));
  }
  return {{"filled", filled_.filled}, {"masks", std::move(masks)}};
}

std::string MaskAnswer::text() const {
  std::string text = filled_.filled;
  for (const auto& choices : filled_.choices) {
    text += "\n ";
    for (const MaskChoice& choice : choices)
      text += " " + choice.word + format_percent(choice.probability);
  }
  return text;
}

std::unique_ptr<TextTask> make_masked_lm(const MaskedLmConfig& config,
                                         std::shared_ptr<const Tokenizer> tokenizer) {
  return std::make_unique<MaskedLm>(config, std::move(tokenizer));
}

}  // namespace llmctl
