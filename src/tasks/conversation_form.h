// The form in which a causal model meets prompts and answers: a template around prompts, or a chat
// template.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tasks/chat_rows.h"
#include "tasks/dialogues.h"
#include "tasks/text_generation.h"
#include "text/tokenizer.h"

namespace llmctl {

/// What decides the form beside the task's section.
struct FormSources {
  std::filesystem::path directory;  ///< of the model or tokenizer: its chat template
  Json described;  ///< what a trained model's config.json says of the task; null for others
  bool conversations = false;  ///< some records are conversations
  /// Of the model that a training begins with, which `described` is of: its own chat template is
  /// the one that it describes, and that of a directory without one.
  std::filesystem::path start = {};
};

class ConversationForm {
 public:
  /// The first of these that applies: the section's template or chat_template; what the trained
  /// model's configuration describes; the directory's chat template, for conversations; the prompt
  /// and a line break. kConfig for a chat template that is asked for and not there.
  static ConversationForm choose(const TextGenerationConfig& config, const Tokenizer& tokenizer,
                                 const FormSources& sources);

  /// Says in the log of a training that the form is the start model's, where it is.
  static void tell_kept(const char* task, const TextGenerationConfig& config,
                        const FormSources& sources, const std::string& model);

  DialogueRow row(const Dialogue& dialogue, std::size_t length) const;
  /// What stands before the last answer, in at most `length` tokens.
  std::vector<TokenId> prompt(const Dialogue& dialogue, std::size_t length) const;
  /// The same with what was cut; nothing where a chat template's own marks would be cut.
  std::optional<ChatPrompt> fit(const Dialogue& dialogue, std::size_t length) const;

  /// What ends an answer: a token, else a text.
  std::optional<TokenId> end_token() const;
  std::string end_text() const;

  /// What a trained model's config.json says of the form, for FormSources::described.
  Json described() const;
  /// The form as a chat template, for the model's directory.
  std::string chat_template() const;

 private:
  explicit ConversationForm(std::variant<DialogueEncoder, ChatRows> rows)
      : rows_(std::move(rows)) {}

  std::variant<DialogueEncoder, ChatRows> rows_;
};

}  // namespace llmctl
