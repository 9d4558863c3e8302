// The list of objectives.
#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "base/error.h"
#include "tasks/causal_lm.h"
#include "tasks/masked_lm.h"
#include "tasks/objective.h"

namespace llmctl {

namespace {

struct Entry {
  std::string type;
  std::unique_ptr<Objective> (*make)(const ConfigNode&, std::shared_ptr<const Tokenizer>);
  void (*check)(const ConfigNode&);
  Json (*schema)();
};

template <class Config>
void check_section(const ConfigNode& section) {
  Config config;
  read_config(section, config);
}

const std::vector<Entry>& entries() {
  static const std::vector<Entry> list{
      {"causal_lm", make_causal_lm, check_section<CausalLmConfig>, config_schema<CausalLmConfig>},
      {"masked_lm", make_masked_lm, check_section<MaskedLmConfig>, config_schema<MaskedLmConfig>},
  };
  return list;
}

const Entry* find(const std::string& type) {
  const auto& list = entries();
  const auto found = std::find_if(list.begin(), list.end(),
                                  [&](const Entry& entry) { return entry.type == type; });
  return found == list.end() ? nullptr : &*found;
}

std::string unknown(const std::string& type) {
  const std::vector<std::string> types = objective_types();
  std::string known;
  for (const std::string& name : types) known += (known.empty() ? "" : ", ") + name;
  return concat("unknown objective '", type, "', expected one of ", known,
                did_you_mean(type, types));
}

}  // namespace

std::vector<std::string> objective_types() {
  std::vector<std::string> types;
  for (const Entry& entry : entries()) types.push_back(entry.type);
  return types;
}

Json objective_schema(const std::string& type) {
  const Entry* entry = find(type);
  require(entry != nullptr, ErrorCode::kConfig, unknown(type));
  return entry->schema();
}

namespace {

const Entry& entry_of(const ConfigNode& section) {
  if (!section.value().is_object()) section.fail("", "expected an object with a \"type\"");
  if (!section.has("type")) section.fail("type", "is missing");
  const Json& type = section.value()["type"];
  if (!type.is_string()) section.fail("type", "expected a string");
  const Entry* entry = find(type.get<std::string>());
  if (entry == nullptr) section.fail("type", unknown(type.get<std::string>()));
  return *entry;
}

}  // namespace

void check_objective(const ConfigNode& section) {
  entry_of(section).check(section);
}

std::unique_ptr<Objective> make_objective(const ConfigNode& section,
                                          std::shared_ptr<const Tokenizer> tokenizer) {
  return entry_of(section).make(section, std::move(tokenizer));
}

}  // namespace llmctl
