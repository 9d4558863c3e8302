#include "text/template/chat_template.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/files.h"
#include "base/random.h"
#include "support/temp_dir.h"
#include "text/huggingface/small_tokenizer.h"
#include "text/trained_tokenizer.h"

namespace llmctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string rendered(const std::string& source, const char* messages = "[]",
                     const char* variables = "{}") {
  ChatRequest request;
  request.messages = parse_json(messages, "messages");
  request.variables = parse_json(variables, "variables");
  return ChatTemplate(source, "<s>", "</s>").render(request).text;
}

std::string error_of(const std::string& source, const char* messages = "[]") {
  try {
    rendered(source, messages);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kData);
    return error.what();
  }
  ADD_FAILURE() << "rendered " << source.substr(0, 80);
  return "";
}

TEST(ChatTemplate, Expressions) {
  const std::pair<const char*, const char*> cases[] = {
      {"{{ 1 + 2 * 3 }}", "7"},
      {"{{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 3 ** 1 }}", "-4 2 3.5 8"},
      {"{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }}", "True False"},
      {"{{ 'a' 'b' ~ 1 ~ none ~ true }}", "ab1NoneTrue"},
      {"{{ [1, 'x', {'k': 2.0}] }}", "[1, 'x', {'k': 2.0}]"},
      {"{{ 'abc'[1] }}{{ 'abc'[-1] }}{{ '我们走'[::-1] }}{{ [1,2,3,4][1:3] }}", "bc走们我[2, 3]"},
      {"{{ -3 | abs }} {{ 'x' * 3 }} {{ [0] * 2 }}", "3 xxx [0, 0]"},
      {"{{ 'b' in 'abc' }} {{ 'k' in {'k': 1} }} {{ 3 not in [1, 2] }}", "True True True"},
      {"{{ 'yes' if 0 else 'no' }}{{ 'only' if false }}", "no"},
      {"{{ not 1 and x or 'z' }}", "z"},
      {"{{ {'a': 1}.get('b', 5) }} {{ {'a': 1}['a'] }} {{ {'a': {'b': 2}}.a.b }}", "5 1 2"},
      {"{{ 'A,b'.lower().split(',') | join('-') }}", "a-b"},
      {"{{ 'a b  c'.split() }} {{ 'a,b,c'.split(',', 1) }}", "['a', 'b', 'c'] ['a', 'b,c']"},
      {"{{ 4 is divisibleby 2 }} {{ 4 is odd }} {{ x is defined }} {{ 'a' is in ['a'] }}",
       "True False False True"},
      {"{{ 1e3 }} {{ 0.1 + 0.2 }} {{ 1e-7 }} {{ 12345678901234567.0 }}",
       "1000.0 0.30000000000000004 1e-07 1.2345678901234568e+16"},
      {"{{ '%05.2f|%s' | format(3.14159, 'x') }}", "03.14|x"},
      {"{{ [3, 1, 2] | sort(reverse=true) }} {{ ['b', 'A'] | sort }}", "[3, 2, 1] ['A', 'b']"},
      {"{{ [1, 2, 3] | sum }} {{ [4, 9] | max }} {{ [] | first is defined }}", "6 9 False"},
      {"{{ '<a & \"b\">' | escape }}", "&lt;a &amp; &#34;b&#34;&gt;"},
      {"{{ {'b': [1, {}], 'a': '\\n\"'} | tojson }}", R"({"b": [1, {}], "a": "\n\""})"},
      {"{{ {'b': 1, 'a': []} | tojson(sort_keys=true, indent=1) }}",
       "{\n \"a\": [],\n \"b\": 1\n}"},
      {"{{ undefined_name }}|{{ {}.missing }}", "|"},
  };
  for (const auto& [source, expected] : cases) EXPECT_EQ(rendered(source), expected) << source;
}

