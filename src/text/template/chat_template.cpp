#include "text/template/chat_template.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "text/template/render.h"
#include "text/tokenizer_json.h"

namespace llmctl {
namespace {

struct Builtin {
  const char* name;
  const char* source;
};

constexpr std::array kBuiltins = {
    Builtin{"chatml",
            "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + "
            "message['content'] + '<|im_end|>\\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"},
    Builtin{"llama3",
            "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + "
            "message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + "
            "'<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}"
            "{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"},
    Builtin{"llama2",
            "{% if messages[0]['role'] == 'system' %}{% set system = '<<SYS>>\\n' + "
            "messages[0]['content'] | trim + '\\n<</SYS>>\\n\\n' %}{% set turns = messages[1:] %}"
            "{% else %}{% set system = '' %}{% set turns = messages %}{% endif %}"
            "{% for message in turns %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' "
            "+ (system if loop.first else '') + message['content'] | trim + ' [/INST]' }}"
            "{% else %}{{ ' ' + message['content'] | trim + ' ' + eos_token }}{% endif %}"
            "{% endfor %}"},
    Builtin{"alpaca",
            "{% for message in messages %}{% if message['role'] == 'system' %}"
            "{{ message['content'] + '\\n\\n' }}{% elif message['role'] == 'user' %}"
            "{% if loop.first %}{{ 'Below is an instruction that describes a task. Write a "
            "response that appropriately completes the request.\\n\\n' }}{% endif %}"
            "{{ '### Instruction:\\n' + message['content'] + '\\n\\n' }}{% else %}"
            "{{ '### Response:\\n' + message['content'] + eos_token + '\\n\\n' }}{% endif %}"
            "{% endfor %}{% if add_generation_prompt %}{{ '### Response:\\n' }}{% endif %}"},
    Builtin{"vicuna",
            "{% for message in messages %}{% if message['role'] == 'system' %}"
            "{{ message['content'] + '\\n\\n' }}{% elif message['role'] == 'user' %}"
            "{{ 'USER: ' + message['content'] + '\\n' }}{% else %}"
            "{{ 'ASSISTANT: ' + message['content'] + eos_token + '\\n' }}{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"},
    Builtin{"zephyr",
            "{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + "
            "message['content'] + eos_token + '\\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"},
    Builtin{"gemma",
            "{{ bos_token }}{% for message in messages %}{{ '<start_of_turn>' + ('model' if "
            "message['role'] == 'assistant' else 'user') + '\\n' + message['content'] | trim + "
            "'<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}"
            "{{ '<start_of_turn>model\\n' }}{% endif %}"},
    Builtin{"plain",
            "{% for message in messages %}{{ message['role'] | capitalize + ': ' + "
            "message['content'] + '\\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"},
};

jinja::Text literal(const std::string& text) {
  return jinja::Text(text, '\0');
}

/// Messages as the template gets them, the contents of those numbered in `marked` by their mark.
jinja::Value marked_messages(const Json& messages, const std::vector<std::size_t>& marked) {
  if (marked.empty()) return jinja::from_json(messages, RenderedChat::kFromMessages);
  jinja::List list;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    jinja::Dict dict;
    for (const auto& [key, value] : messages[i].items()) {
      const bool mark =
          key == "content" && std::find(marked.begin(), marked.end(), i) != marked.end();
      dict.emplace_back(jinja::Text(key, RenderedChat::kFromMessages),
                        jinja::from_json(value, mark ? RenderedChat::kMarkedContent
                                                     : RenderedChat::kFromMessages));
    }
    list.emplace_back(std::move(dict));
  }
  return list;
}

std::string name_of(const Tokenizer& tokenizer, const std::optional<TokenId>& id) {
  return id ? tokenizer.piece(*id) : std::string();
}

/// A message's reasoning goes by several names, of which templates know one or the other: as in
/// transformers, whichever is there becomes both "thinking" and "reasoning_content".
Json with_reasoning(const Json& messages) {
  if (!messages.is_array()) return messages;
  Json result = Json::array();
  for (const Json& message : messages) {
    Json reasoning;
    for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
      if (message.is_object() && reasoning.is_null()) reasoning = message.value(name, Json());
    }
    if (reasoning.is_null()) {
      result.push_back(message);
      continue;
    }
    Json completed = {{"thinking", reasoning}};
    for (const auto& [key, value] : message.items()) completed[key] = value;
    completed["reasoning_content"] = reasoning;
    result.push_back(std::move(completed));
  }
  return result;
}

/// Of the named templates of a tokenizer_config.json.
std::string choose(const Json& list, bool with_tools, const std::string& place) {
  std::optional<std::string> standard, tools;
  for (const Json& entry : list) {
    const bool is_template = entry.is_object() && entry.value("name", Json()).is_string() &&
                             entry.value("template", Json()).is_string();
    if (!is_template) fail(ErrorCode::kData, place, ": expected a list of {name, template}");
    if (entry["name"] == "default") standard = entry["template"].get<std::string>();
    if (entry["name"] == "tool_use") tools = entry["template"].get<std::string>();
  }
  if (with_tools && tools) return *tools;
  if (standard) return *standard;
  fail(ErrorCode::kData, place, ": no template is named \"default\"");
}

}  // namespace

