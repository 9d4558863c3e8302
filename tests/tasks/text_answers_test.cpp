#include "tasks/text_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/byte_tokenizer.h"
#include "support/expect_error.h"
#include "tasks/brief_training.h"

namespace llmctl {
namespace {

using test::ByteTokenizer;
using test::expect_error;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const auto kBytes = std::make_shared<ByteTokenizer>(ByteTokenizer::Kind::kCausal);

AnswerInput input(const char* record) {
  return {Json::parse(record), "in.jsonl:3"};
}

ChatTemplate own_template() {
  return ChatTemplate("{% for m in messages %}<{{ m.role }}> {{ m.content }}\n{% endfor %}", "<s>",
                      "</s>");
}

std::vector<ChatTemplate> all_templates() {
  std::vector<ChatTemplate> templates = {own_template()};
  for (const std::string& name : ChatTemplate::builtin_names())
    templates.push_back(ChatTemplate::builtin(name, "<s>", "</s>"));
  return templates;
}

TEST(ChatForm, PartsOfTextAreTheTextInEveryTemplate) {
  for (const ChatTemplate& chat : all_templates()) {
    SCOPED_TRACE(chat.source());
    const auto form = make_chat_form(kBytes, chat, "", true);
    const auto ids = [&](const char* record) { return form->encode(input(record)).ids; };
    const auto expected = ids(R"({"messages": [{"role": "user", "content": "Ada lives in"}]})");
    EXPECT_EQ(ids(R"({"messages": [{"role": "user", "content":
                  [{"type": "text", "text": "Ada "}, {"type": "text", "text": "lives in"}]}]})"),
              expected);
    EXPECT_EQ(ids(R"({"conversations": [{"from": "human", "value": "Ada lives in"}]})"), expected);
    EXPECT_EQ(ids(R"({"prompt": "Ada lives in"})"), expected);
  }
}

TEST(ChatForm, NamesWhatItCannotWrite) {
  const auto form = make_chat_form(kBytes, own_template(), "", true);
  const auto refuses = [&](const char* record, const std::string& what) {
    expect_error(ErrorCode::kData, std::vector<std::string>{"in.jsonl:3", what},
                 [&] { form->encode(input(record)); });
  };
  refuses(R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})", "in.jsonl:3");
  refuses(R"({"messages": [{"role": "bot", "content": "a"}]})", "'bot'");
  refuses(R"({"messages": [{"role": "user", "text": "a"}]})", "content");
  refuses(R"({"messages": [{"role": "user", "content": null}]})", "null");
  refuses(R"({"messages": [{"role": "user", "content": "a"}], "tools": [{"name": "f"}]})",
          "does not write tools");
  refuses(R"({"messages": [{"role": "assistant", "content": null, "tool_calls": [{"id": 1}]},
                           {"role": "user", "content": "a"}]})",
          "does not write tool_calls");
}

TEST(TextResponder, SaysWhatBecameOfPrompts) {
  const auto model = test::tiny_llama(*kBytes);
  const std::int64_t positions = model->facts().max_positions;
  const auto notes = [&](const char* generation, std::size_t length) {
    AnswerOptions options;
    options.generation = Json::parse(generation);
    TextResponder responder(*model, kBytes, make_raw_form(kBytes, false), options);
    const std::vector<AnswerInput> inputs = {{{{"prompt", "a"}}, "1"},
                                             {{{"prompt", std::string(length, 'b')}}, "2"}};
    responder.check(inputs);
    responder.answer(inputs, 0, {});
    return responder.notes();
  };
  const auto too_long = static_cast<std::size_t>(positions) + 10;
  EXPECT_THAT(notes(R"({"max_new_tokens": 2, "too_long": "skip"})", too_long),
              ElementsAre("1 prompt was too long and left out (generation.too_long)"));
  EXPECT_THAT(notes(R"({"max_new_tokens": 2, "too_long": "truncate"})", too_long),
              ElementsAre("1 prompt was too long and shortened (generation.too_long)"));
  EXPECT_THAT(notes(R"({"max_new_tokens": 100000, "min_new_tokens": 100000})", 3),
              ElementsAre(HasSubstr("2 answers end where the model's " + std::to_string(positions) +
                                    " positions do, before max_new_tokens")));
  EXPECT_THAT(notes(R"({"max_new_tokens": 2})", 3), ::testing::IsEmpty());
  expect_error(ErrorCode::kData,
               std::vector<std::string>{"2 has " + std::to_string(too_long + 1) + " tokens"},
               [&] { notes(R"({"max_new_tokens": 2})", too_long); });
}

/// Answers with the tiny model and what was streamed of them: "INPUT.SAMPLE:text", "." at an end.
struct Answered {
  std::vector<Json> records;
  std::vector<std::string> pieces, notes;
};

