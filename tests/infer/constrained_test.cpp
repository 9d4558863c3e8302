// Constraints in choosers and in the engine: whatever the model wants, the text follows its
// grammar.
#include <gtest/gtest.h>

#include <set>

#include "infer/chooser_driver.h"
#include "infer/engine.h"
#include "infer/sampler.h"
#include "support/byte_tokenizer.h"
#include "support/device.h"
#include "text/grammar/matching.h"
#include "text/grammar/schema_checker.h"
#include "text/grammar/word_tokenizer.h"

namespace llmctl::test {
namespace {

const auto kTokenizer = std::make_shared<const WordTokenizer>(
    bytes_and({"yes", "no", "\", \"", "{\"", "\":", "true", "12", "城市", "北"}));

Json city_schema() {
  return parse_json(R"({"type": "object", "properties": {"城市": {"enum": ["北京", "上海"]},
      "n": {"type": "integer", "minimum": 0, "maximum": 99},
      "tags": {"type": "array", "items": {"type": "string", "maxLength": 4}, "maxItems": 3}},
      "required": ["城市", "n"]})",
                    "schema");
}

TokenConstraint constraint_of(const ConstraintSpec& spec) {
  return make_constraint(spec, kTokenizer, {kTokenizer->end()});
}

/// Logits by the text alone, as of a model that prefers `favourite`.
TextLogits random_logits(TokenId favourite, float by = 0) {
  return [=](const std::vector<TokenId>& text) {
    std::uint64_t seed = 7;
    for (const TokenId id : text) seed = seed * 31 + static_cast<std::uint64_t>(id) + 1;
    Random random(random_key(seed, "logits"));
    std::vector<float> logits(static_cast<std::size_t>(kTokenizer->vocab_size()));
    for (float& logit : logits) logit = static_cast<float>(random.uniform() * 8);
    logits[static_cast<std::size_t>(favourite)] += by;
    return logits;
  };
}

std::string text_of(const GeneratedTokens& answer) {
  return kTokenizer->decode(answer.ids);
}

GenerationRequest request_of(const ConstraintSpec& spec, std::int64_t most = 200) {
  GenerationRequest request;
  request.prompt = {'a', 'b'};
  request.options.max_new_tokens = most;
  request.options.eos_token_ids = {kTokenizer->end()};
  request.options.constraint = constraint_of(spec);
  return request;
}

TEST(Constrained, GreedyAndDrawnTextsFollowTheSchema) {
  GenerationRequest request = request_of({.json_schema = city_schema(), .finish_in_time = true});
  std::set<std::string> texts;
  for (const bool drawn : {false, true}) {
    request.options.do_sample = drawn;
    request.samples = drawn ? 40 : 1;
    for (const GeneratedTokens& answer : drive(request, random_logits('x', 20))) {
      const std::string text = text_of(answer);
      texts.insert(text);
      const Json value = Json::parse(text, nullptr, false);
      ASSERT_FALSE(value.is_discarded()) << text;
      EXPECT_TRUE(grammar::test::satisfies(value, city_schema(), city_schema())) << text;
    }
  }
  EXPECT_GT(texts.size(), 30u);
}

TEST(Constrained, TheBestChoiceByTheModel) {
  const std::vector<std::string> choices = {"yes", "no", "好评", "差评"};
  for (const TokenId favourite : {256, 257, static_cast<TokenId>(0xE5)}) {
    GenerationRequest request = request_of({.choices = choices});
    const GeneratedTokens answer = drive(request, random_logits(favourite, 20)).front();
    EXPECT_EQ(answer.reason, FinishReason::kStop);
    const std::string text = text_of(answer);
    EXPECT_NE(std::find(choices.begin(), choices.end(), text), choices.end()) << text;
    if (favourite >= 256) EXPECT_EQ(text, choices[static_cast<std::size_t>(favourite) - 256]);
  }
}

TEST(Constrained, GuessesChangeNoText) {
  GenerationRequest request = request_of({.regex = "(ab|ac|abab){4,30}"});
  const std::string plain = text_of(drive(request, random_logits('b')).front());
  request.options.prompt_lookup_num_tokens = 4;
  DriverCounts counts;
  const GeneratedTokens answer = drive(request, random_logits('b'), {}, &counts).front();
  EXPECT_EQ(text_of(answer), plain);
  EXPECT_LT(counts.steps, std::ssize(answer.ids));
}

