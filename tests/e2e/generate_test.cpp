// generate: what stands on standard output, in files, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/terminal.h"
#include "support/llmctl.h"
#include "support/paths.h"
#include "support/terminal.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

class Generate : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    bench_ = new Workbench;
    bench_->pretrain("causal", "run", 3);
    bench_->write("prompts.txt", "The\n\nOne\n   \nMany more\n");
  }
  static void TearDownTestSuite() {
    delete bench_;
    bench_ = nullptr;
  }
  static ProcessResult generate(std::vector<std::string> more, int status = 0) {
    more.insert(more.begin(), {"generate", "-m", "run"});
    return bench_->run(more, status);
  }
  static std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }
  static Workbench* bench_;
};
Workbench* Generate::bench_ = nullptr;

TEST_F(Generate, AFilesAnswersAreALineEach) {
  const auto text = generate({"-f", "prompts.txt", "-n", "12", "--set", "generation.batch_size=1"});
  EXPECT_EQ(lines_of(text.out).size(), 3u) << text.describe();
  EXPECT_THAT(text.err, HasSubstr("prompts.txt: 2 blank lines are no prompt"));
  const json list = json::parse(generate({"-f", "prompts.txt", "-n", "12", "--json"}).out);
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[2]["prompt"], "Many more");
  // A line stands for the answer with its line breaks.
  for (std::size_t i = 0; i < 3; ++i) {
    std::string line;
    for (const char c : list[i]["generated_text"].get<std::string>()) {
      if (c == '\n' || c == '\\') line += '\\';
      line += c == '\n' ? 'n' : c;
    }
    EXPECT_EQ(lines_of(text.out)[i], escape_control(line));
  }
  // The same as JSONL.
  for (const char* output : {"-", "/dev/stdout"}) {
    const auto rows = lines_of(generate({"-f", "prompts.txt", "-n", "12", "-o", output}).out);
    ASSERT_EQ(rows.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(json::parse(rows[i]), list[i]);
  }
  EXPECT_FALSE(fs::exists(*bench_ / "-"));
}

TEST_F(Generate, AnswersComeWhileOthersAreStillMissing) {
  // Ended in the second of three batches, the first answer is there.
  ProcessOptions options;
  options.env["LLMCTL_FAULT"] = "token:15/TERM";
  const auto cut = bench_->run({"generate", "-m", "run", "-f", "prompts.txt", "-n", "12", "--set",
                                "generation.batch_size=1", "--set", "generation.min_new_tokens=12"},
                               143, options);
  EXPECT_EQ(lines_of(cut.out).size(), 1u) << cut.describe();
}

TEST_F(Generate, TheProgressOfAFileHasTokensPerSecondAndTheTimeLeft) {
  std::string many;
  for (int i = 0; i < 300; ++i) many += "The\n";
  bench_->write("many.txt", many);
  Terminal terminal({llmctl_binary().string(), "generate", "-m", "run", "-f", "many.txt", "-n",
                     "60", "--set", "generation.min_new_tokens=60", "-o", "many.jsonl"},
                    bench_->path(),
                    {{"TERM", "xterm"}, {"LLMCTL_CACHE", (*bench_ / "cache").string()}});
  EXPECT_EQ(terminal.finish(), 0) << terminal.output();
  EXPECT_THAT(terminal.output(), HasSubstr("tokens/s"));
  EXPECT_THAT(terminal.output(), HasSubstr("\r"));
  // Elsewhere nothing is rewritten, and the result says what was done.
  const auto plain = generate({"-f", "many.txt", "-n", "4", "-o", "plain.jsonl", "--json"});
  EXPECT_THAT(plain.err, Not(HasSubstr("\r")));
  EXPECT_GT(json::parse(plain.out)["tokens"], 0);
}

TEST_F(Generate, SamplesFollowOneAnother) {
  const std::vector<std::string> arguments = {"-p", "The",           "-n",  "8",      "--samples",
                                              "3",  "--temperature", "0.9", "--seed", "3"};
  auto as_json = arguments;
  as_json.push_back("--json");
  std::string expected;
  const json answer = json::parse(generate(as_json).out);
  for (const json& sample : answer["samples"])
    expected += escape_control(sample["generated_text"].get<std::string>()) + "\n";
  EXPECT_EQ(generate(arguments).out, expected);
  // Of a file, a line for each.
  bench_->write("two.txt", "The\nOne\n");
  EXPECT_EQ(
      lines_of(generate({"-f", "two.txt", "-n", "4", "--samples", "3", "--temperature", "1"}).out)
          .size(),
      6u);
}

