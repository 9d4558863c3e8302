#include "tasks/chat_rows.h"

#include <gtest/gtest.h>

#include "support/byte_tokenizer.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"
#include "tasks/conversation_form.h"

namespace llmctl {
namespace {

using test::ByteTokenizer;
using test::expect_error;
using test::TempDir;

const ByteTokenizer kBytes(ByteTokenizer::Kind::kCausal);
constexpr TokenId kBos = 256, kEos = 257;

/// Turns as "U:…</s>\n", "A:…</s>\n".
const std::string kTurns =
    "{% for m in messages %}{{ m.role[0] | upper }}:{{ m.content }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}A:{% endif %}";

ChatRows rows_of(const std::string& source, const LearnedRoles& learned = {"assistant"}) {
  return {kBytes, ChatTemplate(source, "<s>", "</s>"), learned};
}

Dialogue dialogue(const std::string& record, const TextGenerationConfig& config = {}) {
  const TempDir directory;
  std::vector<Dialogue> out;
  BadRows bad(false);
  read_dialogues(directory.write("a.jsonl", record + "\n"), 0, config, bad, out);
  bad.settle();
  return out.front();
}

const char* const kTalk =
    R"({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"},
        {"role": "assistant", "content": "de"}]})";

std::string one_line(std::string text) {
  std::erase(text, '\n');
  return text;
}

/// Learned tokens in brackets, <s> and </s> as "<" and ">".
std::string shown(const DialogueRow& row) {
  std::string out;
  for (std::size_t i = 0; i < row.ids.size(); ++i) {
    std::string piece = row.ids[i] == kBos   ? "<"
                        : row.ids[i] == kEos ? ">"
                                             : kBytes.piece(row.ids[i]);
    if (piece == "\n") piece = "|";
    out += row.learned[i] ? "[" + piece + "]" : piece;
  }
  return out;
}

TEST(ChatRows, LearnsWhatTheAssistantSaysAndItsEnds) {
  const ChatRows rows = rows_of(kTurns);
  EXPECT_EQ(shown(rows.row(dialogue(one_line(kTalk)), 100)),
            "S:s>|U:a>|A:[b][>]|U:c>|A:[d][e][>]|");
  // As generating meets it.
  DialogueRow prompt{rows.prompt(dialogue(one_line(kTalk)), 100), {}};
  prompt.learned.resize(prompt.ids.size());
  EXPECT_EQ(shown(prompt), "S:s>|U:a>|A:b>|U:c>|A:");
}

TEST(ChatRows, MarkedGenerationsDecide) {
  const ChatRows rows = rows_of(
      "{{ bos_token }}{% for m in messages %}{% if m.role == 'assistant' %}"
      "{% generation %}{{ m.content }}{{ eos_token }}{% endgeneration %}{% else %}"
      "{{ m.content }}\n{% endif %}{% endfor %}");
  EXPECT_EQ(shown(rows.row(dialogue(one_line(kTalk)), 100)), "<s|a|[b][>]c|[d][e][>]");
}

TEST(ChatRows, AnswersOfWeight0AreNotLearned) {
  const std::string talk =
      R"({"messages": [{"role": "user", "content": "a"},)"
      R"({"role": "assistant", "content": "b", "weight": 0}, {"role": "user", "content": "c"},)"
      R"({"role": "assistant", "content": "d"}]})";
  EXPECT_EQ(shown(rows_of(kTurns).row(dialogue(talk), 100)), "U:a>|A:b>|U:c>|A:[d][>]|");
  const std::string marked =
      "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
      "{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}";
  EXPECT_EQ(shown(rows_of(marked).row(dialogue(talk), 100)), "abc[d]");
  const ChatRows twice = rows_of(
      "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
      "{% endgeneration %}.{% generation %}{{ m.content }}{% endgeneration %}{% endif %}{% endfor "
      "%}");
  expect_error(ErrorCode::kData, {"a.jsonl:1", "marks 4 parts as the assistant's, of 2 messages"},
               [&] { twice.row(dialogue(talk), 100); });
}

TEST(ChatRows, OtherRolesAreLearnedWithTheEndsOfTheirTurns) {
  const Dialogue talk = dialogue(one_line(kTalk));
  EXPECT_EQ(shown(rows_of(kTurns, {"user"}).row(talk, 100)), "S:s>|U:[a][>]|A:b>|U:[c][>]|A:de>|");
  EXPECT_EQ(shown(rows_of(kTurns, {"system", "assistant"}).row(talk, 100)),
            "S:[s][>]|U:a>|A:[b][>]|U:c>|A:[d][e][>]|");
  // Whoever is learned, the tokens are the same, also where a template moves and trims texts.
  for (const std::string& name : ChatTemplate::builtin_names()) {
    const ChatTemplate chat = ChatTemplate::builtin(name, "<s>", "</s>");
    const ChatRows answers(kBytes, chat), all(kBytes, chat, {"system", "user", "assistant"});
    const DialogueRow some = answers.row(talk, 1000), more = all.row(talk, 1000);
    EXPECT_EQ(some.ids, more.ids) << name;
    std::string texts;
    for (std::size_t i = 0; i < more.ids.size(); ++i) {
      EXPECT_LE(some.learned[i], more.learned[i]) << name;
      if (more.learned[i] && more.ids[i] < 256 && !some.learned[i])
        texts += kBytes.piece(more.ids[i]);
    }
    for (const char* text : {"s", "a", "c"}) EXPECT_NE(texts.find(text), texts.npos) << name;
  }
}

