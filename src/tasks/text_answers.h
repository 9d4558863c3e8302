// Answering with generated text: how an input becomes a prompt, and what comes back.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "models/model.h"
#include "prompt/generate.h"
#include "prompt/generation_settings.h"
#include "tasks/adapter_set.h"
#include "tasks/answer.h"
#include "tasks/chat_prompt.h"
#include "text/template/chat_template.h"
#include "text/tokenizer.h"

namespace llmctl {

/// Texts that a model wrote to one prompt, a sample each.
class TextAnswer : public Answer {
 public:
  explicit TextAnswer(std::vector<GeneratedText> samples) : samples_(std::move(samples)) {}
  const std::vector<GeneratedText>& samples() const { return samples_; }
  /// generated_json() of the only sample, else a list "samples" of these.
  Json record() const override;
  std::string text() const override;

 private:
  std::vector<GeneratedText> samples_;
};

struct FittedPrompt {
  EncodedPrompt prompt;
  PromptCut cut;
};

/// How an input becomes the tokens that an answer follows, in the form that the model knows.
class PromptForm {
 public:
  virtual ~PromptForm() = default;
  /// kData, naming the input's place.
  virtual EncodedPrompt encode(const AnswerInput& input) const = 0;
  /// The same in at most `length` tokens, where the form knows what may be left out; kData where
  /// that is not enough.
  virtual FittedPrompt fit(const AnswerInput& input, std::size_t length) const;
  /// Takes "messages", and bare prompts as a user's.
  virtual bool holds_conversations() const { return false; }
  /// What ends an answer in this form beside the model's own ends.
  virtual std::optional<TokenId> end_token() const { return std::nullopt; }
  virtual std::string end_text() const { return ""; }
  /// White space around an answer is not part of it.
  virtual bool trims() const { return false; }
  virtual Json settings() const = 0;
};

/// For forms of conversations: kData, naming the place, where nothing fits.
FittedPrompt fitted_prompt(std::optional<ChatPrompt> prompt, const AnswerInput& input,
                           std::size_t length);

/// Prompts as they are; an encoder-decoder's as its encoder reads them.
std::unique_ptr<PromptForm> make_raw_form(std::shared_ptr<const Tokenizer> tokenizer,
                                          bool encoder_decoder);

/// Conversations through a chat template. With `prompts_are_messages` a bare prompt is a user's
/// message, else it is read as it is; `system` goes before conversations that have no system
/// message.
std::unique_ptr<PromptForm> make_chat_form(std::shared_ptr<const Tokenizer> tokenizer,
                                           ChatTemplate chat, const std::string& system,
                                           bool prompts_are_messages);

/// The form that the options ask for, with the model's own chat template where it has one: chats
/// (kUsage where the model has no template), else raw.
std::unique_ptr<PromptForm> choose_form(const Model& model,
                                        std::shared_ptr<const Tokenizer> tokenizer,
                                        const AnswerOptions& options);

/// What the model's files say of generated text.
GenerationFiles generation_files(const AnswerOptions& options, const Json& model_config,
                                 bool encoder_decoder, const Tokenizer& tokenizer);
/// The options' settings of generated text over those.
GenerationSettings generation_settings(const AnswerOptions& options, const Json& model_config,
                                       bool encoder_decoder, const Tokenizer& tokenizer);

/// A built-in chat template or one of a file.
ChatTemplate named_chat_template(const std::string& name, const Tokenizer& tokenizer);

/// The text of the first member that the record has among "prompt" and "text".
const std::string& prompt_of(const AnswerInput& input);

/// Answers with generated text. An input's member "generation" is an object of settings that stand
/// for this input in place of the command's; its member "adapter" names one or several ("DIR" or
/// "DIR=SCALE"; null: none) in place of the command's.
class TextResponder : public Responder {
 public:
  TextResponder(Model& model, std::shared_ptr<const Tokenizer> tokenizer,
                std::unique_ptr<PromptForm> form, const AnswerOptions& options);

  Json input_of(const std::string& text) const override { return {{"prompt", text}}; }
  void check(std::span<const AnswerInput> inputs) const override;
  AnswerList answer(std::span<const AnswerInput> inputs, std::size_t first,
                    const AnswerEvents& events) override;
  void answer_each(std::span<const AnswerInput> inputs, std::size_t first,
                   const AnswerEvents& events, const AnswerGiver& give) override;
  std::int64_t group_size() const override { return 1; }
  Json settings() const override;
  std::int64_t batch_size() const override { return generation_->batch_size; }
  std::vector<std::string> notes() const override;

  const PromptForm& form() const { return *form_; }
  /// Texts that each prompt gets, and those that an input with its own settings does.
  std::int64_t samples() const { return generation_->samples; }
  std::int64_t samples_of(const AnswerInput& input) const {
    const Settings own = own_settings(input);
    return own ? own->samples : samples();
  }
  /// What is left out of an input's prompt where generation.too_long is to truncate.
  PromptCut cut_of(const AnswerInput& input) const { return encode(input).cut; }
  /// Tokens that a conversation may have before an answer.
  std::size_t prompt_room() const { return prompt_room(*generation_); }

 private:
  using Settings = std::shared_ptr<const GenerationSettings>;

  FittedPrompt encode(const AnswerInput& input) const;
  const GenerationSettings& count(const FittedPrompt& fitted);
  bool is_skipped(const EncodedPrompt& prompt) const;
  std::unique_ptr<Answer> finished_answer(std::vector<GeneratedText> samples,
                                          const std::string& echo);
  std::size_t prompt_room(const GenerationSettings& settings) const;
  Settings resolve(const Json& section) const;
  Settings own_settings(const AnswerInput& input) const;
  std::vector<AdapterChoice> own_adapters(const AnswerInput& input) const;
  void note_own(const GenerationSettings& settings);

  Model& model_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<PromptForm> form_;
  GenerationFiles files_;
  Json section_;  // the user's
  Settings generation_;
  mutable AdapterSet adapters_;  // loaded when they are first named
  std::vector<AdapterChoice> shared_adapters_;
  mutable std::pair<Json, Settings> last_own_;  // the last input's own members and their settings
  std::int64_t sequence_length_ = 0;            // most tokens with the answer; 0: the model's limit
  Engine engine_;                               // keeps a conversation's tokens from turn to turn
  // So far, for notes():
  std::size_t skipped_ = 0, shortened_ = 0, out_of_positions_ = 0, not_echoed_ = 0;
  PromptCut cut_;
  std::map<std::string, std::size_t> own_notes_;
};

}  // namespace llmctl
