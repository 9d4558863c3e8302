#include "tasks/class_responder.h"

#include "base/world.h"
#include "tasks/bucketed_source.h"
#include "tasks/class_decision.h"
#include "tasks/labelled_texts.h"
#include "tasks/text_rows.h"

namespace llmctl {
namespace {

class ClassResponder : public Responder {
 public:
  ClassResponder(const SequenceClassificationConfig& config,
                 std::shared_ptr<const Tokenizer> tokenizer, Model& model,
                 const AnswerOptions& options)
      : config_(reading_of(model, config)),
        tokenizer_(std::move(tokenizer)),
        model_(model),
        decision_(decision_of(model, config)),
        length_{model_length(model, options.sequence_length > 0 ? options.sequence_length
                                                                : model.facts().max_positions),
                truncation_side_of(config, *tokenizer_, model)},
        how_{pad_token(*tokenizer_), options.batch_size, options.context} {}

  Json input_of(const std::string& text) const override { return {{"text", text}}; }
  void check(std::span<const AnswerInput> inputs) const override { texts_of(inputs); }

  AnswerList answer(std::span<const AnswerInput> inputs, std::size_t,
                    const AnswerEvents&) override {
    const TextRows rows = tokenize_texts(texts_of(inputs), *tokenizer_, length_);
    shortened_ += rows.shortened;
    answered_ += inputs.size();
    auto logits = predict_logits(model_, rows, how_, *make_local_world());
    AnswerList answers;
    for (auto& row : logits) {
      answers.push_back(std::make_unique<ClassAnswer>(decision_, decision_.values(std::move(row))));
    }
    return answers;
  }

  Json settings() const override {
    Json settings = {{"sequence_length", length_.sequence_length}};
    if (length_.side != TruncationSide::kRight)
      settings[kTruncationSide] = truncation_side_name(length_.side);
    if (decision_.temperature != 1) settings["temperature"] = decision_.temperature;
    if (!decision_.thresholds.empty()) settings["thresholds"] = decision_.thresholds;
    return settings;
  }
  std::vector<std::string> notes() const override {
    const std::string note = shortened_note(shortened_, answered_, length_);
    return note.empty() ? std::vector<std::string>() : std::vector{note};
  }
  std::int64_t batch_size() const override { return how_.batch_size; }

 private:
  std::vector<LabelledText> texts_of(std::span<const AnswerInput> inputs) const {
    std::vector<LabelledText> texts;
    for (const AnswerInput& input : inputs) texts.push_back(read_text_input(input, config_));
    return texts;
  }

  SequenceClassificationConfig config_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  Model& model_;
  ClassDecision decision_;
  RowLength length_;
  std::size_t shortened_ = 0, answered_ = 0;  // so far
  PredictRows how_;
};

}  // namespace

std::unique_ptr<Responder> make_class_responder(const SequenceClassificationConfig& config,
                                                std::shared_ptr<const Tokenizer> tokenizer,
                                                Model& model, const AnswerOptions& options) {
  return std::make_unique<ClassResponder>(config, std::move(tokenizer), model, options);
}

}  // namespace llmctl
