#include "tasks/preference_pairs.h"

#include <algorithm>

#include "base/strings.h"
#include "base/threads.h"
#include "base/white_space.h"
#include "tasks/records.h"

namespace llmctl {
namespace {

/// What the two dialogues of a pair begin with.
struct PairPrompt {
  Json value;                  ///< of its field: a text, a list of messages or null
  Json asked;                  ///< of a text: a record of it and of what is composed with it
  Json begin = Json::array();  ///< the messages of either
  std::string system;          ///< what conversations get that begin without such a message
};

/// `field`: where the prompt is; nothing without one. Adds to `used` what else is read; where the
/// configuration names the field, this is the whole prompt, as in text_generation.
PairPrompt read_prompt(const Record& record, const std::optional<std::string>& field,
                       bool configured, std::vector<std::string>& used) {
  PairPrompt prompt;
  if (field) prompt.value = record.value.at(*field);
  if (!configured) prompt.system = system_text(record, used);
  if (prompt.value.is_array()) prompt.begin = prompt.value;
  if (!prompt.value.is_string()) return prompt;
  if (configured) {
    prompt.asked = {{"prompt", prompt.value}};
  } else {
    prompt.asked = {{*field, prompt.value}};
    for (const std::string& beside : fields_beside_prompt(*field)) {
      if (!record.has(beside)) continue;
      prompt.asked[beside] = record.value.at(beside);
      used.push_back(beside);
    }
  }
  prompt.begin = read_prompt_input({prompt.asked, record.place}, TextGenerationConfig()).messages;
  return prompt;
}

/// A record that read_dialogue() takes, with one of the two answers.
Json dialogue_record(const PairPrompt& prompt, const Json& answer) {
  if (prompt.value.is_string() && answer.is_string()) {
    Json record = prompt.asked;
    record["answer"] = answer;
    return record;
  }
  Json messages = prompt.begin;
  if (answer.is_array()) {
    messages.insert(messages.end(), answer.begin(), answer.end());
  } else {
    messages.push_back({{"role", "assistant"}, {"content", answer}});
  }
  return {{"messages", messages}};
}

/// What one of the two answers is called, and the prompt that its messages stand behind.
struct AnswerPart {
  const Record& record;
  std::string field;
  const PairPrompt& prompt;

