// What a model directory's generation_config.json and the lengths of prompts mean to `generate`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/llmctl.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(GenerationSettings, OfAModelsDirectoryAreDoneIdleOrNamed) {
  Workbench bench;
  bench.pretrain("causal", "run", 4);
  bench.run({"export", "-m", "run", "-o", "m"});
  const std::vector<std::string> ask = {"generate", "-m", "m", "-p", "a", "-n", "12", "--json"};
  const auto text = [&](const json& settings, const std::string& named) {
    bench.write("m/generation_config.json", settings.dump());
    const auto result = bench.run(ask);
    if (named.empty()) {
      EXPECT_THAT(result.err, Not(HasSubstr("not done")));
    } else {
      EXPECT_THAT(result.err, HasSubstr(named));
    }
    return json::parse(result.out)["generated_text"].get<std::string>();
  };
  const std::string greedy = text({{"eos_token_id", nullptr}}, "");
  EXPECT_EQ(text({{"do_sample", false}, {"temperature", 1e-6}}, ""), greedy);
  EXPECT_EQ(text({{"top_p", 0.0}, {"top_k", -1}}, ""), greedy);
  EXPECT_EQ(text({{"dola_layers", "low"}}, "dola_layers low is not done"), greedy);
  EXPECT_EQ(text({{"do_sample", true}, {"temperature", 1e-6}}, ""), greedy);
}

TEST(GenerationSettings, BeamsWordsAndGuesses) {
  Workbench bench;
  bench.pretrain("causal", "run", 4);
  bench.run({"export", "-m", "run", "-o", "m"});
  const auto ask = [&](std::vector<std::string> more) {
    std::vector<std::string> all = {"generate", "-m", "m", "-p", "今天", "-n", "8", "--json"};
    all.insert(all.end(), more.begin(), more.end());
    return json::parse(bench.run(all).out);
  };
  const json greedy = ask({"--greedy"});
  EXPECT_FALSE(greedy.contains("score"));
  EXPECT_EQ(ask({"--prompt-lookup", "3"}), greedy);
  const json best = ask({"--beams", "4"});
  const json four = ask({"--beams", "4", "--samples", "4"})["samples"];
  ASSERT_EQ(four.size(), 4u);
  EXPECT_EQ(four[0]["generated_text"], best["generated_text"]);
  EXPECT_EQ(four[0]["score"], best["score"]);
  for (std::size_t i = 1; i < 4; ++i) {
    EXPECT_NE(four[i]["generated_text"], four[i - 1]["generated_text"]);
    EXPECT_LE(four[i]["score"].get<double>(), four[i - 1]["score"].get<double>());
  }
  // A model's own settings ask for them, too.
  bench.write("m/generation_config.json", R"({"num_beams": 4, "length_penalty": 1.0})");
  EXPECT_EQ(ask({}), best);
  EXPECT_EQ(ask({"--greedy"}), greedy);
  for (const char* beams : {"1", "4"}) {
    const json forced = ask({"--beams", beams, "--force-word", "公园", "--force-word", "cat"});
    EXPECT_THAT(forced["generated_text"].get<std::string>(),
                ::testing::AllOf(HasSubstr("公园"), HasSubstr("cat")))
        << beams;
  }
  expect_one_line_error(
      bench.run({"generate", "-m", "m", "-p", "a", "--beams", "2", "--samples", "3"}, 78),
      {"num_return_sequences", "3 texts per prompt of 2 beams"});
  expect_one_line_error(
      bench.run({"generate", "-m", "m", "-p", "a", "--beams", "2", "--greedy"}, 64),
      {"--beams", "--greedy"});
}

