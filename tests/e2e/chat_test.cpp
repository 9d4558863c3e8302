// Conversations with a model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "base/terminal.h"
#include "support/llmctl.h"
#include "support/paths.h"
#include "support/terminal.h"

namespace llmctl::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::vector<json> lines_of(const std::string& text) {
  std::vector<json> rows;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) rows.push_back(json::parse(line));
  return rows;
}

ProcessOptions saying(const std::string& text) {
  ProcessOptions options;
  options.input = text;
  return options;
}

TEST(Chat, ConversationsWithATemplate) {
  Workbench bench;
  bench.pretrain("causal", "run", 4);
  // Without a template there is no form for a conversation.
  const auto refused = bench.run({"generate", "-m", "run", "--chat"}, 64, saying("hello\n"));
  expect_one_line_error(refused, {"no chat template", "--chat-template", "chatml"});
  expect_one_line_error(bench.run({"generate", "-m", "run", "--chat", "--chat-template", "chatlm"},
                                  64, saying("hello\n")),
                        {"'chatlm' is neither a file nor one of", "chatml"});

  const std::vector<std::string> chat = {"generate", "-m", "run", "--chat",  "--chat-template",
                                         "plain",    "-n", "6",   "--greedy"};
  auto planned = chat;
  planned.push_back("--dry-run");
  EXPECT_THAT(bench.run(planned).out, HasSubstr("a conversation"));
  expect_one_line_error(bench.run({"generate", "-m", "run", "--chat", "--dry-run"}, 64),
                        {"no chat template"});
  auto as_json = chat;
  as_json.push_back("--json");
  const auto rows = lines_of(bench.run(as_json, 0, saying("hello\n你好\n/quit\nnever\n")).out);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["role"], "assistant");
  // The second answer follows the whole conversation; behind /clear it is the first of a new one.
  const auto again = lines_of(bench.run(as_json, 0, saying("hello\n/clear\nhello\n")).out);
  ASSERT_EQ(again.size(), 2u);
  EXPECT_EQ(again[0]["content"], rows[0]["content"]);
  EXPECT_EQ(again[1]["content"], rows[0]["content"]);
  // Streamed, the same text, in which control characters are harmless.
  EXPECT_EQ(bench.run(chat, 0, saying("hello\n")).out,
            escape_control(rows[0]["content"].get<std::string>()) + "\n");

  // The same by a prompt, and by messages in a file.
  auto prompt = as_json;
  prompt.insert(prompt.end(), {"-p", "hello"});
  EXPECT_EQ(json::parse(bench.run(prompt).out)["generated_text"], rows[0]["content"]);
  bench.write("talks.jsonl", json{{"messages", {{{"role", "user"}, {"content", "hello"}}}}}.dump() +
                                 "\n" +
                                 json{{"messages",
                                       {{{"role", "user"}, {"content", "hello"}},
                                        rows[0],
                                        {{"role", "user"}, {"content", "你好"}}}}}
                                     .dump() +
                                 "\n");
  const json answers = json::parse(bench
                                       .run({"generate", "-m", "run", "--chat-template", "plain",
                                             "-f", "talks.jsonl", "-n", "6", "--greedy", "--json"})
                                       .out);
  EXPECT_EQ(answers[0]["generated_text"], rows[0]["content"]);
  EXPECT_EQ(answers[1]["generated_text"], rows[1]["content"]);

  // A conversation that outgrows the model loses its oldest turns, with a word about it.
  std::string many;
  for (int i = 0; i < 30; ++i) many += "hello again and again and again\n";
  const auto outgrown = bench.run(as_json, 0, saying(many));
  EXPECT_EQ(lines_of(outgrown.out).size(), 30u);
  EXPECT_THAT(outgrown.err, HasSubstr("the conversation outgrew the "));

  // A template of one's own, which refuses something.
  bench.write("strict.jinja",
              "{% if messages|length > 1 %}{{ raise_exception('one message, please') }}{% endif %}"
              "{{ messages[0].content }}");
  const auto raised =
      bench.run({"generate", "-m", "run", "--chat", "--chat-template", "strict.jinja", "-n", "4"},
                65, saying("a\nb\n"));
  EXPECT_THAT(raised.err, HasSubstr("chat template line 1: one message, please"));
}

