#include "tasks/dialogues.h"

#include <gtest/gtest.h>

#include "support/byte_tokenizer.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::ByteTokenizer;
using test::expect_error;
using test::TempDir;

const ByteTokenizer kBytes(ByteTokenizer::Kind::kCausal);
constexpr TokenId kBos = 256, kEos = 257;

std::vector<Dialogue> read(const std::string& content, const TextGenerationConfig& config = {},
                           const std::string& name = "a.jsonl") {
  const TempDir directory;
  std::vector<Dialogue> out;
  BadRows bad(false);
  read_dialogues(directory.write(name, content), 0, config, bad, out);
  bad.settle();
  return out;
}

TEST(Dialogues, PromptsAndAnswers) {
  const auto data = read(R"({"prompt": "0减0等于多少？", "answer": "0减0等于0。"}
{"id": "x", "question": "q", "answer": "a"}
{"instruction": "i", "input": "more", "output": "o"}
{"instruction": "i", "input": "", "response": "o"}
{"prompt": "p", "input": "not an instruction's", "completion": "c"})");
  ASSERT_EQ(data.size(), 5u);
  EXPECT_EQ(data[0].last().prompt, "0减0等于多少？");
  EXPECT_EQ(data[0].last().answer, "0减0等于0。");
  EXPECT_EQ(data[0].id, Json(0));
  EXPECT_EQ(data[1].id, Json("x"));
  EXPECT_EQ(data[2].last().prompt, "i\nmore");
  EXPECT_EQ(data[3].last().prompt, "i");
  EXPECT_EQ(data[4].last().prompt, "p");
}

TEST(Dialogues, Messages) {
  const auto data =
      read(R"([{"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "a"},
 {"role": "assistant", "content": "b"}, {"role": "user", "content": [{"type": "text", "text": "c"}, {"type": "text", "text": "d"}]},
 {"role": "user", "content": "e"}, {"role": "assistant", "content": "f"}, {"role": "user", "content": "left out"}]}])",
           {}, "a.json");
  ASSERT_EQ(data.size(), 1u);
  ASSERT_EQ(data[0].turns.size(), 2u);
  EXPECT_EQ(data[0].turns[0].prompt, "S\na");
  EXPECT_EQ(data[0].turns[1].prompt, "cd\ne");
  EXPECT_EQ(data[0].turns[1].answer, "f");
  const auto share = read(
      R"({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]})");
  EXPECT_EQ(share[0].last().prompt, "a");
  EXPECT_EQ(share[0].last().answer, "b");
}

/// Learned bytes in brackets.
std::string learned_of(const std::string& record, const LearnedRoles& roles,
                       const std::string& prompt_template = "<{prompt}>") {
  const DialogueRow row =
      DialogueEncoder(kBytes, prompt_template, roles).row(read(record).front(), 100);
  std::string out;
  for (std::size_t i = 1; i < row.ids.size(); ++i) {
    const std::string piece = row.ids[i] == kEos ? "$" : kBytes.piece(row.ids[i]);
    if (row.learned[i] && !row.learned[i - 1]) out += "[";
    out += piece;
    if (row.learned[i] && (i + 1 == row.ids.size() || !row.learned[i + 1])) out += "]";
  }
  return out;
}

TEST(Dialogues, RolesAreLearnedInEveryForm) {
  const std::string messages =
      R"({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "ab"},)"
      R"({"role": "assistant", "content": "c"}, {"role": "user", "content": "d"},)"
      R"({"role": "assistant", "content": "e"}]})";
  EXPECT_EQ(learned_of(messages, {"assistant"}), "<S\nab>[c$]<d>[e$]");
  EXPECT_EQ(learned_of(messages, {"user"}), "<S\n[ab]>c$<[d]>e$");
  EXPECT_EQ(learned_of(messages, {"system"}), "<[S]\nab>c$<d>e$");
  EXPECT_EQ(learned_of(messages, {"user", "assistant"}), "<S\n[ab]>[c$]<[d]>[e$]");
  EXPECT_EQ(
      learned_of(
          R"({"system": "S", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]})",
          {"user"}),
      "<S\n[a]>b$");
  EXPECT_EQ(learned_of(R"({"instruction": "i", "input": "x", "output": "o"})", {"user"}),
            "<[i\nx]>o$");
  EXPECT_EQ(learned_of(R"({"prompt": "p", "response": "r"})", {"user", "assistant"}), "<[p]>[r$]");
}