TEST(GenerationSettings, AnswersBeginWithAPrefix) {
  Workbench bench;
  for (const char* model : {"gpt2", "marian"}) {
    const std::string directory = source_dir() / "tests" / "parity" / "models" / model;
    const auto ask = [&](const std::string& prefix, const std::string& beams) {
      const auto result = bench.run({"generate", "-m", directory, "-p", "the cat", "-n", "5",
                                     "--json", "--beams", beams, "--prefix", prefix});
      return json::parse(result.out)["generated_text"].get<std::string>();
    };
    for (const char* beams : {"1", "3"}) {
      EXPECT_THAT(ask("nothing", beams), ::testing::MatchesRegex(" ?nothing.+"));
      EXPECT_NE(ask("nothing", beams).substr(8), ask("every day", beams).substr(10));
    }
    // What is written behind it is what would follow the same text.
    if (std::string(model) == "gpt2") {
      const auto plain =
          bench.run({"generate", "-m", directory, "-p", "the cat was", "-n", "5", "--json"});
      EXPECT_EQ(ask(" was", "1"),
                " was" + json::parse(plain.out)["generated_text"].get<std::string>());
    }
  }
}

TEST(GenerationSettings, PromptsThatAreTooLongAreNamedBeforeTheWork) {
  Workbench bench;
  bench.pretrain("causal", "run", 4);
  std::string longest;
  for (int i = 0; i < 4000; ++i) longest += "word ";
  bench.write("p.txt", "a\n" + longest + "\nb\n" + longest + "\n");
  const std::vector<std::string> ask = {"generate", "-m", "run", "-f",      "p.txt",
                                        "-n",       "3",  "-o",  "o.jsonl", "--json"};
  expect_one_line_error(bench.run(ask, 65), {"p.txt:2 has", "1 more is too long", "too_long"});
  auto skip = ask;
  skip.insert(skip.end(), {"--set", "generation.too_long=skip"});
  const auto result = bench.run(skip);
  EXPECT_THAT(result.err, HasSubstr("2 prompts were too long and left out"));
}

TEST(GenerationSettings, ConstraintsByFlags) {
  Workbench bench;
  bench.pretrain("causal", "run", 4);
  const auto answer = [&](std::vector<std::string> flags, int status = 0) {
    std::vector<std::string> ask = {"generate", "-m", "run", "-p", "今天", "--json"};
    ask.insert(ask.end(), flags.begin(), flags.end());
    return bench.run(ask, status);
  };
  const auto text = [&](const std::vector<std::string>& flags) {
    return json::parse(answer(flags).out)["generated_text"].get<std::string>();
  };
  EXPECT_THAT(text({"--choice", "天气很好", "--choice", "the weather"}),
              ::testing::AnyOf("天气很好", "the weather"));
  EXPECT_THAT(text({"--regex", "[0-9]{4}-[一二三]", "--temperature", "1"}),
              ::testing::ContainsRegex("^[0-9][0-9][0-9][0-9]-(一|二|三)$"));
  bench.write("schema.json", R"({"type": "object", "properties": {"n": {"type": "integer"}},
                                 "required": ["n"]})");
  const json value = json::parse(
      text({"--json-schema", "schema.json", "--set", "generation.finish_in_time=true"}));
  EXPECT_TRUE(value["n"].is_number_integer()) << value;
  bench.write("g.gbnf", "root ::= \"(\" [a-c]{2} \")\"\n");
  EXPECT_THAT(text({"--grammar", "g.gbnf"}), ::testing::ContainsRegex("^.[abc][abc].$"));
  // Faults, before any work.
  bench.write("bad.gbnf", "root ::= \"(\n");
  expect_one_line_error(answer({"--grammar", "bad.gbnf"}, 65), {"bad.gbnf:1:10", "no closing"});
  expect_one_line_error(answer({"--regex", "(?=a)"}, 78), {"generation.regex", "look-around"});
  expect_one_line_error(answer({"--regex", "a", "--choice", "b"}, 78), {"give one"});
  expect_one_line_error(answer({"--json-schema", "none.json"}, 66), {"none.json"});
  // Rows of a file have their own.
  bench.write("p.jsonl", R"({"prompt": "a", "generation": {"regex": "[xy]"}})"
                         "\n"
                         R"({"prompt": "b"})"
                         "\n");
  bench.run({"generate", "-m", "run", "-f", "p.jsonl", "-o", "o.jsonl", "--choice", "yes"});
  const std::string lines = slurp(bench / "o.jsonl");
  EXPECT_THAT(lines, ::testing::ContainsRegex("\"generated_text\": ?\"[xy]\""));
  EXPECT_THAT(lines, HasSubstr("yes"));
}

}  // namespace
}  // namespace llmctl::test