TEST(ChatTemplate, Statements) {
  EXPECT_EQ(rendered("{% set x = 1 %}{% for i in [1, 2] %}{% set x = i %}{% endfor %}{{ x }}"),
            "1");
  EXPECT_EQ(rendered("{% set n = namespace(x=0) %}{% for i in [1, 2] %}{% set n.x = n.x + i %}"
                     "{% endfor %}{{ n.x }}"),
            "3");
  EXPECT_EQ(rendered("{% for a, b in [[1, 2], [3, 4]] %}{{ a }}{{ b }}{{ ',' if not loop.last }}"
                     "{% endfor %}"),
            "12,34");
  EXPECT_EQ(rendered("{% for i in range(10) if i is even %}{% if i == 6 %}{% break %}{% endif %}"
                     "{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% else %}none{% endfor %}"),
            "04");
  EXPECT_EQ(
      rendered("{% macro f(a, b=2) %}[{{ a }}{{ b }}]{% endmacro %}{{ f(1) }}{{ f(1, b=3) }}"),
      "[12][13]");
  EXPECT_EQ(rendered("{% macro f(n) %}{{ n }}{% if n > 0 %}{{ f(n - 1) }}{% endif %}{% endmacro %}"
                     "{{ f(3) }}"),
            "3210");
  EXPECT_EQ(rendered("a\n  {% if true %}\nb\n  {% endif %}\nc\n"), "a\nb\nc");
  EXPECT_EQ(rendered("a  {{- 'b' -}}  c"), "abc");
  EXPECT_EQ(rendered("{% raw %}{{ x }}{% endraw %}{# gone #}!"), "{{ x }}!");
}

TEST(ChatTemplate, Errors) {
  EXPECT_THAT(error_of("\n\n{{ x.y }}"), HasSubstr("chat template line 3: 'x' is undefined"));
  EXPECT_THAT(error_of("{{ messages[0].a.b }}", R"([{"role": "user"}])"),
              HasSubstr("'dict object' has no attribute 'a'"));
  EXPECT_EQ(error_of("{{ raise_exception('no, ' + 'not so') }}"),
            "chat template line 1: no, not so");
  EXPECT_THAT(error_of("{% if %}"), HasSubstr("line 1: unexpected '%}'"));
  EXPECT_THAT(error_of("{% for x in [1] %}"), HasSubstr("the template ends before 'endfor'"));
  EXPECT_THAT(error_of("{{ 'open }}"), HasSubstr("a string without end"));
  EXPECT_THAT(error_of("{{ 1"), HasSubstr("a tag without end"));
  EXPECT_THAT(error_of("{# x"), HasSubstr("a comment without end"));
  EXPECT_THAT(error_of("{% include 'x' %}"), HasSubstr("the tag 'include' is not supported"));
  EXPECT_THAT(error_of("{{ 1 | nothing }}"), HasSubstr("No filter named 'nothing'."));
  EXPECT_THAT(error_of("{{ 1 is nothing }}"), HasSubstr("No test named 'nothing'."));
  EXPECT_THAT(error_of("{{ 'a' + 1 }}"), HasSubstr("can only concatenate str"));
  EXPECT_THAT(error_of("{{ 1 // 0 }}"), HasSubstr("division by zero"));
  EXPECT_THAT(error_of("{{ 9223372036854775807 + 1 }}"), HasSubstr("beyond 64 bits"));
  EXPECT_THAT(error_of("{{ x() }}"), HasSubstr("'x' is undefined"));
  EXPECT_THAT(error_of("{% set a.b = 1 %}"), HasSubstr("non-namespace"));
  EXPECT_THAT(error_of("{% break %}"), HasSubstr("outside of a loop"));
}

// Templates come from strangers.
TEST(ChatTemplate, WithoutEndTheyAreStopped) {
  const char* const hostile[] = {
      "{% for i in range(1000000000) %}{{ i }}{% endfor %}",
      "{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}",
      "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
      "{% macro f() %}{{ g() }}{% endmacro %}{% macro g() %}{{ f() }}{% endmacro %}{{ f() }}",
      "{{ 'x' * 100000000 }}",
      "{{ 'x' * 9223372036854775807 }}",
      "{% set n = namespace(s='x') %}{% for i in range(40) %}{% set n.s = n.s + n.s %}{% endfor %}",
      "{% set n = namespace(l=[1]) %}{% for i in range(40) %}{% set n.l = n.l + n.l %}{% endfor %}",
      "{% for i in range(200) %}{{ 'x' * 100000 }}{% endfor %}",
      "{% set n = namespace(l=[]) %}{% for i in range(1000) %}{% set n.l = [n.l] %}{% endfor %}",
      "{% set n = namespace() %}{% set n.x = n %}{{ n }}",
      "{% set n = namespace() %}{% set n.x = [n] %}{{ n | tojson }}",
      "{{ ('a' * 100000).replace('', 'x' * 10000) }}",
      "{{ [1] * 100000000 }}",
      "{{ ('a ' * 1000000) | indent(1000) | wordcount }}{{ 'ab' | replace('', 'c' * 200000000) }}",
  };
  for (const char* source : hostile) EXPECT_FALSE(error_of(source).empty()) << source;
  for (const char* part : {"(", "[", "{'a':", "not ", "-", "{{ 1 if 1 else ", "a[", "f("}) {
    std::string source = "{{ ";
    for (int i = 0; i < 100000; ++i) source += part;
    EXPECT_FALSE(error_of(source).empty()) << part;
  }
  std::string nested;
  for (int i = 0; i < 100000; ++i) nested += "{% if true %}";
  EXPECT_FALSE(error_of(nested).empty());
  std::string dots = "{{ a";
  for (int i = 0; i < 100000; ++i) dots += ".b";
  EXPECT_FALSE(error_of(dots + " }}").empty());
}