/// OpenAI's fine-tuning files leave answers out of the loss so.
TEST(Dialogues, AnswersOfWeight0AreNotLearned) {
  const std::string talk =
      R"({"messages": [{"role": "user", "content": "a"},)"
      R"({"role": "assistant", "content": "b", "weight": 0}, {"role": "user", "content": "c"},)"
      R"({"role": "assistant", "content": "d", "weight": 1}]})";
  EXPECT_EQ(learned_of(talk, {"assistant"}), "<a>b$<c>[d$]");
  for (const char* weight : {"0.5", "true", "\"0\""}) {
    expect_error(
        ErrorCode::kData, {"a.jsonl:1", "weight: expected 0 (not learned) or 1", weight}, [&] {
          read(concat(R"({"messages": [{"role": "user", "content": "a"},)",
                      R"({"role": "assistant", "content": "b", "weight": )", weight, "}]}"));
        });
  }
}

TEST(Dialogues, ContextsStandBelowTheirPrompts) {
  const auto data = read(R"({"instruction": "i", "context": "c", "response": "r"}
{"question": "q", "context": "c", "answer": "a"})");
  EXPECT_EQ(data[0].last().prompt, "i\nc");
  EXPECT_EQ(data[1].last().prompt, "q\nc");
}

TEST(Dialogues, SystemAndHistoryBesideAPrompt) {
  const auto data = read(
      R"({"system": "S", "history": [["a", "b"]], "instruction": "c", "input": "d", "output": "e"})");
  ASSERT_EQ(data[0].turns.size(), 2u);
  EXPECT_EQ(data[0].turns[0].prompt, "S\na");
  EXPECT_EQ(data[0].turns[0].answer, "b");
  EXPECT_EQ(data[0].turns[1].prompt, "c\nd");
  EXPECT_EQ(data[0].turns[1].answer, "e");
  EXPECT_TRUE(data[0].conversation);
  EXPECT_EQ(dump_json(data[0].messages),
            R"([{"role":"system","content":"S"},{"role":"user","content":"a"},)"
            R"({"role":"assistant","content":"b"},{"role":"user","content":"c\nd"},)"
            R"({"role":"assistant","content":"e"}])");
  const auto share = read(
      R"({"system": "S", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]})");
  EXPECT_EQ(share[0].last().prompt, "S\na");
  const auto plain = read(R"({"system": "", "history": [], "prompt": "p", "answer": "a"})");
  EXPECT_FALSE(plain[0].conversation);
  EXPECT_EQ(plain[0].last().prompt, "p");
  const Dialogue input = read_prompt_input(
      {Json::parse(R"({"system": "S", "history": [["a", "b"]], "prompt": "c"})"), "input"}, {});
  ASSERT_EQ(input.turns.size(), 2u);
  EXPECT_EQ(input.last().prompt, "c");
  expect_error(ErrorCode::kData, {"history: expected a list of [prompt, answer]"},
               [] { read(R"({"history": "a", "prompt": "p", "answer": "a"})"); });
  EXPECT_EQ(read(R"({"tools": [{"name": "t"}], "prompt": "p", "answer": "a"})")[0].only_chat,
            "tools");
  expect_error(ErrorCode::kData, {"tools: expected a list, got string"},
               [] { read(R"({"tools": "x", "prompt": "p", "answer": "a"})"); });
}

TEST(Dialogues, FieldsThatAreNotUsedAreNamed) {
  testing::internal::CaptureStderr();
  read(R"({"prompt": "p", "input": "x", "answer": "a", "weight": 0.1})");
  const std::string told = testing::internal::GetCapturedStderr();
  EXPECT_NE(told.find("prompt, answer are read; not used: input, weight\n"), told.npos) << told;
}

TEST(Dialogues, NamedFields) {
  TextGenerationConfig config;
  config.prompt_field = "en";
  config.answer_field = "zh";
  config.input_field = "hint";
  const auto data = read(R"({"en": "dog", "hint": "animal", "zh": "狗", "messages": []})", config);
  EXPECT_EQ(data[0].last().prompt, "dog\nanimal");
  EXPECT_EQ(data[0].last().answer, "狗");
}

TEST(Dialogues, Inputs) {
  EXPECT_EQ(read_prompt_input({Json{{"prompt", "p"}, {"extra", 1}}, "input"}, {}).last().prompt,
            "p");
  const Json messages = Json::parse(
      R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
                                                     {"role": "user", "content": "c"}]})");
  const Dialogue dialogue = read_prompt_input({messages, "input"}, {});
  ASSERT_EQ(dialogue.turns.size(), 2u);
  EXPECT_EQ(dialogue.last().prompt, "c");
  expect_error(ErrorCode::kData,
               {"input 2: no prompt (looked for messages, prompt, ", "it has text"}, [] {
                 read_prompt_input({Json{{"text", "p"}}, "input 2"}, {});
               });
  // As the records learnt from, and in the usual form where they differ.
  TextGenerationConfig named;
  named.prompt_field = "q";
  named.input_field = "more";
  const auto prompt = [&](const Json& record) {
    return read_prompt_input({record, "input"}, named).last().prompt;
  };
  EXPECT_EQ(prompt({{"prompt", "p"}, {"q", "a"}, {"more", "b"}}), "a\nb");
  EXPECT_EQ(prompt({{"prompt", "p"}}), "p");
  EXPECT_EQ(prompt(messages), "c");
  expect_error(ErrorCode::kData, {"messages: the last one is not the user's"}, [] {
    read_prompt_input(
        {Json::parse(R"({"messages": [{"role": "assistant", "content": "b"}]})"), "input"}, {});
  });
}