Answered answered(const std::vector<AnswerInput>& inputs, const char* generation) {
  const auto model = test::tiny_llama(*kBytes);
  AnswerOptions options;
  options.generation = Json::parse(generation);
  TextResponder responder(*model, kBytes, make_raw_form(kBytes, false), options);
  responder.check(inputs);
  Answered result;
  const TextStream text = [&](const AnswerPiece& piece) {
    result.pieces.push_back(
        concat(piece.input, ".", piece.sample, ":", piece.text, piece.last ? "." : ""));
  };
  for (const auto& answer : responder.answer(inputs, 0, {text}))
    result.records.push_back(answer->record());
  result.notes = responder.notes();
  return result;
}

TEST(TextResponder, StreamsOneAnswerAfterAnother) {
  const char* const settings =
      R"({"max_new_tokens": 9, "num_return_sequences": 3, "temperature": 2, "echo": true})";
  const Answered result = answered({{{{"prompt", "ab"}}, "1"}, {{{"prompt", "c"}}, "2"}}, settings);
  std::map<std::string, std::string> texts;
  std::vector<std::string> order;
  for (const std::string& piece : result.pieces) {
    const std::string whose = piece.substr(0, 3);
    if (order.empty() || order.back() != whose) order.push_back(whose);
    texts[whose] += piece.substr(4);
  }
  EXPECT_THAT(order, ElementsAre("0.0", "0.1", "0.2", "1.0", "1.1", "1.2"));
  EXPECT_GT(result.pieces.size(), 6u);
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t s = 0; s < 3; ++s) {
      const std::string text = result.records[i]["samples"][s]["generated_text"];
      EXPECT_EQ(texts[concat(i, ".", s)], text + ".");
      EXPECT_TRUE(text.starts_with(i == 0 ? "ab" : "c")) << text;
    }
  }
}

TEST(TextResponder, AnInputsOwnSettingsStandForTheCommands) {
  const Answered result =
      answered({{{{"prompt", "ab"}}, "rows.jsonl:1"},
                {{{"prompt", "ab"}, {"generation", {{"max_new_tokens", 3}, {"logprobs", 1}}}},
                 "rows.jsonl:2"},
                {{{"prompt", "ab"}, {"generation", {{"num_return_sequences", 2}, {"top_k", 9}}}},
                 "rows.jsonl:3"},
                {{{"prompt", "ab"}, {"generation", {{"seed", 4}}}}, "rows.jsonl:4"}},
               R"({"max_new_tokens": 5, "eos_token_id": [300000]})");
  EXPECT_EQ(result.records[0]["tokens"], 5);
  EXPECT_FALSE(result.records[0].contains("logprobs"));
  EXPECT_EQ(result.records[1]["tokens"], 3);
  EXPECT_EQ(result.records[1]["logprobs"].size(), 3u);
  EXPECT_EQ(result.records[2]["samples"].size(), 2u);
  EXPECT_EQ(result.records[3]["generated_text"], result.records[0]["generated_text"]);
  EXPECT_THAT(result.notes,
              ElementsAre("of 1 prompt's own settings, seed has no effect: nothing is drawn "
                          "(do_sample is false)"));
}

TEST(TextResponder, AnInputsOwnFaultsAreNamedWithTheirPlace) {
  const auto refuses = [](const Json& own, const std::string& what) {
    expect_error(ErrorCode::kData, std::vector<std::string>{"rows.jsonl:7: generation", what}, [&] {
      answered({{{{"prompt", "ab"}, {"generation", own}}, "rows.jsonl:7"}}, "{}");
    });
  };
  refuses({{"top_p", 2}}, ".top_p: ");
  refuses({{"temprature", 1}}, "did you mean 'temperature'?");
  refuses({{"guidance_scale", 2}}, "not done here");
  refuses({{"batch_size", 2}}, ".batch_size: ");
  refuses("greedy", ": expected an object of settings, got string");
}

TEST(TextResponder, EchoesWhatIsContinuedAlone) {
  const auto model = test::tiny_llama(*kBytes);
  AnswerOptions options;
  options.generation = {{"max_new_tokens", 2}, {"echo", true}};
  TextResponder responder(*model, kBytes, make_chat_form(kBytes, own_template(), "", true),
                          options);
  const std::vector<AnswerInput> inputs = {{{{"prompt", "ab"}}, "1"}};
  const auto answers = responder.answer(inputs, 0, {});
  EXPECT_FALSE(answers[0]->text().starts_with("ab"));
  EXPECT_THAT(responder.notes(),
              ElementsAre("1 answer continues no text, so that echo has no effect"));
}

/// Marks around the turns, so that a cut one shows.
ChatTemplate marked_template() {
  return ChatTemplate(
      "{{ bos_token }}{% for m in messages %}<{{ m.role[0] }}>{{ m.content }};{% endfor %}"
      "{% if add_generation_prompt %}<a>{% endif %}",
      "<s>", "</s>");
}

