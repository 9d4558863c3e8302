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

}  // namespace
}  // namespace llmctl
