// A causal language model taught to answer prompts: the loss counts the answers alone.
#pragma once

#include <memory>

#include "tasks/task.h"

namespace llmctl {

/// The keys of sections whose rows are prompts with answers: the form in which a model meets them.
template <class Self, class Visitor>
void visit_form_keys(Self& self, Visitor& visit) {
  visit("template", self.prompt_template,
        "What the model reads before an answer, {prompt} standing for the prompt; absent: what "
        "the model was trained with, else \"{prompt}\\n\".");
  visit("chat_template", self.chat_template,
        "Chat template of conversations: chatml, llama3, llama2, alpaca, vicuna, zephyr, gemma, "
        "plain, or a file; empty: the model's own.",
        PathKey{.or_name = true});
  visit("conversations", self.conversations,
        "Put every record into the chat template (true) or into \"template\" (false); absent: the "
        "chat template where records are conversations and the model has one.");
}

/// Section "task" of type text_generation.
struct TextGenerationConfig {
  std::string type = "text_generation";
  std::optional<std::string> prompt_field, input_field, answer_field, messages_field;
  std::optional<std::string> prompt_template;
  std::string chat_template;
  std::optional<bool> conversations;
  std::vector<std::string> roles_to_train = {"assistant"};
  bool packing = false;
  std::int64_t max_new_tokens = 64;
  std::int64_t validation_samples = 100;
  std::string metric = "auto";
  std::optional<std::string> bleu_tokenizer;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("type", self.type, "The task.", OneOf{{"text_generation"}});
    visit("prompt_field", self.prompt_field,
          "Field of the prompt; absent: prompt, question, instruction, … as the file has it.");
    visit("input_field", self.input_field,
          "Field of a text that belongs behind the prompt; absent: input, beside an instruction.");
    visit("answer_field", self.answer_field,
          "Field of the answer; absent: answer, output, response, … as the file has it.");
    visit("messages_field", self.messages_field,
          "Field of a conversation [{role, content}]; absent: messages or conversations, where a "
          "record has one.");
    visit_form_keys(self, visit);
    visit("roles_to_train", self.roles_to_train,
          "Whose messages are learned: the assistant's answers, or others' too (a prompt is the "
          "user's).",
          OneOrMore{}, OneOf{{"system", "user", "assistant", "tool"}});
    visit("packing", self.packing,
          "Put several records into one row of data.sequence_length tokens, unseen by each other; "
          "train.batch_size then counts such rows.");
    visit("max_new_tokens", self.max_new_tokens, "Longest answer that is generated for scores.",
          Range<std::int64_t>{1, 1'000'000}, Change::kFree);
    visit("validation_samples", self.validation_samples,
          "Held-out prompts answered at each validation for exact_match; 0: none.",
          Range<std::int64_t>{0, 1'000'000}, Change::kFree);
    visit("metric", self.metric,
          "Rule of exact_match and f1; auto: CMRC 2018's for Chinese, SQuAD's for others.",
          OneOf{{"auto", "squad", "cmrc2018"}}, Change::kFree);
    visit("bleu_tokenizer", self.bleu_tokenizer,
          "For answers that are translations: eval gives bleu, chrf, chrf++ and ter of them too, "
          "BLEU with this tokenizer; auto: zh for Chinese answers, char for Japanese and Korean "
          "ones, else 13a; absent: none of these scores.",
          OneOf{{"auto", "13a", "intl", "zh", "char", "none"}}, Change::kFree);
  }
  void validate(const ConfigNode& node) const;
};

std::unique_ptr<Task> make_text_generation(const TextGenerationConfig& config,
                                           std::shared_ptr<const Tokenizer> tokenizer);

}  // namespace llmctl
