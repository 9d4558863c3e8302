#include "prompt/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "scripted_model.h"

namespace llmctl::test {
namespace {

using ::testing::HasSubstr;

class Generate : public ::testing::Test {
 protected:
  void SetUp() override { settings.sampling.eos_token_ids = {257}; }
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
    return generate_texts(model, tokenizer, prompts, settings, Context(), {on_text});
  }
  static TextCallback pieces_of(std::vector<TextPiece>& pieces) {
    return [&pieces](const TextPiece& piece) { pieces.push_back(piece); };
  }

  ScriptedModel model;
  std::shared_ptr<const Tokenizer> tokenizer = std::make_shared<ByteTokenizer>();
  GenerationSettings settings;
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
  EXPECT_TRUE(results[0][0].logprobs.empty());
  // A text begins with <s>, and what ends a text is the model's to say.
  EXPECT_EQ(model.inputs[0].ids[0][0].item<std::int64_t>(), 256);
  EXPECT_EQ(model.inputs[0].ids.size(1), 2 + 3 + 2);
}

TEST_F(Generate, GivesLogProbabilitiesWhereAskedFor) {
  model.script("ab花");
  EXPECT_FALSE(generated_json(generate({"a"})[0][0]).contains("logprob"));
  settings.logprobs = 0;
  Json json = generated_json(generate({"a"})[0][0]);
  ASSERT_EQ(json["logprobs"].size(), 4u);
  EXPECT_FALSE(json["logprobs"][0].contains("top_logprobs"));
  settings.logprobs = 2;
  json = generated_json(generate({"a"})[0][0]);
  const Json& first = json["logprobs"][0];
  EXPECT_EQ(first["token"], "b");
  EXPECT_EQ(first["id"], 'b');
  ASSERT_EQ(first["top_logprobs"].size(), 2u);
  EXPECT_EQ(first["top_logprobs"][0]["token"], "b");
  EXPECT_EQ(first["top_logprobs"][0]["logprob"], first["logprob"]);
  // Part of a character is shown by its piece.
  EXPECT_EQ(json["logprobs"][1]["token"], tokenizer->piece(0xE8));
  double sum = 0;
  for (const Json& token : json["logprobs"]) sum += token["logprob"].get<double>();
  EXPECT_NEAR(json["logprob"], sum, 1e-9);
  // Nothing to tell of nothing.
  model.after('z', 257, 20);
  json = generated_json(generate({"z"})[0][0]);
  EXPECT_EQ(json["logprob"], 0);
  EXPECT_EQ(json["logprobs"], Json::array());
}

TEST_F(Generate, APromptMayHaveItsOwnSettings) {
  model.script("abcdefgh");
  settings.max_new_tokens = 2;
  std::vector<EncodedPrompt> prompts;
  for (int i = 0; i < 3; ++i) prompts.push_back(encode_prompt(*tokenizer, "a", ""));
  GenerationSettings own = settings;
  own.max_new_tokens = 5;
  own.stop = {"e"};
  own.samples = 2;
  own.sampling.do_sample = true;
  own.sampling.top_k = 1;
  own.logprobs = 0;
  prompts[1].settings = std::make_shared<const GenerationSettings>(own);
  std::vector<TextPiece> pieces;
  std::size_t answers = 0, tokens = 0;
  const auto count = [&](std::size_t done, std::size_t written) {
    answers = done;
    tokens = written;
  };
  Engine engine(model, engine_options(settings, *tokenizer), Context());
  const auto results = generate_texts(engine, model.facts(), tokenizer, prompts, settings,
                                      {pieces_of(pieces), count});
  EXPECT_EQ(results[0][0].text, "bc");
  EXPECT_EQ(results[2][0].text, "bc");
  ASSERT_EQ(results[1].size(), 2u);
  for (const GeneratedText& sample : results[1]) {
    EXPECT_EQ(sample.text, "bcd");
    EXPECT_EQ(sample.logprobs.size(), 4u);
  }
  EXPECT_FALSE(results[0][0].with_logprobs);
  EXPECT_EQ(tokens, 12u);
  EXPECT_EQ(answers, 3u);  // with the last token, before its answer is complete
  EXPECT_EQ(std::count_if(pieces.begin(), pieces.end(), [](const auto& p) { return p.last; }), 4);
  // What holds for a prompt's length is its own, too.
  own.max_new_tokens.reset();
  own.max_length = 2;
  prompts[1].settings = std::make_shared<const GenerationSettings>(own);
  EXPECT_THAT(error_of([&] { check_prompts(model.facts(), prompts, settings); }),
              HasSubstr("prompt 2 has 2 tokens and leaves no room, max_length is 2"));
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
  settings.stop = {"de", "zz"};
  std::string streamed;
  const auto results = generate(
      {"a"}, [&](const TextPiece& piece) { streamed += piece.text + (piece.last ? "." : "|"); });
  EXPECT_EQ(results[0][0].text, "bc");
  EXPECT_EQ(results[0][0].finish_reason, "stop");
  EXPECT_EQ(streamed, "b|c|.");
  EXPECT_EQ(results[0][0].ids.size(), 4u);  // what was generated
}

TEST_F(Generate, StopsByLength) {
  model.script("abcdefgh");
  settings.max_new_tokens = 3;
  const auto results = generate({"a"});
  EXPECT_EQ(results[0][0].text, "bcd");
  EXPECT_EQ(results[0][0].finish_reason, "length");
}

TEST_F(Generate, StreamsRowsInCompleteCharacters) {
  model.script("ab花c");
  settings.samples = 1;
  std::map<std::size_t, std::vector<std::string>> pieces;
  const auto results = generate({"b", "a"}, [&](const TextPiece& piece) {
    EXPECT_EQ(piece.sample, 0u);
    pieces[piece.prompt].push_back(piece.last ? "." : piece.text);
  });
  EXPECT_EQ(results[1][0].text, "b花c");
  EXPECT_EQ(pieces[0], (std::vector<std::string>{"花", "c", "."}));
  EXPECT_EQ(pieces[1], (std::vector<std::string>{"b", "花", "c", "."}));
}

TEST_F(Generate, DrawsSeveralSamples) {
  settings.sampling.do_sample = true;
  settings.samples = 4;
  settings.max_new_tokens = 8;
  settings.sampling.temperature = 3;
  const auto results = generate({"a", "b"});
  ASSERT_EQ(results[0].size(), 4u);
  std::set<std::vector<TokenId>> different;
  for (const auto& samples : results) {
    for (const auto& sample : samples) different.insert(sample.ids);
  }
  EXPECT_EQ(different.size(), 8u);
  // Prompt 2 alone, under its own number, gives the same.
  const auto alone =
      generate_texts(model, tokenizer, {"b"}, settings, Context(), {.first_prompt = 1});
  for (std::size_t s = 0; s < 4; ++s) EXPECT_EQ(alone[0][s].ids, results[1][s].ids);
}

TEST_F(Generate, DrawsDependOnNoCompanion) {
  settings.sampling.do_sample = true;
  settings.samples = 3;
  settings.max_new_tokens = 6;
  const auto results = generate({"a", "bcd", "ef"});
  for (const std::int64_t batch : {1, 2, 7}) {
    for (const std::int64_t samples : {1, 2, 5}) {
      settings.batch_size = batch;
      settings.samples = samples;
      const auto other = generate({"a", "bcd", "ef"});
      for (std::size_t i = 0; i < 3; ++i) {
        for (std::size_t s = 0; s < std::min<std::size_t>(samples, 3); ++s)
          EXPECT_EQ(other[i][s].ids, results[i][s].ids) << batch << " " << samples;
      }
    }
  }
}

TEST_F(Generate, TellsEachSamplesPiecesAndItsEnd) {
  model.script("abc");
  settings.sampling.do_sample = true;
  settings.samples = 3;
  std::vector<TextPiece> pieces;
  const auto results = generate({"a", "b"}, pieces_of(pieces));
  std::map<std::pair<std::size_t, std::size_t>, std::string> texts;
  std::set<std::pair<std::size_t, std::size_t>> ended;
  for (const TextPiece& piece : pieces) {
    EXPECT_FALSE(ended.contains({piece.prompt, piece.sample}));
    texts[{piece.prompt, piece.sample}] += piece.text;
    if (piece.last) ended.insert({piece.prompt, piece.sample});
  }
  EXPECT_EQ(ended.size(), 6u);
  for (std::size_t i = 0; i < 2; ++i) {
    for (std::size_t s = 0; s < 3; ++s) EXPECT_EQ((texts[{i, s}]), results[i][s].text);
  }
}

TEST_F(Generate, SaysWhereThePositionsEnd) {
  model.script("abcdefgh");
  model.facts().max_positions = 5;
  settings.max_new_tokens = 100;
  const auto results = generate({"a", "g"});
  EXPECT_EQ(results[0][0].text, "bcd");
  EXPECT_EQ(results[0][0].finish_reason, "length");
  EXPECT_TRUE(results[0][0].out_of_positions);
  EXPECT_EQ(results[1][0].text, "h");
  EXPECT_FALSE(results[1][0].out_of_positions);
  // Nobody asked for more than there is.
  settings.max_new_tokens.reset();
  EXPECT_FALSE(generate({"a"})[0][0].out_of_positions);
}

TEST_F(Generate, ObeysLengths) {
  settings.sampling.eos_token_ids = {};
  model.facts().max_positions = 200;
  EXPECT_EQ(generate({"a"})[0][0].ids.size(), 64u);
  settings.max_length = 6;  // <s>, a and four more
  EXPECT_EQ(generate({"a"})[0][0].ids.size(), 4u);
  EXPECT_THAT(error_of([&] {
                generate({"a", "abcdef"});
              }),
              HasSubstr("prompt 2 has 7 tokens and leaves no room, max_length is 6"));
  settings.max_new_tokens = 9;  // goes before it
  EXPECT_EQ(generate({"a"})[0][0].ids.size(), 9u);
  // No end before min_length tokens, the prompt's among them.
  settings = {};
  settings.sampling.eos_token_ids = {257};
  EXPECT_EQ(generate({"a"})[0][0].ids.size(), 0u);
  settings.min_length = 5;
  EXPECT_EQ(generate({"a"})[0][0].ids.size(), 3u);
  settings.min_new_tokens = 6;
  EXPECT_EQ(generate({"a"})[0][0].ids.size(), 6u);
}

TEST_F(Generate, NamesAllPromptsThatAreTooLong) {
  model.facts().max_positions = 4;
  std::vector<EncodedPrompt> prompts;
  for (const char* text : {"a", "abc", "abcd", "abcdef"}) {
    prompts.push_back(encode_prompt(*tokenizer, text, concat("prompt ", prompts.size() + 1)));
  }
  prompts[1].place = "prompts.jsonl:7";
  const auto check = [&] { check_prompts(model.facts(), prompts, settings); };
  EXPECT_EQ(error_of(check),
            "prompts.jsonl:7 has 4 tokens and leaves no room, the model takes 4 with the answer; "
            "2 more are too long; shorten them, or set generation.too_long to truncate or skip");
  prompts.resize(2);
  EXPECT_THAT(error_of(check), HasSubstr("with the answer; shorten it, or set"));
  settings.too_long = TooLong::kSkip;
  check();
}

TEST_F(Generate, LeavesOutWhatIsTooLong) {
  model.script("abcdefgh");
  model.facts().max_positions = 5;
  settings.too_long = TooLong::kSkip;
  std::vector<TextPiece> pieces;
  const auto results = generate({"a", "abcdef", "ab"}, pieces_of(pieces));
  EXPECT_EQ(results[0][0].text, "bcd");
  EXPECT_EQ(results[2][0].text, "cd");
  EXPECT_EQ(results[1][0].finish_reason, "skipped");
  const Json json = generated_json(results[1][0]);
  EXPECT_TRUE(json.at("generated_text").is_null());
  EXPECT_EQ(json.at("note"),
            "the prompt has 7 tokens and leaves no room, the model takes 5 with the answer");
  EXPECT_EQ(std::count_if(pieces.begin(), pieces.end(), [](const auto& p) { return p.last; }), 3);
}

TEST_F(Generate, ShortensWhatIsTooLong) {
  model.script("abcdefgh");
  model.facts().max_positions = 6;
  settings.too_long = TooLong::kTruncate;
  settings.max_new_tokens = 2;
  const auto results = generate({"abcdef", "abcd"});
  EXPECT_EQ(results[0][0].text, "gh");
  EXPECT_TRUE(results[0][0].shortened);
  EXPECT_FALSE(results[1][0].shortened);
  // <s> and the end stay: the two best of what the model read.
  const at::Tensor read = model.inputs[0].ids;
  EXPECT_EQ(read[0][0].item<std::int64_t>(), 256);
  EXPECT_EQ(read[0][1].item<std::int64_t>(), 'd');
  EXPECT_EQ(read[0][3].item<std::int64_t>(), 'f');
  // However many tokens are asked for, the prompt keeps half.
  settings.max_new_tokens = 100;
  EXPECT_EQ(generate({"abcdef"})[0][0].text, "gh");
}

/// Has no token for question marks.
class FewBytesTokenizer : public ByteTokenizer {
 public:
  FewBytesTokenizer() : ByteTokenizer(Kind::kMasked) {}
  std::vector<TokenId> encode(std::string_view text) const override {
    std::vector<TokenId> ids = ByteTokenizer::encode(text);
    std::replace(ids.begin(), ids.end(), TokenId{'?'}, *special().unk);
    return ids;
  }
};

TEST(EncodedPrompts, UnknownTokensAreTheTextsOwn) {
  const FewBytesTokenizer tokenizer;
  const TokenId unk = 257, cls = 258, sep = 259;
  EncodedPrompt source = encode_source(tokenizer, "??ab", "prompt 1");
  EXPECT_EQ(source.ids, (std::vector<TokenId>{cls, unk, unk, 'a', 'b', sep}));
  EXPECT_EQ(source.opening, 1u);
  EXPECT_EQ(source.closing, 1u);
  ModelFacts facts;
  facts.causal = facts.encoder_decoder = true;
  facts.max_positions = 4;
  shorten(facts, source, GenerationSettings());
  EXPECT_EQ(source.ids, (std::vector<TokenId>{cls, unk, unk, sep}));
  const EncodedPrompt prompt = encode_prompt(tokenizer, "?a", "prompt 1");
  EXPECT_EQ(prompt.ids, (std::vector<TokenId>{cls, unk, 'a'}));
  EXPECT_EQ(prompt.opening, 1u);
}

TEST(Shorten, KeepsTheBeginningOfAnEncodersText) {
  ModelFacts facts;
  facts.causal = facts.encoder_decoder = true;
  facts.max_positions = 4;
  EncodedPrompt prompt;
  prompt.ids = {9, 1, 2, 3, 4, 8};
  prompt.opening = prompt.closing = 1;
  GenerationSettings settings;
  EXPECT_EQ(too_long_reason(facts, prompt, settings), "has 6 tokens, the model takes 4");
  shorten(facts, prompt, settings);
  EXPECT_EQ(prompt.ids, (std::vector<TokenId>{9, 1, 2, 8}));
  EXPECT_EQ(too_long_reason(facts, prompt, settings), "");
  const GenerationRequest request = make_request(facts, prompt, settings);
  EXPECT_EQ(request.source, prompt.ids);
  EXPECT_EQ(request.prompt, (std::vector<TokenId>{0}));
  settings.decoder_start = 7;
  EXPECT_EQ(make_request(facts, prompt, settings).prompt, (std::vector<TokenId>{7}));
}

TEST_F(Generate, BeamSearchKnowsStopStringsWordsAndPrefixes) {
  model.script("abcdef");
  settings.sampling.beams.num_beams = 3;
  settings.samples = 2;
  settings.max_new_tokens = 8;
  EXPECT_EQ(engine_options(settings, *tokenizer).batch_size, 3 * settings.batch_size);
  settings.stop = {"de"};
  std::vector<TextPiece> pieces;
  const auto stopped = generate({"ab"}, pieces_of(pieces));
  ASSERT_EQ(stopped[0].size(), 2u);
  EXPECT_EQ(stopped[0][0].text, "c");
  EXPECT_EQ(stopped[0][0].ids.size(), 3u);
  EXPECT_EQ(stopped[0][0].finish_reason, "stop");
  EXPECT_GE(*stopped[0][0].score, *stopped[0][1].score);
  std::string first;
  for (const TextPiece& piece : pieces) first += piece.sample == 0 ? piece.text : "";
  EXPECT_EQ(first, "c");
  settings.stop.clear();
  settings.force_words = {"xy", "花"};
  const auto forced = generate({"ab"});
  for (const GeneratedText& text : forced[0]) {
    EXPECT_THAT(text.text, HasSubstr("xy"));
    EXPECT_THAT(text.text, HasSubstr("花"));
  }
  settings.force_words.clear();
  settings.prefix = "cd";
  EXPECT_EQ(generate({"ab"})[0][0].text, "cdef");
  settings.sampling.beams.num_beams = settings.samples = 1;
  EXPECT_EQ(generate({"ab"})[0][0].text, "cdef");
}

TEST_F(Generate, RefusesWhatCannotBeContinued) {
  EXPECT_THAT(error_of([&] { generate({"fine", "b\xff"}); }), HasSubstr("prompt 2: byte 1"));
  tokenizer = std::make_shared<ByteTokenizer>(ByteTokenizer::Kind::kPlain);
  EXPECT_THAT(error_of([&] { generate({""}); }), HasSubstr("prompt 1 is empty"));
  model.facts().max_positions = 4;
  EXPECT_THAT(error_of([&] { generate({"a", "abcd"}); }), HasSubstr("prompt 2 has 4 tokens"));
  EXPECT_THAT(error_of([&] {
                check_prompts(model.facts(),
                              {encode_prompt(*tokenizer, "a", "prompt 1"),
                               encode_prompt(*tokenizer, "abcd", "prompt 2")},
                              settings);
              }),
              HasSubstr("prompt 2 has 4 tokens"));
  ScriptedModel masked(ByteTokenizer::Kind::kMasked);
  EXPECT_THAT(error_of([&] { generate_texts(masked, tokenizer, {"a"}, settings, Context()); }),
              HasSubstr("continues no text"));
}

}  // namespace
}  // namespace llmctl::test