TEST(Dialogues, EmptyTextsAreBad) {
  expect_error(ErrorCode::kData, {"a.jsonl:1: the prompt is empty"},
               [] { read(R"({"prompt": " ", "answer": "a"})"); });
  expect_error(ErrorCode::kData, {"a.jsonl:1: the answer is empty"},
               [] { read(R"({"prompt": "p", "answer": "　"})"); });
  const std::string call =
      R"({"messages": [{"role": "user", "content": "a"},)"
      R"( {"role": "assistant", "content": null, "tool_calls": [{"name": "f"}]}]})";
  EXPECT_EQ(read(call).size(), 1u) << "an answer may be a call of a tool";
}

TEST(Dialogues, Errors) {
  expect_error(
      ErrorCode::kData,
      {"a.jsonl:1: no prompt", "name it in task.prompt_field (of eval in tasks.0.prompt_field)"},
      [] { read(R"({"x": 1})"); });
  expect_error(ErrorCode::kData, {"no answer", "it has prompt); name it in task.answer_field"},
               [] { read(R"({"prompt": "p"})"); });
  expect_error(ErrorCode::kData, {"messages: expected a list, got string"},
               [] { read(R"({"messages": "x"})"); });
  expect_error(ErrorCode::kData, {"messages: expected objects, got number"},
               [] { read(R"({"messages": [1]})"); });
  expect_error(ErrorCode::kData,
               {"messages: unknown role 'narrator', expected system, user, assistant or tool"},
               [] { read(R"({"messages": [{"role": "narrator", "content": "x"}]})"); });
  expect_error(ErrorCode::kData, {"messages: no answer of the assistant"},
               [] { read(R"({"messages": [{"role": "user", "content": "x"}]})"); });
  expect_error(ErrorCode::kData, {"messages: a part of a content is not text"},
               [] { read(R"({"messages": [{"role": "user", "content": [{"type": "image"}]}]})"); });
  TextGenerationConfig config;
  config.messages_field = "talk";
  expect_error(ErrorCode::kData, {"no field 'talk' (it has prompt, answer)"},
               [&] { read(R"({"prompt": "p", "answer": "a"})", config); });
}

std::string shown(const DialogueRow& row) {
  std::string out;
  for (std::size_t i = 0; i < row.ids.size(); ++i) {
    const std::string piece = row.ids[i] == kBos   ? "<"
                              : row.ids[i] == kEos ? ">"
                                                   : kBytes.piece(row.ids[i]);
    out += row.learned[i] ? "[" + piece + "]" : piece;
  }
  return out;
}

TEST(DialogueEncoder, TemplateAnswerAndEnd) {
  const DialogueEncoder encoder(kBytes, "Q:{prompt}!");
  const Dialogue one{Json(0), {{"x", "yz"}}, 0};
  EXPECT_EQ(shown(encoder.row(one, 100)), "<Q:x![y][z][>]");
  EXPECT_EQ(encoder.prompt(one, 100), (std::vector<TokenId>{kBos, 'Q', ':', 'x', '!'}));
  const Dialogue two{Json(0), {{"a", "b"}, {"c", "d"}}, 0};
  EXPECT_EQ(shown(encoder.row(two, 100)), "<Q:a![b][>]Q:c![d][>]");
  EXPECT_EQ(encoder.end(), kEos);
}

TEST(DialogueEncoder, TooLongRowsLoseTheirBeginning) {
  const DialogueEncoder encoder(kBytes, "{prompt}\n");
  const Dialogue dialogue{Json(0), {{"abcdef", "xyz"}}, 0};
  EXPECT_EQ(shown(encoder.row(dialogue, 8)), "<ef\n[x][y][z][>]");
  EXPECT_EQ(encoder.prompt(dialogue, 4), (std::vector<TokenId>{kBos, 'e', 'f', '\n'}));
  EXPECT_EQ(shown(encoder.row(dialogue, 6)), "<\n[x][y][z][>]");
  EXPECT_EQ(shown(encoder.row(dialogue, 5)), "<\n[x][y][z]")
      << "an answer too long even alone loses its end";
}

TEST(DialogueEncoder, Errors) {
  expect_error(ErrorCode::kData, "template 'x' has no {prompt} in it",
               [] { DialogueEncoder(kBytes, "x"); });
  const ByteTokenizer masked(ByteTokenizer::Kind::kMasked);
  expect_error(ErrorCode::kData, {"has no end-of-text token; train one with the recipe 'causal'"},
               [&] { DialogueEncoder(masked, "{prompt}"); });
}

}  // namespace
}  // namespace llmctl