ChatTemplate::ChatTemplate(std::string source, std::string bos, std::string eos)
    : source_(std::move(source)), bos_(std::move(bos)), eos_(std::move(eos)) {
  require(source_.size() <= (1u << 20), ErrorCode::kData, "chat template: ", source_.size(),
          " bytes, at most 1 MB is supported");
  block_ = std::make_shared<jinja::Block>(jinja::parse_template(source_));
}

std::vector<std::string> ChatTemplate::builtin_names() {
  std::vector<std::string> names;
  for (const Builtin& builtin : kBuiltins) names.emplace_back(builtin.name);
  return names;
}

ChatTemplate ChatTemplate::builtin(const std::string& name, const std::string& bos,
                                   const std::string& eos) {
  for (const Builtin& builtin : kBuiltins) {
    if (name == builtin.name) return ChatTemplate(builtin.source, bos, eos);
  }
  fail(ErrorCode::kUsage, "chat template '", name, "' is neither a file nor one of ",
       join(builtin_names()));
}

std::optional<ChatTemplate> ChatTemplate::of_directory(const std::filesystem::path& directory,
                                                       const Tokenizer& tokenizer,
                                                       bool with_tools) {
  const std::string bos = name_of(tokenizer, tokenizer.special().bos);
  const std::string eos = name_of(tokenizer, tokenizer.special().eos);
  const std::filesystem::path file = directory / "chat_template.jinja";
  if (std::filesystem::exists(file)) return ChatTemplate(read_file(file, 1u << 20), bos, eos);
  // A file that holds a whole model has given its tokenizer the template.
  const bool whole = std::filesystem::is_regular_file(directory);
  const std::filesystem::path config_path = whole ? directory : directory / "tokenizer_config.json";
  if (!std::filesystem::exists(config_path)) return std::nullopt;
  const Json config = whole ? tokenizer_config_of(tokenizer) : load_json(config_path);
  if (!config.is_object()) return std::nullopt;
  const Json given = config.value("chat_template", Json());
  const std::string place = config_path.string() + ": chat_template";
  if (given.is_null()) return std::nullopt;
  if (given.is_string()) return ChatTemplate(given.get<std::string>(), bos, eos);
  if (given.is_array()) return ChatTemplate(choose(given, with_tools, place), bos, eos);
  fail(ErrorCode::kData, place, ": expected a string or a list of {name, template}");
}

RenderedChat ChatTemplate::render(const ChatRequest& request) const {
  jinja::Dict variables;
  const auto put = [&](const char* name, jinja::Value value) {
    variables.emplace_back(name, std::move(value));
  };
  put("bos_token", literal(bos_));
  put("eos_token", literal(eos_));
  for (const auto& [name, value] : request.variables.items()) {
    variables.emplace_back(literal(name), jinja::from_json(value, '\0'));
  }
  put("messages", marked_messages(with_reasoning(request.messages), request.marked));
  put("tools", jinja::from_json(request.tools, RenderedChat::kFromMessages));
  put("documents", jinja::Value());
  put("add_generation_prompt", request.add_generation_prompt);
  jinja::Rendered rendered = jinja::render(*block_, variables);
  return {rendered.text.text(), std::move(rendered.generations), rendered.text.data()};
}

std::vector<TokenId> ChatTemplate::render_ids(const Tokenizer& tokenizer,
                                              const ChatRequest& request) const {
  const RenderedChat chat = render(request);
  return tokenizer.encode_marked(chat.text, chat.data).ids;
}

std::string ChatTemplate::overlooked(const ChatRequest& request) const {
  const auto names = [&](const char* name) { return source_.find(name) != std::string::npos; };
  const auto filled = [](const Json& value) { return !value.is_null() && !value.empty(); };
  if (filled(request.tools) && !names("tools")) return "tools";
  for (const Json& message : request.messages) {
    if (!message.is_object()) continue;
    if (filled(message.value("tool_calls", Json())) && !names("tool_calls")) return "tool_calls";
    if (message.value("role", Json()) == "tool" && !names("tool")) return "messages of tools";
    const bool null = message.contains("content") && message["content"].is_null();
    if (null && !names("tool_calls")) return "a content that is null";
  }
  return "";
}

ChatTemplate::TurnEnd ChatTemplate::turn_end(const Tokenizer& tokenizer) const {
  const std::string answer = "answer";
  ChatRequest request;
  request.messages = {{{"role", "user"}, {"content", "question"}},
                      {{"role", "assistant"}, {"content", answer}}};
  const RenderedChat chat = render(request);
  const std::size_t found = chat.text.rfind(answer);
  if (found == chat.text.npos) return {};
  std::string tail = chat.text.substr(found + answer.size());
  const Encoding encoding = tokenizer.encode_with_special_pieces(tail);
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    if (tokenizer.is_special(encoding.ids[i])) return {encoding.ids[i], ""};
  }
  while (!tail.empty() && (tail.back() == '\n' || tail.back() == ' ')) tail.pop_back();
  return {std::nullopt, tail};
}

}  // namespace llmctl
