#include <functional>

#include "tasks/extractive_qa.h"
#include "tasks/sequence_classification.h"
#include "tasks/task.h"
#include "tasks/text_generation.h"

namespace llmctl {
namespace {

struct Entry {
  std::string type;
  HeadKind head;  ///< of the models that are made for it
  std::function<std::unique_ptr<Task>(const ConfigNode&, std::shared_ptr<const Tokenizer>)> make;
  std::function<Json()> schema;
};

template <class Config, class Make>
Entry entry(HeadKind head, Make make) {
  return {Config().type, head,
          [make](const ConfigNode& section, std::shared_ptr<const Tokenizer> tokenizer) {
            Config config;
            read_config(section, config);
            return make(config, std::move(tokenizer));
          },
          [] { return config_schema<Config>(); }};
}

/// All tasks, one line each.
const std::vector<Entry>& entries() {
  static const std::vector<Entry> kEntries = {
      entry<ExtractiveQaConfig>(HeadKind::kSpan, make_extractive_qa),
      entry<SequenceClassificationConfig>(HeadKind::kSequenceClassification,
                                          make_sequence_classification),
      entry<TextGenerationConfig>(HeadKind::kCausalLm, make_text_generation),
  };
  return kEntries;
}

const Entry* find_entry(const std::string& type) {
  for (const Entry& entry : entries()) {
    if (entry.type == type) return &entry;
  }
  return nullptr;
}

std::string expected_types(const std::string& type) {
  std::string names;
  for (const std::string& name : task_types()) names += (names.empty() ? "" : ", ") + name;
  return "expected one of " + names + did_you_mean(type, task_types());
}

}  // namespace

std::unique_ptr<Task> make_task(const ConfigNode& section,
                                std::shared_ptr<const Tokenizer> tokenizer) {
  if (!section.has("type")) section.fail("type", "missing, " + expected_types(""));
  const Json& type = section.value().at("type");
  if (!type.is_string())
    section.fail("type", std::string("expected text, got ") + type.type_name());
  const std::string name = type.get<std::string>();
  const Entry* entry = find_entry(name);
  if (!entry) section.fail("type", "unknown task '" + name + "', " + expected_types(name));
  return entry->make(section, std::move(tokenizer));
}

std::vector<std::string> task_types() {
  std::vector<std::string> types;
  for (const Entry& entry : entries()) types.push_back(entry.type);
  return types;
}

Json task_schema(const std::string& type) {
  const Entry* entry = find_entry(type);
  require(entry != nullptr, ErrorCode::kUsage, "unknown task '", type, "', ", expected_types(type));
  return entry->schema();
}

std::string task_of(const ModelFacts& facts) {
  for (const Entry& entry : entries()) {
    if (entry.head == facts.head) return entry.type;
  }
  return "";
}

}  // namespace llmctl