TEST(Chat, ConversationsInAFileThatAreTooLong) {
  Workbench bench;
  bench.pretrain("causal", "run", 2);
  std::string words;
  for (int i = 0; i < 400; ++i) words += "word ";
  const json hello = {{"role", "user"}, {"content", "hello"}};
  const json system = {{"role", "system"}, {"content", "Be kind."}};
  const auto line = [](const json& messages) { return json{{"messages", messages}}.dump() + "\n"; };
  bench.write("talks.jsonl", line({system, hello}) +
                                 line({system,
                                       {{"role", "user"}, {"content", words}},
                                       {{"role", "assistant"}, {"content", "Oh."}},
                                       hello}) +
                                 line({{{"role", "user"}, {"content", words}}}));
  const auto answer = [&](const std::string& how, int status = 0) {
    return bench.run({"generate", "-m", "run", "--chat-template", "plain", "-f", "talks.jsonl",
                      "-n", "4", "--greedy", "--json", "--too-long", how},
                     status);
  };
  expect_one_line_error(answer("error", 65), {"talks.jsonl:2 has", "1 more is too long"});
  const json skipped = json::parse(answer("skip").out);
  EXPECT_EQ(skipped[1]["finish_reason"], "skipped");
  EXPECT_EQ(skipped[2]["finish_reason"], "skipped");
  const auto cut = answer("truncate");
  const json answers = json::parse(cut.out);
  EXPECT_EQ(answers[0]["generated_text"], skipped[0]["generated_text"]);
  EXPECT_EQ(answers[1]["generated_text"], answers[0]["generated_text"])
      << "the system message and the last turn are what is left";
  EXPECT_THAT(cut.err, HasSubstr("2 prompts were too long and shortened (generation.too_long): 1 "
                                 "oldest turn and "));
  EXPECT_THAT(cut.err, HasSubstr(" tokens of last turns left out"));
}

TEST(Chat, CommandsAreNamedAndNotSent) {
  Workbench bench;
  bench.pretrain("causal", "run", 2);
  const std::vector<std::string> chat = {"generate", "-m", "run", "--chat", "--chat-template",
                                         "plain",    "-n", "4",   "--json"};
  const auto result = bench.run(chat, 0, saying("/help\n/clea\n/clear\nhello\n\xff\xfe\nagain\n"));
  EXPECT_EQ(lines_of(result.out).size(), 2u) << result.describe();
  EXPECT_THAT(result.err, HasSubstr("begin a new conversation"));
  EXPECT_THAT(result.err, HasSubstr("unknown command /clea, did you mean '/clear'?"));
  // A line that is not UTF-8 costs that line.
  EXPECT_THAT(result.err, HasSubstr("the line is not UTF-8 at byte 0"));
}

