#include "tasks/spans_responder.h"

#include <optional>
#include <utility>

#include "base/error.h"
#include "base/world.h"
#include "models/labels.h"
#include "tasks/bucketed_source.h"
#include "tasks/tagged_texts.h"

namespace llmctl {

std::vector<std::string> model_tags(const Model& model) {
  const JsonDocument document{model.config(), {}};
  std::vector<std::string> tags;
  for (const std::string& name :
       read_labels(ConfigNode(&document.value, "config.json", &document, ErrorCode::kData))) {
    std::optional<std::string> tag = normal_tag(name);
    require(tag.has_value(), ErrorCode::kData, "config.json: id2label: the class '", name,
            "' is no tag of entities (O, or B-, I-, E- or S- with a type behind it)");
    tags.push_back(std::move(*tag));
  }
  require(std::ssize(tags) == model.facts().labels, ErrorCode::kData,
          "config.json: id2label names ", tags.size(), " classes, the model has ",
          model.facts().labels);
  return tags;
}

std::vector<std::vector<PredictedEntity>> predict_entities(Model& model, const TagRows& rows,
                                                           std::int64_t batch_size,
                                                           const Context& context) {
  // Labels are not looked at.
  std::vector<std::vector<std::int64_t>> none(rows.texts());
  for (std::size_t i = 0; i < rows.texts(); ++i)
    none[i].assign(rows.units(i).spans.size(), kIgnoreLabel);
  const TagPredictions predictions =
      predict_tags(model, rows, none, batch_size, context, *make_local_world());
  const std::vector<std::string> names = model_tags(model);
  std::vector<std::vector<PredictedEntity>> entities;
  for (std::size_t i = 0; i < rows.texts(); ++i)
    entities.push_back(predicted_entities(predictions.texts[i], rows.units(i), names));
  return entities;
}

namespace {

class SpansResponder : public Responder {
 public:
  SpansResponder(const TokenClassificationConfig& config,
                 std::shared_ptr<const Tokenizer> tokenizer, Model& model,
                 const AnswerOptions& options)
      : config_(config),
        tokenizer_(std::move(tokenizer)),
        model_(model),
        rows_{model_length(model, options.sequence_length > 0 ? options.sequence_length
                                                              : model.facts().max_positions),
              config.stride},
        batch_size_(options.batch_size),
        context_(options.context) {}

  Json input_of(const std::string& text) const override { return {{"text", text}}; }
  void check(std::span<const AnswerInput> inputs) const override {
    texts_of(inputs);
    model_tags(model_);
  }

  AnswerList answer(std::span<const AnswerInput> inputs, std::size_t,
                    const AnswerEvents&) override {
    const std::vector<TaggedText> texts = texts_of(inputs);
    const TagRows rows(texts, *tokenizer_, rows_);
    const auto predicted = predict_entities(model_, rows, batch_size_, context_);
    AnswerList answers;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      std::optional<std::string> joined;
      if (texts[i].from_words) joined = texts[i].text;
      answers.push_back(std::make_unique<SpansAnswer>(labelled_spans(texts[i].text, predicted[i]),
                                                      std::move(joined)));
    }
    return answers;
  }

  Json settings() const override {
    return {{"sequence_length", rows_.sequence_length}, {"stride", rows_.stride}};
  }
  std::int64_t batch_size() const override { return batch_size_; }

 private:
  std::vector<TaggedText> texts_of(std::span<const AnswerInput> inputs) const {
    std::vector<TaggedText> texts;
    for (const AnswerInput& input : inputs) texts.push_back(read_tagged_input(input, config_));
    return texts;
  }

  TokenClassificationConfig config_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  Model& model_;
  TagRowOptions rows_;
  std::int64_t batch_size_;
  Context context_;
};

}  // namespace

std::unique_ptr<Responder> make_spans_responder(const TokenClassificationConfig& config,
                                                std::shared_ptr<const Tokenizer> tokenizer,
                                                Model& model, const AnswerOptions& options) {
  return std::make_unique<SpansResponder>(config, std::move(tokenizer), model, options);
}

}  // namespace llmctl