TEST_F(Generate, StreamsAreTheAnswersOneAfterAnother) {
  const std::vector<std::string> arguments = {"-p", "The",       "-p", "One",           "-n",
                                              "8",  "--samples", "2",  "--temperature", "1"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), arguments.begin(), arguments.end());
    return generate(more).out;
  };
  const json answers = json::parse(with({"--json"}));
  std::string expected;
  for (const json& answer : answers) {
    for (const json& sample : answer["samples"])
      expected += escape_control(sample["generated_text"].get<std::string>()) + "\n";
  }
  EXPECT_EQ(with({"--stream"}), expected);
  // For programs: a line for each piece, the records behind those of all.
  std::vector<std::string> texts(4);
  std::vector<json> records;
  std::size_t last = 0;
  for (const std::string& line : lines_of(with({"--stream", "--json"}))) {
    const json row = json::parse(line);
    if (!row.contains("piece")) {
      records.push_back(row);
      continue;
    }
    const std::size_t whose =
        row["input"].get<std::size_t>() * 2 + row["sample"].get<std::size_t>();
    EXPECT_GE(whose, last);
    last = whose;
    texts[whose] += row["piece"].get<std::string>();
  }
  EXPECT_EQ(json(records), answers);
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_EQ(texts[i], answers[i / 2]["samples"][i % 2]["generated_text"]);
  expect_one_line_error(generate({"-p", "The", "--stream", "-o", "s.jsonl"}, 64), {"--stream"});
}

TEST_F(Generate, LogProbabilitiesAndEchoes) {
  const json answer =
      json::parse(generate({"-p", "The", "-n", "5", "--logprobs", "3", "--echo", "--json"}).out);
  EXPECT_TRUE(answer["generated_text"].get<std::string>().starts_with("The"));
  ASSERT_EQ(answer["logprobs"].size(), answer["tokens"]);
  double sum = 0;
  for (const json& token : answer["logprobs"]) {
    sum += token["logprob"].get<double>();
    ASSERT_EQ(token["top_logprobs"].size(), 3u);
    EXPECT_EQ(token["top_logprobs"][0]["id"], token["id"]);  // the best is taken
    EXPECT_GE(token["top_logprobs"][0]["logprob"], token["top_logprobs"][1]["logprob"]);
  }
  EXPECT_NEAR(answer["logprob"].get<double>(), sum, 1e-6);
  EXPECT_FALSE(json::parse(generate({"-p", "The", "-n", "5", "--json"}).out).contains("logprob"));
  const auto text = generate({"-p", "The", "-n", "5", "--logprobs", "3", "--echo"});
  EXPECT_EQ(text.out, escape_control(answer["generated_text"].get<std::string>()) + "\n");
  EXPECT_THAT(text.err, HasSubstr("--logprobs shows in records alone"));
}

TEST_F(Generate, RowsHaveSettingsOfTheirOwn) {
  bench_->write("rows.jsonl",
                "{\"prompt\":\"The\"}\n"
                "{\"prompt\":\"The\",\"generation\":{\"max_new_tokens\":3,\"logprobs\":0}}\n"
                "{\"prompt\":\"The\",\"generation\":{\"temperature\":2,\"num_return_sequences\":2,"
                "\"seed\":9}}\n");
  const auto run = [&](std::vector<std::string> more, int status = 0) {
    more.insert(more.begin(), {"-f", "rows.jsonl", "-n", "6", "--set",
                               "generation.min_new_tokens=3", "-o", "rows-out.jsonl"});
    return generate(more, status);
  };
  run({});
  const auto rows = lines_of(slurp(*bench_ / "rows-out.jsonl"));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(json::parse(rows[1])["tokens"], 3);
  EXPECT_TRUE(json::parse(rows[1]).contains("logprobs"));
  EXPECT_FALSE(json::parse(rows[0]).contains("logprobs"));
  EXPECT_EQ(json::parse(rows[2])["samples"].size(), 2u);
  EXPECT_EQ(json::parse(rows[2])["generation"]["seed"], 9);
  // Other settings of a row are another job.
  EXPECT_THAT(run({}).err, HasSubstr("is finished"));
  std::string changed = slurp(*bench_ / "rows.jsonl");
  bench_->write("rows.jsonl", changed.replace(changed.find("\"seed\":9"), 8, "\"seed\":8"));
  run({}, 73);
  bench_->write("rows.jsonl",
                "{\"prompt\":\"a\"}\n{\"prompt\":\"b\",\"generation\":{\"top_p\":3}}\n");
  expect_one_line_error(run({"--overwrite"}, 65), {"rows.jsonl:2: generation.top_p"});
}