TEST(Chat, CommandsChangeTheConversation) {
  Workbench bench;
  bench.pretrain("causal", "run", 2);
  const auto talk = [&](const std::string& lines, int status = 0) {
    return bench.run({"generate", "-m", "run", "--chat", "--chat-template", "plain", "-n", "4",
                      "--temperature", "1", "--json"},
                     status, saying(lines));
  };
  const auto saved = [&](const std::string& name) {
    return json::parse(slurp(bench / name))["messages"];
  };
  const auto rows = lines_of(talk("hello\n/save a.jsonl\n/retry\n/save b.jsonl\nagain\n/undo\n"
                                  "/save c.jsonl\n/undo\n/undo\n/retry\n/save d.jsonl\n")
                                 .out);
  ASSERT_EQ(rows.size(), 3u);
  const json hello = {{"role", "user"}, {"content", "hello"}};
  const auto content = [&](std::size_t row) {
    return json{{"role", "assistant"}, {"content", rows[row]["content"]}};
  };
  EXPECT_EQ(saved("a.jsonl"), json::array({hello, content(0)}));
  EXPECT_EQ(saved("b.jsonl"), json::array({hello, content(1)}));
  EXPECT_NE(rows[0]["content"], rows[1]["content"]);  // drawn anew
  EXPECT_EQ(saved("c.jsonl"), saved("b.jsonl"));
  EXPECT_EQ(saved("d.jsonl"), json::array());
  const auto told = talk(
      "/undo\n/retry\n/save\n/save a.jsonl\n/system\n/system Be kind.\n/system\n"
      "hello\n/clear\n/save e.jsonl\n/system -\n/save f.jsonl\n");
  for (const char* text :
       {"there is no message to take back", "there is no answer to write anew",
        "/save needs the name of a file", "a.jsonl", "there is no system message", "Be kind."}) {
    EXPECT_THAT(told.err, HasSubstr(text));
  }
  EXPECT_EQ(saved("a.jsonl").size(), 2u);  // not overwritten
  const json kind = {{"role", "system"}, {"content", "Be kind."}};
  EXPECT_EQ(saved("e.jsonl"), json::array({kind}));
  EXPECT_EQ(saved("f.jsonl"), json::array());
  // A template that knows no system messages says so at once.
  bench.write("strict.jinja",
              "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}"
              "{% endif %}{{ messages[0].content }}");
  const auto refused = bench.run(
      {"generate", "-m", "run", "--chat", "--chat-template", "strict.jinja", "-n", "2", "--json"},
      0, saying("/system Be kind.\nhello\n"));
  EXPECT_THAT(refused.err, HasSubstr("no system here"));
  EXPECT_EQ(lines_of(refused.out).size(), 1u);
}

TEST(Chat, MessagesOfSeveralLines) {
  Workbench bench;
  bench.pretrain("causal", "run", 2);
  const auto messages = [&](const std::string& lines) {
    bench.run({"generate", "-m", "run", "--chat", "--chat-template", "plain", "-n", "2", "--json"},
              0, saying(lines + "/save out.jsonl\n"));
    const json saved = json::parse(slurp(bench / "out.jsonl"))["messages"];
    std::filesystem::remove(bench / "out.jsonl");
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < saved.size(); i += 2) texts.push_back(saved[i]["content"]);
    return texts;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(messages("one\\\ntwo \\\nthree\nfour\n"), (Texts{"one\ntwo \nthree", "four"}));
  EXPECT_EQ(messages("\"\"\"\n/help\n\n  b\\\n\"\"\"\nc\n"), (Texts{"/help\n\n  b\\", "c"}));
  EXPECT_EQ(messages("\"\"\"one\ntwo\"\"\"\n\"\"\"x\"\"\"\n"), (Texts{"one\ntwo", "x"}));
  EXPECT_EQ(messages("a\\\\\n"), (Texts{"a\\\\"}));  // two of them are two
}

TEST(Chat, CtrlCEndsTheAnswerOnlyAndSigtermTheConversation) {
  Workbench bench;
  bench.pretrain("causal", "run", 2);
  const std::vector<std::string> chat = {"generate",
                                         "-m",
                                         "run",
                                         "--chat",
                                         "--chat-template",
                                         "plain",
                                         "-n",
                                         "8",
                                         "--json",
                                         "--set",
                                         "generation.min_new_tokens=8"};
  auto interrupted = saying("hello\nagain\n");
  interrupted.env["LLMCTL_FAULT"] = "token:3/INT";
  const auto rows = lines_of(bench.run(chat, 0, interrupted).out);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["finish_reason"], "interrupted");
  EXPECT_EQ(rows[1]["finish_reason"], "length");
  auto ended = saying("hello\nagain\n");
  ended.env["LLMCTL_FAULT"] = "token:3/TERM";
  EXPECT_EQ(bench.run(chat, 143, ended).out, "");
}

