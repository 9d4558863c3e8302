#include "prompt/constraint_settings.h"

#include <filesystem>

#include "base/error.h"
#include "base/files.h"
#include "base/strings.h"
#include "prompt/generation_settings.h"
#include "text/grammar/grammar.h"

namespace llmctl {
namespace {

constexpr std::uint64_t kMostGrammarBytes = 1u << 20;

/// The file of "@FILE"; nothing for other text.
std::optional<std::filesystem::path> named_file(const std::string& text) {
  if (!text.starts_with("@")) return std::nullopt;
  return expand_home(text.substr(1));
}

}  // namespace

const std::vector<std::string>& constraint_keys() {
  static const std::vector<std::string> keys = {"choices", "regex", "json_schema", "grammar"};
  return keys;
}

std::optional<ConstraintSpec> constraint_of(const GenerationConfig& config,
                                            const ConfigNode& node) {
  std::vector<std::string> given;
  if (!config.choices.empty()) given.emplace_back("choices");
  if (config.regex) given.emplace_back("regex");
  if (!config.json_schema.is_null()) given.emplace_back("json_schema");
  if (config.grammar) given.emplace_back("grammar");
  if (given.empty()) {
    if (config.finish_in_time) {
      node.fail("finish_in_time",
                concat("plays a part only with one of ", join(constraint_keys())));
    }
    return std::nullopt;
  }
  if (given.size() > 1) node.fail(given[1], concat("stands beside ", given[0], ", give one"));
  if (!config.prefix.empty()) {
    node.fail("prefix", concat("together with ", given[0], " is not done; ", given[0],
                               " can say how the text begins"));
  }

  ConstraintSpec spec;
  spec.choices = config.choices;
  spec.regex = config.regex;
  spec.json_space = static_cast<int>(config.json_space);
  spec.finish_in_time = config.finish_in_time;
  spec.source = given[0];
  std::optional<std::filesystem::path> file;
  if (config.grammar) {
    file = named_file(*config.grammar);
    spec.grammar = file ? read_file(*file, kMostGrammarBytes) : *config.grammar;
  }
  if (given[0] == "json_schema") {
    spec.json_schema = config.json_schema;
    if (config.json_schema.is_string()) {
      file = named_file(config.json_schema.get<std::string>());
      if (!file) node.fail("json_schema", "expected a schema (an object) or \"@FILE\"");
      spec.json_schema = load_json(*file);
    }
  }
  if (file) spec.source = file->string();
  try {
    parse_constraint(spec);
  } catch (const Error& error) {
    if (file) throw;
    node.fail(given[0], error.what());
  }
  return spec;
}

}  // namespace llmctl