TEST_F(Generate, JsonIsAnObjectForOnePromptAndAListForSeveral) {
  EXPECT_TRUE(json::parse(generate({"-p", "The", "-n", "2", "--json"}).out).is_object());
  const json two = json::parse(generate({"-p", "The", "-p", "One", "-n", "2", "--json"}).out);
  ASSERT_TRUE(two.is_array());
  EXPECT_EQ(two[1]["prompt"], "One");
}

TEST_F(Generate, NumbersOutOfRangeAreRefused) {
  const std::vector<std::vector<std::string>> wrong = {
      {"-n", "0"},        {"-n", "-3"},     {"--temperature", "-1"}, {"--top-k", "-2"},
      {"--top-p", "1.5"}, {"--seed", "-1"}, {"--samples", "0"},      {"--max-length", "0"},
      {"--top", "0"},     {"-n", "many"},   {"--too-long", "cut"},   {"--threads", "-1"}};
  for (auto arguments : wrong) {
    const std::string flag = arguments[0] == "-n" ? "--max-new-tokens" : arguments[0];
    arguments.insert(arguments.end(), {"-p", "The"});
    expect_one_line_error(generate(arguments, 64), {flag});
  }
  expect_one_line_error(bench_->run({"eval", "-m", "run", "--batch-size", "0"}, 64),
                        {"--batch-size"});
  expect_one_line_error(
      bench_->run({"tokenizer", "train", "en.txt", "-o", "t", "--vocab-size", "0"}, 64),
      {"--vocab-size"});
  expect_one_line_error(
      bench_->run({"tokenizer", "encode", "-m", "run", "--max-length", "0", "a"}, 64),
      {"--max-length"});
}

TEST_F(Generate, SettingsWithoutEffectAreNamed) {
  EXPECT_THAT(generate({"-p", "The", "-n", "2", "--seed", "3"}).err,
              HasSubstr("seed has no effect"));
  EXPECT_THAT(generate({"-p", "The", "-n", "2", "--system", "Be kind."}).err,
              HasSubstr("chat.system (--system) has no effect"));
  EXPECT_THAT(generate({"-p", "The", "-n", "2"}).err, Not(HasSubstr("no effect")));
}

TEST_F(Generate, NotesStandOnceInAResult) {
  bench_->write("notes.txt", "The\nOne\n");
  const std::string idle = "seed has no effect: nothing is drawn (do_sample is false)";
  const json one = json::parse(generate({"-p", "The", "-n", "2", "--seed", "3", "--json"}).out);
  EXPECT_EQ(one["notes"], json::array({idle}));
  const json plan =
      json::parse(generate({"-p", "The", "-n", "2", "--seed", "3", "--json", "--dry-run"}).out);
  EXPECT_EQ(plan["notes"], json::array({idle}));
  // Several answers have no common head: the first bears them.
  const std::vector<std::string> many = {"-f", "notes.txt", "-n", "2", "--seed", "3"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), many.begin(), many.end());
    return generate(more);
  };
  const json list = json::parse(with({"--json"}).out);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0]["notes"], json::array({idle}));
  EXPECT_FALSE(list[1].contains("notes"));
  const auto rows = lines_of(with({"-o", "-"}).out);
  ASSERT_EQ(rows.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(json::parse(rows[i]), list[i]);
  // A file's lines are answers only; its report has the notes.
  const json report = json::parse(with({"-o", "notes.jsonl", "--json"}).out);
  EXPECT_EQ(report["notes"], json::array({idle}));
  EXPECT_THAT(slurp(*bench_ / "notes.jsonl"), Not(HasSubstr("notes")));
  // Nothing to say: no member. An input's own member of that name stays.
  EXPECT_FALSE(json::parse(generate({"-p", "The", "-n", "2", "--json"}).out).contains("notes"));
  bench_->write("own.jsonl", "{\"prompt\":\"The\",\"notes\":\"mine\"}\n");
  EXPECT_EQ(json::parse(
                generate({"-f", "own.jsonl", "-n", "2", "--seed", "3", "--json"}).out)[0]["notes"],
            "mine");
}

TEST_F(Generate, APromptThatIsTooLong) {
  std::string words;
  for (int i = 0; i < 500; ++i) words += "word ";
  bench_->write("long.txt", "The\n" + words + "\nOne\n");
  const auto refused = generate({"-f", "long.txt", "-n", "4", "-o", "long.jsonl"}, 65);
  expect_one_line_error(refused, {"long.txt:2"});
  EXPECT_FALSE(fs::exists(*bench_ / "long.jsonl.partial"));
  const json skipped =
      json::parse(generate({"-f", "long.txt", "-n", "4", "--too-long", "skip", "--json"}).out);
  ASSERT_EQ(skipped.size(), 3u);
  EXPECT_EQ(skipped[1]["finish_reason"], "skipped");
  EXPECT_EQ(skipped[2]["finish_reason"], "length");
  const json cut =
      json::parse(generate({"-f", "long.txt", "-n", "4", "--too-long", "truncate", "--json"}).out);
  EXPECT_EQ(cut[1]["finish_reason"], "length");
}

