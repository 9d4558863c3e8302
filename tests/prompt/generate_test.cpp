#include "prompt/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "scripted_model.h"

namespace llmctl::test {
namespace {

using ::testing::HasSubstr;

class Generate : public ::testing::Test {
 protected:
  std::string error_of(const std::function<void()>& work) {
    try {
      work();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData);
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }
  auto generate(const std::vector<std::string>& prompts, const TextCallback& on_text = {}) {
    return generate_texts(model, tokenizer, prompts, config, Context(), on_text);
  }

  ScriptedModel model;
  std::shared_ptr<const Tokenizer> tokenizer = std::make_shared<ByteTokenizer>();
  GenerationConfig config;
};

TEST_F(Generate, ContinuesPrompts) {
  model.script("abcdef");
  model.script("12345");
  const auto results = generate({"1", "ab", "4"});
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(results[0][0].text, "2345");
  EXPECT_EQ(results[1][0].text, "cdef");
  EXPECT_EQ(results[2][0].text, "5");
  EXPECT_EQ(results[0][0].finish_reason, "stop");
  EXPECT_EQ(results[0][0].ids.size(), 4u);
  EXPECT_EQ(results[0][0].logprobs.size(), 4u);
  // A text begins with <s>, and what ends a text is the model's to say.
  EXPECT_EQ(model.inputs[0].ids[0][0].item<std::int64_t>(), 256);
  EXPECT_EQ(model.inputs[0].ids.size(1), 3);
}

TEST_F(Generate, ContinuesNothingToo) {
  model.after(256, 'x', 9);
  EXPECT_EQ(generate({""})[0][0].text, "x");
}

TEST_F(Generate, KeepsTheSpaceOfTheFirstWord) {
  model.script("a bc");
  EXPECT_EQ(generate({"a"})[0][0].text, " bc");
}

TEST_F(Generate, StopsAtStrings) {
  model.script("abcdefgh");
  config.stop = {"de", "zz"};
  std::string streamed;
  const auto results =
      generate({"a"}, [&](std::size_t, const std::string& piece) { streamed += piece + "|"; });
  EXPECT_EQ(results[0][0].text, "bc");
  EXPECT_EQ(results[0][0].finish_reason, "stop");
  EXPECT_EQ(streamed, "b|c|");
  EXPECT_EQ(results[0][0].ids.size(), 4u);  // what was generated
}

TEST_F(Generate, StopsByLength) {
  model.script("abcdefgh");
  config.max_new_tokens = 3;
  const auto results = generate({"a"});
  EXPECT_EQ(results[0][0].text, "bcd");
  EXPECT_EQ(results[0][0].finish_reason, "length");
}

TEST_F(Generate, StreamsRowsInCompleteCharacters) {
  model.script("ab花c");
  config.num_return_sequences = 1;
  std::map<std::size_t, std::vector<std::string>> pieces;
  const auto results = generate(
      {"b", "a"}, [&](std::size_t row, const std::string& piece) { pieces[row].push_back(piece); });
  EXPECT_EQ(results[1][0].text, "b花c");
  EXPECT_EQ(pieces[0], (std::vector<std::string>{"花", "c"}));
  EXPECT_EQ(pieces[1], (std::vector<std::string>{"b", "花", "c"}));
}

TEST_F(Generate, DrawsSeveralSamples) {
  config.do_sample = true;
  config.num_return_sequences = 4;
  config.max_new_tokens = 8;
  config.temperature = 3;
  const auto results = generate({"a", "b"});
  ASSERT_EQ(results[0].size(), 4u);
  std::set<std::vector<TokenId>> different;
  for (const auto& samples : results) {
    for (const auto& sample : samples) different.insert(sample.ids);
  }
  EXPECT_EQ(different.size(), 8u);
  // Prompt 2 alone, under its own number, gives the same.
  const auto alone = generate_texts(model, tokenizer, {"b"}, config, Context(), {}, 1);
  for (std::size_t s = 0; s < 4; ++s) EXPECT_EQ(alone[0][s].ids, results[1][s].ids);
}

TEST_F(Generate, TakesTheEndOfTextFromWhereItIsGiven) {
  model.script("abcdefgh");
  model.config()["eos_token_id"] = 'd';
  EXPECT_EQ(generate({"a"})[0][0].text, "bc");
  model.config()["eos_token_id"] = Json::array({int{'x'}, int{'e'}});
  EXPECT_EQ(generate({"a"})[0][0].text, "bcd");
  config.eos_token_id = {'c'};
  EXPECT_EQ(generate({"a"})[0][0].text, "b");
}

TEST_F(Generate, RefusesWhatCannotBeContinued) {
  EXPECT_THAT(error_of([&] { generate({"fine", "b\xff"}); }), HasSubstr("prompt 2: byte 1"));
  tokenizer = std::make_shared<ByteTokenizer>(ByteTokenizer::Kind::kPlain);
  EXPECT_THAT(error_of([&] { generate({""}); }), HasSubstr("prompt 1 is empty"));
  model.facts().max_positions = 4;
  EXPECT_THAT(error_of([&] { generate({"a", "abcd"}); }), HasSubstr("prompt 2 has 4 tokens"));
  EXPECT_THAT(error_of([&] {
                check_prompts(
                    model,
                    {encode_prompt(*tokenizer, "a", 1), encode_prompt(*tokenizer, "abcd", 2)},
                    config);
              }),
              HasSubstr("prompt 2 has 4 tokens"));
  ScriptedModel masked(ByteTokenizer::Kind::kMasked);
  EXPECT_THAT(error_of([&] { generate_texts(masked, tokenizer, {"a"}, config, Context()); }),
              HasSubstr("continues no text"));
}

}  // namespace
}  // namespace llmctl::test