TEST(Constrained, OtherOptionsGiveWayWhereTheyLeaveNothing) {
  GenerationRequest request = request_of({.regex = "aaaa|bbbb"});
  request.options.no_repeat_ngram_size = 1;
  request.options.suppress_tokens = {'a', 'b'};
  request.options.min_new_tokens = 100;
  const GeneratedTokens answer = drive(request, random_logits('c')).front();
  EXPECT_EQ(answer.reason, FinishReason::kStop);
  EXPECT_EQ(answer.ids.size(), 4u);
  // Where they leave something, they hold.
  request = request_of({.regex = "(a|b)(a|b)"});
  request.options.suppress_tokens = {'a'};
  EXPECT_EQ(text_of(drive(request, random_logits('a', 20)).front()), "bb");
}

TEST(Constrained, EndsOnlyWhereTheTextMay) {
  // The model wants to end at once, and is forced to at the end.
  GenerationRequest request = request_of({.regex = "a{5}b*"});
  EXPECT_EQ(text_of(drive(request, random_logits(kTokenizer->end(), 50)).front()), "aaaaa");
  request.options.max_new_tokens = 3;
  request.options.forced_eos_token_ids = {kTokenizer->end()};
  const GeneratedTokens cut = drive(request, random_logits('x')).front();
  EXPECT_EQ(text_of(cut), "aaa");
  EXPECT_EQ(cut.reason, FinishReason::kLength);
}

TEST(Constrained, BeamsFollowTheGrammar) {
  GenerationRequest request =
      request_of({.json_schema = city_schema(), .finish_in_time = true}, 60);
  request.options.beams.num_beams = 4;
  request.samples = 3;
  std::set<std::string> texts;
  for (const GeneratedTokens& answer : drive(request, random_logits('x', 20))) {
    const std::string text = text_of(answer);
    texts.insert(text);
    const Json value = Json::parse(text, nullptr, false);
    ASSERT_FALSE(value.is_discarded()) << text;
    EXPECT_TRUE(grammar::test::satisfies(value, city_schema(), city_schema())) << text;
  }
  EXPECT_EQ(texts.size(), 3u);
}

TEST(Constrained, PlacesAreFoundAgainForRowsThatBranch) {
  // Texts asked for in any order, as beams do.
  const TokenConstraint start = constraint_of({.regex = "[a-c]*d"});
  Random random(random_key(2, "beams"));
  std::vector<std::vector<TokenId>> texts = {{}};
  for (int i = 0; i < 300; ++i) {
    std::vector<TokenId> text = texts[random.below(texts.size())];
    if (text.empty() || text.back() != 'd')
      text.push_back(static_cast<TokenId>('a' + random.below(4)));
    EXPECT_EQ(start.behind(text).can_end(), text.back() == 'd');
    texts.push_back(std::move(text));
  }
}

TEST(Constrained, ATinyRandomModel) {
  const JsonDocument document = parse_json_document(R"({
    "model_type": "llama", "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 272,
    "max_position_embeddings": 128, "tie_word_embeddings": false, "initializer_range": 0.3})",
                                                    "model.json");
  ModelRequest model_request;
  model_request.head = HeadKind::kCausalLm;
  model_request.seed = 5;
  auto model = create_model(ConfigNode(&document.value, "model", &document), 272, model_request);
  model->to(at::Device(test_device()));
  std::vector<GenerationRequest> requests;
  for (std::uint64_t i = 0; i < 24; ++i) {
    GenerationRequest request =
        i % 3 == 0 ? request_of({.json_schema = city_schema(), .finish_in_time = true}, 100)
        : i % 3 == 1
            ? request_of({.regex = "(一|二|[a-f]){3,8}。"})
            : request_of({.grammar = "root ::= \"(\" root? \")\" | \"x\"", .finish_in_time = true},
                         20);
    request.prompt.push_back(static_cast<TokenId>(i));
    request.options.do_sample = i % 2 == 0;
    request.stream = i;
    requests.push_back(std::move(request));
  }
  EngineOptions options;
  options.vocab_limit = kTokenizer->vocab_size();
  const auto answers = generate_tokens(*model, requests, options, Context());
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const std::string text = text_of(answers[i].front());
    if (i % 3 == 0) {
      const Json value = Json::parse(text, nullptr, false);
      ASSERT_FALSE(value.is_discarded()) << text;
      EXPECT_TRUE(grammar::test::satisfies(value, city_schema(), city_schema())) << text;
    } else {
      EXPECT_TRUE(requests[i].options.constraint.behind(answers[i].front().ids).can_end()) << text;
    }
  }
}

}  // namespace
}  // namespace llmctl::test