TEST(ChatForm, TooLongLosesWholeTurnsAndThenTheBeginningOfTheLast) {
  const auto form = make_chat_form(kBytes, marked_template(), "sys", true);
  const AnswerInput talk = input(
      R"({"messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"},
                       {"role": "user", "content": "three"}, {"role": "assistant", "content": "4"},
                       {"role": "user", "content": "h\u00e9llo"}]})");
  const auto fitted = [&](std::size_t length) {
    const FittedPrompt prompt = form->fit(talk, length);
    EXPECT_LE(prompt.prompt.ids.size(), length);
    return kBytes->decode(prompt.prompt.ids) + " " + prompt.cut.text(false);
  };
  const std::size_t whole = form->encode(talk).ids.size();
  EXPECT_EQ(fitted(whole), "<s>sys;<u>one;<a>two;<u>three;<a>4;<u>héllo;<a> ");
  EXPECT_EQ(fitted(whole - 1), "<s>sys;<u>three;<a>4;<u>héllo;<a> 1 oldest turn");
  EXPECT_EQ(fitted(21), "<s>sys;<u>héllo;<a> 2 oldest turns");
  // Not inside a character: both bytes of é go.
  EXPECT_EQ(fitted(20), "<s>sys;<u>éllo;<a> 2 oldest turns and 1 token of the last turn");
  EXPECT_EQ(fitted(19), "<s>sys;<u>llo;<a> 2 oldest turns and 2 tokens of the last turn");
  EXPECT_EQ(fitted(16), "<s>sys;<u>o;<a> 2 oldest turns and 5 tokens of the last turn");
  expect_error(ErrorCode::kData,
               std::vector<std::string>{"in.jsonl:3: the chat template's own marks", "15"},
               [&] { form->fit(talk, 15); });
}

TEST(ChatForm, ResultsOfToolsBelongToTheirTurn) {
  const auto form = make_chat_form(
      kBytes,
      ChatTemplate("{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ m.tool_calls }};"
                   "{% endfor %}{{ tools }}",
                   "<s>", "</s>"),
      "", true);
  const AnswerInput talk = input(
      R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
                       {"role": "user", "content": "cc"},
                       {"role": "assistant", "content": null, "tool_calls": [{"id": 1}]},
                       {"role": "tool", "content": "0123456789"}]})");
  const std::size_t whole = form->encode(talk).ids.size();
  const FittedPrompt turn = form->fit(talk, whole - 1);
  EXPECT_EQ(turn.cut.turns, 1u);
  EXPECT_EQ(turn.cut.tokens, 0u);
  const std::size_t last = turn.prompt.ids.size();
  const FittedPrompt cut = form->fit(talk, last - 4);
  EXPECT_THAT(kBytes->decode(cut.prompt.ids), HasSubstr("<user>cc"));
  EXPECT_THAT(kBytes->decode(cut.prompt.ids), HasSubstr("<tool>456789;"));
}

TEST(TextResponder, ConversationsThatAreTooLong) {
  const auto model = test::tiny_llama(*kBytes);
  const auto positions = static_cast<std::size_t>(model->facts().max_positions);
  const std::string half(positions / 2, 'x');
  const AnswerInput talk{{{"messages",
                           {{{"role", "user"}, {"content", half}},
                            {{"role", "assistant"}, {"content", half}},
                            {{"role", "user"}, {"content", "hi"}}}}},
                         "talks.jsonl:2"};
  const std::vector<AnswerInput> inputs = {{{{"prompt", "hi"}}, "talks.jsonl:1"}, talk};
  const auto answered = [&](const std::string& too_long) {
    AnswerOptions options;
    options.generation = {{"max_new_tokens", 2}, {"too_long", too_long}};
    TextResponder responder(*model, kBytes, make_chat_form(kBytes, marked_template(), "", true),
                            options);
    responder.check(inputs);
    std::vector<std::string> told;
    for (const auto& answer : responder.answer(inputs, 0, {}))
      told.push_back(dynamic_cast<const TextAnswer&>(*answer).samples().front().text + "|" +
                     dynamic_cast<const TextAnswer&>(*answer).samples().front().finish_reason);
    for (const std::string& note : responder.notes()) told.push_back(note);
    return told;
  };
  const auto cut = answered("truncate");
  ASSERT_EQ(cut.size(), 3u);
  EXPECT_EQ(cut[1], cut[0]) << "the last turn is all that is left";
  EXPECT_EQ(cut[2],
            "1 prompt was too long and shortened (generation.too_long): 1 oldest turn left out");
  const auto skipped = answered("skip");
  EXPECT_EQ(skipped[0], cut[0]);
  EXPECT_EQ(skipped[1], "|skipped");
  expect_error(ErrorCode::kData, std::vector<std::string>{"talks.jsonl:2 has "},
               [&] { answered("error"); });
}

}  // namespace
}  // namespace llmctl