TEST(ChatTemplate, RandomTemplatesAreRefusedOrRendered) {
  static const std::vector<std::string> kParts = {
      "{{",   "}}",       "{%",      "%}",       "-%}",   "{%-",      "{#",     "#}",
      " if ", " else ",   " endif ", " for ",    " in ",  " endfor ", " set ",  "=",
      "x",    "messages", "[",       "]",        "(",     ")",        "{",      "}",
      ":",    ",",        ".",       "|",        "'",     "\"",       "\\",     "1",
      "-",    "+",        "~",       " is ",     " not ", "none",     "loop",   "\n",
      " ",    "我",       "raw",     " endraw ", "macro", "tojson",   "length", "role"};
  Random random(random_key(11, "templates"));
  for (int round = 0; round < 3000; ++round) {
    std::string source;
    for (std::uint64_t n = 1 + random.below(30); n > 0; --n) {
      source += kParts[random.below(kParts.size())];
    }
    try {
      rendered(source, R"([{"role": "user", "content": "hi"}])");
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("chat template"));
    }
  }
}

TEST(ChatTemplate, KnowsWhatCameFromTheMessages) {
  ChatRequest request;
  request.messages = parse_json(R"([{"role": "user", "content": "Hi <x>"}])", "messages");
  const ChatTemplate chat("<u>{{ messages[0].content | upper }}</u>");
  const RenderedChat rendered_chat = chat.render(request);
  EXPECT_EQ(rendered_chat.text, "<u>HI <X></u>");
  EXPECT_EQ(rendered_chat.data, std::string(3, '\0') + std::string(6, '\1') + std::string(4, '\0'));
}

constexpr char kChatTokens[] = R"({"added_tokens": [
    {"id": 8, "content": "<|im_start|>", "special": true},
    {"id": 9, "content": "<|im_end|>", "special": true}]})";

TEST(ChatTemplate, NamesOfSpecialTokensInMessagesStayText) {
  const auto tokenizer = test::small_tokenizer(test::kLetters, kChatTokens);
  const ChatTemplate chat("<|im_start|>{{ messages[0].content }}<|im_end|>");
  ChatRequest request;
  request.messages = parse_json(R"([{"content": "ab"}])", "messages");
  EXPECT_THAT(chat.render_ids(*tokenizer, request), ElementsAre(8, 3, 9));
  request.messages = parse_json(R"([{"content": "<|im_end|>"}])", "messages");
  // Ten characters that the tokenizer does not know.
  const auto ids = chat.render_ids(*tokenizer, request);
  EXPECT_EQ(ids.size(), 12u);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 9), 1);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 8), 1);
}

TEST(ChatTemplate, EndOfATurn) {
  const auto tokenizer = test::small_tokenizer(test::kLetters, kChatTokens);
  EXPECT_EQ(ChatTemplate::builtin("chatml", "", "").turn_end(*tokenizer).token, 9);
  const auto plain = ChatTemplate::builtin("vicuna", "<s>", "||").turn_end(*tokenizer);
  EXPECT_EQ(plain.token, std::nullopt);
  EXPECT_EQ(plain.text, "||");
}

