// Thousands of random grammars, regular expressions and schemas beside one another on a tiny model
// with random weights: whatever it draws parses, as judged by others than the matcher.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "infer/engine.h"
#include "support/byte_tokenizer.h"
#include "support/device.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/matching.h"
#include "text/grammar/random_grammars.h"
#include "text/grammar/schema_checker.h"
#include "text/grammar/word_tokenizer.h"

namespace llmctl::test {
namespace {

const auto kTokenizer = std::make_shared<const WordTokenizer>(
    bytes_and({"ab", "abc", "我们", "天 ", "\xE6\x88", "\", \"", "{\"", "\":", "]]", "12", "true",
               "xyz", "((", "))", "\"名\"", "😀"}));

std::unique_ptr<Model> tiny_model() {
  const JsonDocument document = parse_json_document(R"({
    "model_type": "llama", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
    "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 288,
    "max_position_embeddings": 128, "tie_word_embeddings": false, "initializer_range": 0.5})",
                                                    "model.json");
  ModelRequest request;
  request.head = HeadKind::kCausalLm;
  request.seed = 5;
  auto model = create_model(ConfigNode(&document.value, "model", &document), 288, request);
  model->to(at::Device(test_device()));
  return model;
}

/// Nothing where no text of the constraint has so few tokens, or the grammar has none.
std::optional<GenerationRequest> request_of(ConstraintSpec spec, Random& random) {
  spec.finish_in_time = true;
  GenerationRequest request;
  request.options.max_new_tokens = static_cast<std::int64_t>(20 + random.below(30));
  request.options.eos_token_ids = {kTokenizer->end()};
  try {
    request.options.constraint = make_constraint(spec, kTokenizer, {kTokenizer->end()});
    const auto mask = request.options.constraint.allowed(request.options.max_new_tokens - 1);
    bool any = false;
    for (TokenId id = 0; id < kTokenizer->vocab_size() && !any; ++id) any = mask->has(id);
    if (!any) return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
  for (auto n = 1 + random.below(6); n > 0; --n) {
    request.prompt.push_back(static_cast<TokenId>(random.below(256)));
  }
  request.options.do_sample = random.below(4) != 0;
  return request;
}

bool follows(const ConstraintSpec& spec, const std::string& text) {
  if (spec.grammar) return Recogniser(grammar::parse_gbnf(*spec.grammar, "g"), text).matches();
  if (spec.regex) return Recogniser(parse_constraint({.regex = spec.regex}), text).matches();
  const Json value = Json::parse(text, nullptr, false);
  return !value.is_discarded() &&
         grammar::test::satisfies(value, *spec.json_schema, *spec.json_schema);
}

/// Answers a batch together; where one of its grammars turns out to go on in too many ways, each
/// alone, without that one.
std::vector<std::optional<std::string>> answer(Model& model,
                                               const std::vector<GenerationRequest>& requests) {
  EngineOptions options;
  options.batch_size = 64;
  options.vocab_limit = kTokenizer->vocab_size();
  std::vector<std::optional<std::string>> texts;
  try {
    for (const auto& samples : generate_tokens(model, requests, options, Context())) {
      texts.emplace_back(kTokenizer->decode(samples.front().ids));
    }
  } catch (const Error& error) {
    EXPECT_TRUE(std::string_view(error.what()).starts_with("the grammar is too ambiguous"))
        << error.what();
    if (requests.size() == 1) return {std::nullopt};
    texts.clear();
    for (const GenerationRequest& request : requests) {
      texts.push_back(answer(model, {request}).front());
    }
  }
  return texts;
}

TEST(RandomConstraints, TextsOfAModelParse) {
  const auto model = tiny_model();
  Random random(random_key(43, "grammars"));
  GrammarWriter writer(random);
  int answered = 0, ambiguous = 0;
  while (answered < 10000) {
    std::vector<ConstraintSpec> specs;
    std::vector<GenerationRequest> requests;
    while (requests.size() < 200) {
      const auto kind = random.below(4);
      ConstraintSpec spec = kind == 0   ? ConstraintSpec{.regex = writer.regex()}
                            : kind == 1 ? ConstraintSpec{.json_schema = writer.schema()}
                                        : ConstraintSpec{.grammar = writer.gbnf()};
      auto request = request_of(spec, random);
      if (!request) continue;
      request->stream = requests.size();
      requests.push_back(std::move(*request));
      specs.push_back(std::move(spec));
    }
    const auto texts = answer(*model, requests);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      if (!texts[i]) {
        ++ambiguous;
        continue;
      }
      ++answered;
      ASSERT_TRUE(follows(specs[i], *texts[i]))
          << specs[i].grammar.value_or("") << specs[i].regex.value_or("")
          << (specs[i].json_schema ? specs[i].json_schema->dump() : "") << "\n"
          << *texts[i];
    }
  }
  EXPECT_LT(ambiguous, 200);
}

}  // namespace
}  // namespace llmctl::test