TEST_F(Generate, ADryRunRefusesWhatTheRunRefuses) {
  bench_->write("member.jsonl", "{\"prmpt\":\"b\"}\n");
  std::string words;
  for (int i = 0; i < 500; ++i) words += "word ";
  bench_->write("too-long.txt", words + "\n");
  bench_->write("taken.jsonl", "{}\n");
  const std::vector<std::pair<std::vector<std::string>, int>> wrong = {
      {{"-f", "member.jsonl"}, 65},
      {{"-f", "too-long.txt"}, 65},
      {{"-f", "prompts.txt", "-o", "taken.jsonl"}, 73},
      {{"-f", "prompts.txt", "-o", "no/such/folder/a.jsonl"}, 73},
      {{"-f", "prompts.txt", "-o", "prompts.txt"}, 73},
      {{"-p", "a", "--chat"}, 64},
      {{"-p", "a", "--chat", "--chat-template", "chatlm"}, 64},
      {{"--question", "q", "--context", "@missing.txt"}, 66}};
  for (auto [arguments, status] : wrong) {
    const auto real = generate(arguments, status);
    arguments.push_back("--dry-run");
    const auto dry = generate(arguments, status);
    EXPECT_EQ(dry.err, real.err);
    EXPECT_EQ(dry.out, "");
  }
  EXPECT_EQ(slurp(*bench_ / "taken.jsonl"), "{}\n");
  // A job that was begun otherwise.
  generate({"-f", "prompts.txt", "-n", "3", "-o", "begun.jsonl"});
  fs::rename(*bench_ / "begun.jsonl", *bench_ / "begun.jsonl.partial");
  bench_->write("begun.jsonl.partial.key", "another\n");
  expect_one_line_error(
      generate({"-f", "prompts.txt", "-n", "3", "-o", "begun.jsonl", "--dry-run"}, 73),
      {"begun.jsonl.partial: was begun with other inputs"});
}

TEST_F(Generate, AWrongMemberIsNamedWithItsPlace) {
  bench_->write("wrong.jsonl", "{\"prompt\":\"a\"}\n{\"prmpt\":\"b\"}\n");
  expect_one_line_error(generate({"-f", "wrong.jsonl", "-n", "2"}, 65),
                        {"wrong.jsonl:2", "did you mean 'prompt'?"});
}