TEST(ChatTemplate, BuiltIn) {
  ChatRequest request;
  request.messages = parse_json(
      R"([{"role": "system", "content": "S"}, {"role": "user", "content": "Q"},
          {"role": "assistant", "content": "A"}, {"role": "user", "content": "R"}])",
      "messages");
  request.add_generation_prompt = true;
  const auto text = [&](const char* name) {
    return ChatTemplate::builtin(name, "<s>", "</s>").render(request).text;
  };
  EXPECT_EQ(text("chatml"),
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n"
            "<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nR<|im_end|>\n"
            "<|im_start|>assistant\n");
  EXPECT_EQ(text("llama2"),
            "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nQ [/INST] A </s><s>[INST] R [/INST]");
  EXPECT_EQ(text("plain"), "System: S\nUser: Q\nAssistant: A\nUser: R\nAssistant:");
  EXPECT_EQ(text("gemma"),
            "<s><start_of_turn>user\nS<end_of_turn>\n<start_of_turn>user\nQ<end_of_turn>\n"
            "<start_of_turn>model\nA<end_of_turn>\n<start_of_turn>user\nR<end_of_turn>\n"
            "<start_of_turn>model\n");
  for (const std::string& name : ChatTemplate::builtin_names()) {
    EXPECT_THAT(text(name.c_str()), HasSubstr("Q")) << name;
  }
  try {
    ChatTemplate::builtin("chatlm", "", "");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_THAT(error.what(), HasSubstr("chatml, llama3"));
  }
}

TEST(ChatTemplate, OfADirectory) {
  const test::TempDir directory;
  const auto tokenizer = test::small_tokenizer(test::kLetters, kChatTokens);
  EXPECT_FALSE(ChatTemplate::of_directory(directory.path(), *tokenizer));
  directory.write("tokenizer_config.json", R"({"chat_template": "one"})");
  EXPECT_EQ(ChatTemplate::of_directory(directory.path(), *tokenizer)->source(), "one");
  directory.write("tokenizer_config.json",
                  R"({"chat_template": [{"name": "default", "template": "d"},
                                        {"name": "tool_use", "template": "t"}]})");
  EXPECT_EQ(ChatTemplate::of_directory(directory.path(), *tokenizer)->source(), "d");
  EXPECT_EQ(ChatTemplate::of_directory(directory.path(), *tokenizer, true)->source(), "t");
  directory.write("chat_template.jinja", "file");
  EXPECT_EQ(ChatTemplate::of_directory(directory.path(), *tokenizer)->source(), "file");
  directory.write("tokenizer_config.json", R"({"chat_template": 3})");
  std::filesystem::remove(directory / "chat_template.jinja");
  EXPECT_THROW(ChatTemplate::of_directory(directory.path(), *tokenizer), Error);
}

TEST(ChatTemplate, StaysWithATokenizerThatIsSavedAgain) {
  const test::TempDir directory;
  for (const char* kind : {"sentencepiece", "tokenizer_json"}) {
    SCOPED_TRACE(kind);
    const auto from = directory / kind, to = directory / (std::string(kind) + "-again");
    make_directories(from);
    make_directories(to);
    if (kind == std::string("sentencepiece")) {
      test::trained_tokenizer()->save(from, 0);
    } else {
      test::small_tokenizer(test::kLetters, kChatTokens)->save(from, 0);
    }
    write_file(from / "chat_template.jinja", "{{ messages[0].content }}!");
    const auto tokenizer = load_tokenizer(from);
    tokenizer->save(to, 0);
    EXPECT_EQ(read_file(to / "chat_template.jinja"), "{{ messages[0].content }}!");
    EXPECT_EQ(load_json(to / "tokenizer_config.json")["chat_template"],
              "{{ messages[0].content }}!");
    EXPECT_EQ(load_tokenizer(to)->fingerprint(), tokenizer->fingerprint());
  }
}

TEST(ChatTemplate, TellsWhatItWouldLeaveOut) {
  const auto overlooked = [](const std::string& source, const char* messages,
                             const char* tools = "null") {
    ChatRequest request;
    request.messages = Json::parse(messages);
    request.tools = Json::parse(tools);
    return ChatTemplate(source).overlooked(request);
  };
  const std::string plain = "{% for m in messages %}{{ m.role }}{{ m.content }}{% endfor %}";
  const std::string knowing = plain + "{{ tools }}{{ messages[0].tool_calls }}";
  const char* call = R"([{"role": "assistant", "content": null, "tool_calls": [{"id": 1}]}])";
  EXPECT_EQ(overlooked(plain, R"([{"role": "user", "content": "a"}])"), "");
  EXPECT_EQ(overlooked(plain, call), "tool_calls");
  EXPECT_EQ(overlooked(plain, R"([{"role": "assistant", "content": null, "tool_calls": []}])"),
            "a content that is null");
  EXPECT_EQ(overlooked(plain, R"([{"role": "tool", "content": "7"}])"), "messages of tools");
  EXPECT_EQ(overlooked(plain, "[]", R"([{"name": "f"}])"), "tools");
  EXPECT_EQ(overlooked(knowing, call, R"([{"name": "f"}])"), "");
}

}  // namespace
}  // namespace llmctl
