#include "runs/key_reference.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/strings.h"
#include "models/model.h"
#include "runs/config_catalog.h"

namespace llmctl {
namespace {

constexpr const char* kIntroduction = R"(# Configurations

Written by `llmctl config keys --all`; a test compares it with the program.

The folders hold a ready configuration for each purpose: `toy-*` train in a minute or two on two cores, `quickstart-*` are
the quickstart's, `classic-*` start from models of the Hugging Face hub, the others are realistic and for a GPU. A
configuration is JSON with comments. `"extends": "other.json"` builds on another file (relative to it); of several `-c FILE`
the later ones win, then `--unset key.path` and `--set key.path=value` change single keys, and flags are shorthands of keys.
Unknown keys, wrong types and values out of range are errors with file, line and column.

Paths are relative to the working directory, wherever they are written; `~` is the home directory. A run's `run.json` holds
them absolute, so that the run is gone on with, scored and used from any directory.

"On resume" says whether a run that has trained may go on with another value: `yes`, with `--change` (what changed stands in
`run.json` with its step, and `llmctl inspect` shows it), or, where nothing stands, never.
)";

std::string quoted(const std::string& text) {
  return text.empty() ? "" : "`" + text + "`";
}

std::string header(bool families, bool changes) {
  return concat("\n| key | ", families ? "families | " : "", "type | default | ",
                changes ? "on resume | " : "", "meaning |\n| --- | ", families ? "--- | " : "",
                "--- | --- | ", changes ? "--- | " : "", "--- |\n");
}

std::string row(const ConfigKey& key, const std::string& name, const std::string& families,
                bool changes) {
  return concat("| `", name, "` | ", families.empty() ? "" : families + " | ", key.type, " | ",
                quoted(key.default_value), " | ", changes ? key.change + " | " : "", key.help,
                " |\n");
}

/// The kind and the name of a key "section (kind).name"; an empty kind for others.
std::pair<std::string, std::string> kind_of(const std::string& path, const std::string& section) {
  const std::string opening = section + " (";
  const std::size_t end = path.find(").");
  if (!path.starts_with(opening) || end == path.npos) return {"", path};
  return {path.substr(opening.size(), end - opening.size()), path.substr(end + 2)};
}

std::string table(const std::vector<ConfigKey>& keys, bool changes) {
  std::string text = header(false, changes);
  for (const ConfigKey& key : keys) text += row(key, key.path, "", changes);
  return text;
}

/// Keys of the model families: one line for all that say the same of a key.
std::string model_table(const std::vector<ConfigKey>& keys) {
  std::vector<std::pair<ConfigKey, std::vector<std::string>>> rows;
  for (const ConfigKey& key : keys) {
    const auto [family, name] = kind_of(key.path, "model");
    ConfigKey plain = key;
    plain.path = name;
    const auto same = std::find_if(rows.begin(), rows.end(), [&](const auto& one) {
      const ConfigKey& other = one.first;
      return other.path == plain.path && other.type == plain.type && other.help == plain.help &&
             other.default_value == plain.default_value && other.change == plain.change;
    });
    if (same == rows.end()) {
      rows.push_back({plain, {family}});
    } else {
      same->second.push_back(family);
    }
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
  std::string text = header(true, true);
  for (const auto& [key, families] : rows) {
    const bool all = families.size() == model_types().size();
    text += row(key, key.path, all ? "all" : join(families), true);
  }
  return text;
}

std::string training_reference() {
  std::vector<ConfigKey> shared, model;
  std::vector<std::pair<std::string, std::vector<ConfigKey>>> tasks;
  for (ConfigKey key : config_keys("pretrain")) {
    if (!kind_of(key.path, "model").first.empty()) {
      model.push_back(key);
    } else if (const auto [kind, name] = kind_of(key.path, "task"); !kind.empty()) {
      if (tasks.empty() || tasks.back().first != kind) tasks.push_back({kind, {}});
      key.path = name;
      tasks.back().second.push_back(key);
    } else {
      shared.push_back(key);
    }
  }
  std::string text =
      "\n## pretrain and finetune\n\nTwo names of one command.\n" + table(shared, true);
  text +=
      "\n### `task`, called `objective` too, by its `type`\n\nThe types, and the keys that each "
      "has beside `type`.\n";
  for (const auto& [kind, keys] : tasks) text += "\n#### " + kind + "\n" + table(keys, true);
  const std::vector<std::string> types = model_types();
  text += concat("\n### `model` by its `model_type`\n\nHugging Face's keys of a new model: ",
                 join(types), ".\n", model_table(model));
  return text;
}

}  // namespace

std::string key_reference() {
  std::string text = kIntroduction + training_reference();
  for (const auto& [command, title] :
       {std::pair{"generate", "generate"}, std::pair{"eval", "eval"},
        std::pair{"prepare", "data prepare"}, std::pair{"tokenizer", "tokenizer train"},
        std::pair{"vectors", "data vectors"}}) {
    text += concat("\n## ", title, "\n", table(config_keys(command), false));
  }
  return text;
}

}  // namespace llmctl