TEST(Chat, OnATerminal) {
  Workbench bench;
  bench.pretrain("causal", "run", 2);
  for (const char* kind :
       {"xterm", "dumb"}) {  // with line editing, where it is built in, and without
    Terminal terminal({llmctl_binary().string(), "generate", "-m", "run", "--chat",
                       "--chat-template", "plain", "-n", "4"},
                      bench.path(), {{"TERM", kind}, {"LLMCTL_CACHE", (bench / "cache").string()}});
    ASSERT_TRUE(terminal.shows("> ")) << kind << terminal.output();
    terminal.type("half a line\x03");  // Ctrl-C: gone, and a new prompt
    ASSERT_TRUE(terminal.shows("> ")) << kind << terminal.output();
    terminal.type("/nonsense\n");
    ASSERT_TRUE(terminal.shows("unknown command /nonsense")) << kind << terminal.output();
    ASSERT_TRUE(terminal.shows("> ")) << kind << terminal.output();
    terminal.type("你好\n");
    // Line editing repeats its prompt while one types: what only a new prompt can show tells that
    // the answer is over. Before that a Ctrl-D would be lost.
    terminal.type("/other\n");
    ASSERT_TRUE(terminal.shows("unknown command /other")) << kind << terminal.output();
    ASSERT_TRUE(terminal.shows("> ")) << kind << terminal.output();
    terminal.type("\x04");  // Ctrl-D
    EXPECT_EQ(terminal.finish(), 0) << kind << terminal.output();
    EXPECT_EQ(terminal.output().find("not UTF-8"), std::string::npos) << terminal.output();

    // The end may be typed before the program asks for it.
    Terminal ahead({llmctl_binary().string(), "generate", "-m", "run", "--chat", "--chat-template",
                    "plain", "-n", "4"},
                   bench.path(), {{"TERM", kind}, {"LLMCTL_CACHE", (bench / "cache").string()}});
    ahead.type("/nonsense\n\x04");
    ASSERT_TRUE(ahead.shows("unknown command /nonsense")) << kind << ahead.output();
    EXPECT_EQ(ahead.finish(), 0) << kind << ahead.output();
  }
}

TEST(Chat, WhatWasTypedIsKeptForTheNextConversation) {
  Workbench bench;
  bench.pretrain("causal", "run", 2);
  const std::filesystem::path file = bench / "state/llmctl/chat_history";
  const auto talk = [&](std::vector<std::string> more, const std::function<void(Terminal&)>& work) {
    std::vector<std::string> arguments = {
        llmctl_binary().string(), "generate", "-m", "run", "--chat",
        "--chat-template",        "plain",    "-n", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Terminal terminal(arguments, bench.path(),
                      {{"TERM", "xterm"},
                       {"LLMCTL_CACHE", (bench / "cache").string()},
                       {"XDG_STATE_HOME", (bench / "state").string()}});
    ASSERT_TRUE(terminal.shows("> ")) << terminal.output();
    work(terminal);
    terminal.type("\x04");
    EXPECT_EQ(terminal.finish(), 0) << terminal.output();
  };
  // Ctrl-C in the second line of a message discards it all; wide characters are edited whole.
  talk({}, [](Terminal& terminal) {
    terminal.type("/gone\\\n");
    ASSERT_TRUE(terminal.shows("... ")) << terminal.output();
    terminal.type("more\x03");
    ASSERT_TRUE(terminal.shows("> ")) << terminal.output();
    terminal.type("/你好们\x7f\\\n");
    ASSERT_TRUE(terminal.shows("... ")) << terminal.output();
    terminal.type("b\n");
    ASSERT_TRUE(terminal.shows("unknown command /你好")) << terminal.output();
    ASSERT_TRUE(terminal.shows("> ")) << terminal.output();
  });
  EXPECT_EQ(slurp(file), json("/你好\nb").dump() + "\n");
  struct stat status = {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  talk({"--no-history"}, [](Terminal& terminal) {
    terminal.type("/secret\n");
    ASSERT_TRUE(terminal.shows("unknown command /secret")) << terminal.output();
    ASSERT_TRUE(terminal.shows("> ")) << terminal.output();
  });
  EXPECT_EQ(slurp(file), json("/你好\nb").dump() + "\n");
}

}  // namespace
}  // namespace llmctl::test