  auto answer_in(const Json::array_t& messages) const {
    return messages.begin() + static_cast<std::ptrdiff_t>(prompt.begin.size());
  }
};

/// A prompt that was a text, now messages up to a user's, and the messages of an answer, which may
/// be the whole conversation: the prompt then stands in it already.
Json::array_t without_prompt_text(const Json::array_t& messages, const AnswerPart& part) {
  const auto answer = part.answer_in(messages);
  const auto user = std::find_if(answer, messages.end(), [](const Json& message) {
    return message.at("role") == "user" && message.at("content").is_string();
  });
  const auto text_of = [](const Json& message) {
    return trim_white_space(message.at("content").get_ref<const std::string&>());
  };
  const auto prompt = trim_white_space(part.prompt.value.get_ref<const std::string&>());
  const bool any = user != messages.end();
  if (answer->at("role") == "assistant" && !(any && text_of(*user) == prompt)) return messages;
  if (!any || text_of(*user).find(prompt) == prompt.npos)
    part.record.fail(concat(part.field,
                            ": is a conversation whose first user's message lacks the prompt; "
                            "give it without a prompt, or the answer alone"));
  return Json::array_t(answer, messages.end());
}

/// The messages of a prompt and of an answer, which may begin with the prompt or with its end: what
/// both have once.
Json::array_t without_repetition(const Json::array_t& messages, const AnswerPart& part) {
  const auto answer = part.answer_in(messages);
  for (auto begin = messages.begin(); begin != answer; ++begin) {
    const auto size = answer - begin;
    if (size >= messages.end() - answer || !std::equal(begin, answer, answer)) continue;
    Json::array_t once(messages.begin(), answer);
    once.insert(once.end(), answer + size, messages.end());
    return once;
  }
  return messages;
}

/// All but the last message.
Json beginning(const Json& messages) {
  return Json(Json::array_t(messages.begin(), messages.end() - 1));
}

PreferencePair read_pair(const Record& record, const PreferenceFields& fields,
                         std::vector<std::string>& used) {
  const auto field = [&](const std::optional<std::string>& configured, const char* usual) {
    const auto found = find_field(record, configured, {usual});
    if (!found || !record.has(*found))
      record.fail(concat("no field ", configured.value_or(usual), " among ", record.fields(),
                         field_remedy(concat(usual, "_field"))));
    used.push_back(*found);
    const Json& value = record.value.at(*found);
    if (!value.is_string() && !value.is_array())
      record.fail(
          concat(*found, ": expected a text or a list of messages, got ", value.type_name()));
    return value;
  };
  const Json chosen = field(fields.chosen, "chosen"), rejected = field(fields.rejected, "rejected");
  const auto prompt_name = find_field(record, fields.prompt, {"prompt", "question", "instruction"});
  const bool has_prompt = prompt_name && record.has(*prompt_name);
  if (has_prompt) {
    field(prompt_name, "prompt");
  } else if (!chosen.is_array() || !rejected.is_array()) {
    record.fail("no prompt: chosen and rejected are texts, which need a field prompt beside them");
  }
  const PairPrompt prompt =
      read_prompt(record, has_prompt ? prompt_name : std::nullopt, fields.prompt.has_value(), used);
  Json tools;
  if (record.has("tools")) {
    tools = record.value.at("tools");
    used.push_back("tools");
  }
  const auto read = [&](Json value) {
    if (!tools.is_null()) value["tools"] = tools;
    std::vector<std::string> inner;
    return read_dialogue(Record{record.place, value, record.number}, TextGenerationConfig(), inner);
  };
  const auto dialogue = [&](const std::string& name, const Json& answer) {
    Dialogue whole = read(dialogue_record(prompt, answer));
    if (!prompt.value.is_null() && answer.is_array()) {
      if (whole.messages.size() <= prompt.begin.size())
        record.fail(concat(name, ": no answer of the assistant"));
      const AnswerPart part{record, name, prompt};
      const auto& messages = whole.messages.get_ref<const Json::array_t&>();
      const Json once = prompt.value.is_array() ? without_repetition(messages, part)
                                                : without_prompt_text(messages, part);
      if (once != whole.messages) whole = read({{"messages", once}});
    }
    if (!prompt.system.empty()) add_system_message(whole, prompt.system);
    return whole;
  };
  PreferencePair pair{dialogue(fields.chosen.value_or("chosen"), chosen),
                      dialogue(fields.rejected.value_or("rejected"), rejected)};
  if (beginning(pair.chosen.messages) != beginning(pair.rejected.messages))
    record.fail("chosen and rejected differ before their last message");
  if (pair.chosen.messages == pair.rejected.messages)
    record.fail("chosen and rejected are the same");
  return pair;
}

/// Leaves of what is learned the last answer alone.
void learn_last_answer(DialogueRow& row) {
  auto end = row.learned.end();
  while (end != row.learned.begin() && !*(end - 1)) --end;
  while (end != row.learned.begin() && *(end - 1)) --end;
  std::fill(row.learned.begin(), end, false);
}

}  // namespace

void read_preference_pairs(const std::filesystem::path& file, std::size_t index,
                           const PreferenceFields& fields, BadRows& bad,
                           std::vector<PreferencePair>& out) {
  bool first = true;
  const auto read = [&](const Record& record) {
    std::vector<std::string> used = {"id"};
    PreferencePair pair = read_pair(record, fields, used);
    if (first) tell_unused_fields(file, record, used);
    first = false;
    for (Dialogue* dialogue : {&pair.chosen, &pair.rejected}) {
      dialogue->id = record.has("id") ? record.value.at("id") : Json(out.size());
      dialogue->file = index;
    }
    out.push_back(std::move(pair));
  };
  for_each_labelled_record(file, read, bad);
}

DialogueRows encode_pairs(const std::vector<PreferencePair>& pairs, const ConversationForm& form,
                          std::size_t length) {
  DialogueRows rows(2 * pairs.size());
  parallel_for(pairs.size(), [&](std::size_t i) {
    rows[2 * i] = form.row(pairs[i].chosen, length);
    rows[2 * i + 1] = form.row(pairs[i].rejected, length);
    learn_last_answer(rows[2 * i]);
    learn_last_answer(rows[2 * i + 1]);
  });
  return rows;
}

Batch collate_pairs(const DialogueRows& rows, std::span<const std::int64_t> pairs, TokenId pad) {
  std::vector<std::int64_t> indices;
  for (const std::int64_t pair : pairs) indices.push_back(2 * pair);
  for (const std::int64_t pair : pairs) indices.push_back(2 * pair + 1);
  return collate_rows(rows, indices, pad);
}

std::vector<std::int32_t> pair_lengths(const DialogueRows& rows) {
  const std::vector<std::int32_t> each = lengths_of(rows);
  std::vector<std::int32_t> lengths;
  for (std::size_t i = 0; i + 1 < each.size(); i += 2)
    lengths.push_back(std::max(each[i], each[i + 1]));
  return lengths;
}

}  // namespace llmctl
