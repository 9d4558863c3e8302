#include "tasks/preference_pairs.h"

#include <algorithm>

#include "base/strings.h"
#include "base/threads.h"
#include "tasks/records.h"

namespace llmctl {
namespace {

/// A record that read_dialogue() takes, with one of the two answers.
Json dialogue_record(const Json& prompt, const Json& answer, const Json& tools) {
  Json record = Json::object();
  if (prompt.is_string() && answer.is_string()) {
    record = {{"prompt", prompt}, {"answer", answer}};
  } else {
    Json messages = prompt.is_array() ? prompt : Json::array();
    if (prompt.is_string()) messages.push_back({{"role", "user"}, {"content", prompt}});
    if (answer.is_array()) {
      messages.insert(messages.end(), answer.begin(), answer.end());
    } else {
      messages.push_back({{"role", "assistant"}, {"content", answer}});
    }
    record = {{"messages", messages}};
  }
  if (!tools.is_null()) record["tools"] = tools;
  return record;
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
  Json prompt;
  if (prompt_name && record.has(*prompt_name)) {
    prompt = field(*prompt_name, "prompt");
  } else if (!chosen.is_array() || !rejected.is_array()) {
    record.fail("no prompt: chosen and rejected are texts, which need a field prompt beside them");
  }
  Json tools;
  if (record.has("tools")) {
    tools = record.value.at("tools");
    used.push_back("tools");
  }
  const TextGenerationConfig plain;
  const auto dialogue = [&](const Json& answer) {
    const Json value = dialogue_record(prompt, answer, tools);
    std::vector<std::string> inner;
    return read_dialogue(Record{record.place, value, record.number}, plain, inner);
  };
  PreferencePair pair{dialogue(chosen), dialogue(rejected)};
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