TEST_F(Generate, RecordsWithoutANameAreKnownByTheirFirstLine) {
  const auto from_input = [](const std::string& text, int status = 0) {
    ProcessOptions options;
    options.input = text;
    return bench_->run({"generate", "-m", "run", "-f", "-", "-n", "2", "--json"}, status, options);
  };
  const auto from_file = [](const std::string& name, const std::string& text, int status = 0) {
    bench_->write(name, text);
    return generate({"-f", name, "-n", "2", "--json"}, status);
  };
  const std::string lines = "\n{\"prompt\": \"The\", \"mine\": 1}\n\n{\"prompt\": \"One\"}\r\n";
  const json expected = json::parse(from_file("asked.jsonl", lines).out);
  ASSERT_EQ(expected.size(), 2u);
  EXPECT_EQ(expected[0]["mine"], 1);
  EXPECT_EQ(json::parse(from_input(lines).out), expected);
  EXPECT_EQ(json::parse(from_file("asked", lines).out), expected);
  EXPECT_EQ(json::parse(from_input("{\"prompt\": \"One\"}").out)[0], expected[1]);
  const json long_line = {{"prompt", "The"}, {"mine", std::string(1 << 17, 'x')}};
  EXPECT_EQ(json::parse(from_file("asked-long", long_line.dump() + "\n").out)[0]["prompt"], "The");

  // So are the elements of an array, as jq and Python write them.
  for (const char* array : {"[{\"prompt\": \"The\", \"mine\": 1}, {\"prompt\": \"One\"}]",
                            "\n[\n  {\n    \"prompt\": \"The\",\n    \"mine\": 1\n  },\n"
                            "  {\"prompt\": \"One\"}\n]\n"})
    EXPECT_EQ(json::parse(from_input(array).out), expected);
  EXPECT_EQ(json::parse(from_input("[The] end\n").out)[0]["prompt"], "[The] end");
  for (const char* spread : {"{\n  \"prompt\": \"The\"\n}\n", "[\n  1\n]\n"})
    expect_one_line_error(from_input(spread, 65), {"standard input:1: ", "jq -c ."});

  // A line alone is no JSON over several, and a document is one text.
  EXPECT_EQ(json::parse(from_input("\n{\n").out)[0]["prompt"], "{");

  // What does not begin so is text, and so is what is called .txt.
  const std::string record = "{\"prompt\": \"The\"}";
  for (const json& list : {json::parse(from_input("The\n" + record + "\n").out),
                           json::parse(from_file("told", "The\n" + record + "\n").out)}) {
    ASSERT_EQ(list.size(), 2u);
    EXPECT_EQ(list[0]["prompt"], "The");
    EXPECT_EQ(list[1]["prompt"], record);
  }
  EXPECT_EQ(json::parse(from_file("asked.txt", record + "\n").out)[0]["prompt"], record);

  // A text may be called by its language.
  EXPECT_EQ(json::parse(from_file("asked.en", "The\nOne\n").out).size(), 2u);
  EXPECT_EQ(json::parse(from_file("asked.pt-BR", "The\nOne\n").out)[1]["prompt"], "One");
  expect_one_line_error(from_file("tagged.iob", "The O\n", 65), {"tagged.iob", "not from '.iob'"});

  // Lines that are no record are errors, as in a file of that name.
  for (const auto& [line, what] :
       {std::pair{"plain", ":2:1: expected a value"}, {"[1]", ":2: expected a JSON object"}}) {
    const std::string text = record + "\n" + line + "\n";
    expect_one_line_error(from_input(text, 65), {std::string("standard input") + what});
    for (const char* name : {"asked-bad", "asked-bad.jsonl"})
      expect_one_line_error(from_file(name, text, 65), {name + std::string(what)});
  }
}

TEST_F(Generate, ThreeKillsChangeNothingInAFile) {
  std::string rows;
  for (int i = 0; i < 60; ++i) {  // very unequal, so that later rows are done before earlier ones
    rows += json{{"prompt", "Number " + std::to_string(i)},
                 {"generation", {{"max_new_tokens", 2 + i * 7 % 23}, {"min_new_tokens", 2}}}}
                .dump() +
            "\n";
  }
  bench_->write("unequal.jsonl", rows);
  const auto job = [](const std::string& output) {
    return std::vector<std::string>{"generate",
                                    "-m",
                                    "run",
                                    "-f",
                                    "unequal.jsonl",
                                    "-o",
                                    output,
                                    "--temperature",
                                    "0.9",
                                    "--set",
                                    "generation.batch_size=4"};
  };
  bench_->run(job("straight.jsonl"), 0);
  std::size_t before = 0;
  for (int kill = 0; kill < 3; ++kill) {
    ProcessOptions options;
    options.env["LLMCTL_FAULT"] = "token:40";
    options.directory = bench_->path();
    EXPECT_EQ(run_llmctl(job("killed.jsonl"), options).signal, SIGKILL);
    EXPECT_FALSE(fs::exists(*bench_ / "killed.jsonl"));
    const std::size_t lines = lines_of(slurp(*bench_ / "killed.jsonl.partial")).size();
    EXPECT_GT(lines, before);
    before = lines;
  }
  const auto last = bench_->run(job("killed.jsonl"), 0);
  EXPECT_THAT(last.out, HasSubstr("60 of 60 (" + std::to_string(before) + " from before)"));
  EXPECT_EQ(slurp(*bench_ / "killed.jsonl"), slurp(*bench_ / "straight.jsonl"));
}

TEST_F(Generate, AFinishedFileIsKept) {
  const std::vector<std::string> job = {"-f",  "prompts.txt", "-n", "6",  "--temperature",
                                        "0.9", "--seed",      "1",  "-o", "kept.jsonl"};
  generate(job);
  const std::string text = slurp(*bench_ / "kept.jsonl");
  const auto again = generate(job);
  EXPECT_THAT(again.err, HasSubstr("is finished"));
  EXPECT_THAT(again.out, HasSubstr("3 of 3 (3 from before)"));
  auto other = job;
  other[7] = "2";
  expect_one_line_error(generate(other, 73), {"kept.jsonl: exists", "--overwrite"});
  EXPECT_EQ(slurp(*bench_ / "kept.jsonl"), text);
  other.push_back("--overwrite");
  generate(other);
  EXPECT_NE(slurp(*bench_ / "kept.jsonl"), text);
}

}  // namespace
}  // namespace llmctl::test
