// Prompts with answers as users bring them, and the rows that a causal model learns them from.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "config/json.h"
#include "tasks/bad_rows.h"
#include "tasks/records.h"
#include "tasks/text_generation.h"
#include "text/tokenizer.h"

namespace llmctl {

struct Turn {
  std::string prompt, answer;
  bool learned = true;  ///< the answer's "weight" is not 0
};

/// A conversation with at least one answer; most data have exactly one.
struct Dialogue {
  Json id;  ///< the record's "id", else its number from 0 over all files
  std::vector<Turn> turns;
  std::size_t file = 0;  ///< index of its file
  /// The same for chat templates: [{"role", "content", …}], with all that the record had, and the
  /// record's "tools" (null: none).
  Json messages = Json::array(), tools = nullptr;
  bool conversation = false;   ///< the record had messages
  std::string place = {};      ///< "FILE:LINE"
  std::string only_chat = {};  ///< why turns do not hold it; empty: they do

  const Turn& last() const { return turns.back(); }
};

/// What dialogues are told apart by: the texts of their turns.
std::vector<std::string_view> parts_of(const Dialogue& dialogue);

/// Appends the records of file number `index`: {prompt, answer}, {question, answer}, {instruction,
/// input, output}, {messages: [{role, content}]} or {conversations: [{from, value}]}, the latter
/// two perhaps with {tools}. In turns, messages of the prompt's side (system and user) that follow
/// one another are one prompt, in lines; what follows the last answer is left out. Records in none
/// of these forms, and those whose last answer or whose only prompt is empty, are noted in `bad`.
void read_dialogues(const std::filesystem::path& file, std::size_t index,
                    const TextGenerationConfig& config, BadRows& bad, std::vector<Dialogue>& out);

/// One such record. `used` gets the names of the fields that were read. kData.
Dialogue read_dialogue(const Record& record, const TextGenerationConfig& config,
                       std::vector<std::string>& used);

/// An input to answer, in the same forms without the last answer.
Dialogue read_prompt_input(const AnswerInput& input, const TextGenerationConfig& config);

/// Names of the fields that read_dialogue() composes a prompt of beside its own, the field
/// `prompt_field`: its input's, and those of what stands before it.
std::vector<std::string> fields_beside_prompt(const std::string& prompt_field);

/// What a record says to a model before the conversation in it, in "system" or "system_prompt".
/// Adds the names of these fields to `used`.
std::string system_text(const Record& record, std::vector<std::string>& used);

/// Puts a system message before a conversation that begins without one.
void add_system_message(Dialogue& dialogue, const std::string& text);

/// Roles of messages whose texts are learned.
using LearnedRoles = std::vector<std::string>;
inline bool learns(const LearnedRoles& roles, const std::string& role) {
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

/// False of an assistant's message with "weight": 0 (OpenAI's form), of which nothing is learned.
bool learns_message(const Json& message);

/// In the prompt of each turn, what messages of these roles say.
std::vector<std::vector<ByteSpan>> spans_of_roles(const Dialogue& dialogue,
                                                  const LearnedRoles& roles);

/// Whether a token has a byte of one of the spans; tokens of nothing count as where they stand.
bool touches(const std::vector<ByteSpan>& spans, ByteSpan token);

/// Tokens of a row, and which of them are to be learned (answers and the ends behind them, or what
/// other roles say).
struct DialogueRow {
  std::vector<TokenId> ids;
  std::vector<bool> learned;
};

/// Writes dialogues as tokens: what the tokenizer begins texts with, then for each turn
/// the template with the prompt in it, the answer and the end token, each tokenized by itself, as
/// generating will meet them.
class DialogueEncoder {
 public:
  /// kData when the tokenizer has no end token. Dialogues that only a chat template holds are
  /// refused (kData) where they are encoded.
  DialogueEncoder(const Tokenizer& tokenizer, std::string prompt_template,
                  LearnedRoles learned = {"assistant"});
  TokenId end() const { return end_; }
  bool begins_with_bos() const {
    return opening_.size() == 1 && opening_.front() == tokenizer_.special().bos;
  }
  std::string prompt_template() const;
  /// Of the template, around the prompt.
  const std::string& before() const { return before_; }
  const std::string& behind() const { return behind_; }
  /// The whole dialogue in at most `length` tokens: too much is taken from the beginning (behind
  /// the opening), so that the last answer stays.
  DialogueRow row(const Dialogue& dialogue, std::size_t length) const;
  /// What stands before the last answer, in at most `length` tokens, cut likewise.
  std::vector<TokenId> prompt(const Dialogue& dialogue, std::size_t length) const;

 private:
  void append(const std::string& text, bool learned, DialogueRow& row) const;
  void append_prompt(const std::string& text, const std::vector<ByteSpan>& learned,
                     DialogueRow& row) const;
  void append_answer(const Turn& turn, DialogueRow& row) const;
  DialogueRow before_last_answer(const Dialogue& dialogue) const;
  void shorten(DialogueRow& row, std::size_t length) const;

  const Tokenizer& tokenizer_;
  std::string before_, behind_;
  LearnedRoles learned_;
  bool learns_answers_;
  std::vector<TokenId> opening_;  // what the tokenizer puts before a text
  TokenId end_ = 0;
};

}  // namespace llmctl