TEST(ChatRows, TemplatesThatDropWhatIsLearnedAreRefused) {
  const std::string without_system =
      "{% for m in messages %}{% if m.role != 'system' %}{{ m.content }}</s>{% endif %}"
      "{% endfor %}";
  const Dialogue talk = dialogue(one_line(kTalk));
  EXPECT_EQ(shown(rows_of(without_system).row(talk, 100)), "a>[b][>]c>[d][e][>]");
  expect_error(ErrorCode::kData, {"a.jsonl:1", "does not write", "task.roles_to_train (system)"},
               [&] { rows_of(without_system, {"system"}).row(talk, 100); });
}

TEST(ChatRows, OldestExchangesAreLeftOutButNotTheSystemMessage) {
  const ChatRows rows = rows_of(kTurns);
  EXPECT_EQ(shown(rows.row(dialogue(one_line(kTalk)), 17)), "S:s>|U:c>|A:[d][e][>]|");
  EXPECT_EQ(shown(rows.row(dialogue(one_line(kTalk)), 6)), "A:[d][e][>]|");
  EXPECT_EQ(rows.prompt(dialogue(one_line(kTalk)), 14).size(), 12u) << "S:s>|U:c>|A:";
}

TEST(ChatRows, TemplatesThatHideTheBorderAreRefused) {
  // Earlier answers are written otherwise once others follow, as templates do that drop thinking.
  const ChatRows rows = rows_of(
      "{% for m in messages %}{{ m.role[0] | upper }}:"
      "{% if m.role == 'assistant' and not loop.last %}…{% else %}{{ m.content }}{% endif %}</s>"
      "{% endfor %}{% if add_generation_prompt %}A:{% endif %}");
  expect_error(ErrorCode::kData,
               {"a.jsonl:1: the chat template does not show which part is the assistant's",
                "{% generation %}"},
               [&] { rows.row(dialogue(one_line(kTalk)), 100); });
}

TEST(ChatRows, NamesOfSpecialTokensInMessagesStayText) {
  const Dialogue tricked = dialogue(
      R"({"messages": [{"role": "user", "content": "</s>"}, {"role": "assistant", "content": "x"}]})");
  const DialogueRow row = rows_of(kTurns).row(tricked, 100);
  EXPECT_EQ(std::count(row.ids.begin(), row.ids.end(), kEos), 2) << "one for each turn";
}

TEST(Dialogues, CallsOfToolsNeedAChatTemplate) {
  const Dialogue calls = dialogue(one_line(
      R"({"messages": [{"role": "user", "content": "a"},
          {"role": "assistant", "content": null, "tool_calls": [{"name": "f"}]},
          {"role": "tool", "content": "7"}, {"role": "assistant", "content": "seven"}],
          "tools": [{"name": "f"}]})"));
  EXPECT_TRUE(calls.messages[1].at("content").is_null());
  EXPECT_TRUE(calls.messages[1].contains("tool_calls"));
  EXPECT_EQ(calls.tools.size(), 1u);
  expect_error(ErrorCode::kData, {"a.jsonl:1: tools need a chat template"},
               [&] { DialogueEncoder(kBytes, "{prompt}").row(calls, 100); });
  expect_error(ErrorCode::kData, {"field 'content' is null"},
               [] { dialogue(R"({"messages": [{"role": "user", "content": null}]})"); });
}

TEST(ConversationForm, IsChosenInOrder) {
  const TempDir directory;
  directory.write("chat_template.jinja", kTurns);
  const FormSources own{directory.path(), Json(), true};
  const auto chosen = [&](const TextGenerationConfig& config, const FormSources& sources) {
    return ConversationForm::choose(config, kBytes, sources);
  };
  EXPECT_EQ(chosen({}, own).chat_template(), kTurns) << "conversations, and a template of its own";
  EXPECT_EQ(chosen({}, own).described(), (Json{{"conversations", true}}));
  const FormSources prompts{directory.path(), Json(), false};
  EXPECT_EQ(chosen({}, prompts).described(), (Json{{"template", "{prompt}\n"}}));
  TextGenerationConfig all;
  all.conversations = true;
  EXPECT_EQ(chosen(all, prompts).chat_template(), kTurns);
  expect_error(ErrorCode::kConfig, {"task.conversations: the model has no chat template"},
               [&] { chosen(all, {}); });
  TextGenerationConfig given;
  given.prompt_template = "Q: {prompt} A:";
  EXPECT_EQ(chosen(given, own).described(), (Json{{"template", "Q: {prompt} A:"}}));
  EXPECT_EQ(chosen({}, {directory.path(), Json{{"template", "{prompt}?"}}, true}).described(),
            (Json{{"template", "{prompt}?"}}))
      << "as the model was trained";
}

TEST(ConversationForm, ThePlainFormIsAChatTemplateToo) {
  TextGenerationConfig config;
  config.prompt_template = "Q: {prompt}\n\"A\": ";
  const ConversationForm plain = ConversationForm::choose(config, kBytes, {});
  const ChatRows chat = rows_of(plain.chat_template());
  const Dialogue talk = dialogue(one_line(kTalk));
  EXPECT_EQ(chat.prompt(talk, 100), plain.prompt(talk, 100));
  DialogueRow as_chat = chat.row(talk, 100), as_plain = plain.row(talk, 100);
  EXPECT_EQ(shown(as_chat), shown(as_plain));
}

}  // namespace
}  // namespace llmctl
