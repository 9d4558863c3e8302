#include "runs/inspect.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/files.h"
#include "base/strings.h"
#include "base/terminal.h"
#include "base/utf8.h"
#include "io/gguf.h"
#include "io/shards.h"
#include "models/gguf_file.h"
#include "models/lora.h"
#include "models/tensor_file.h"
#include "report/table.h"
#include "runs/resolve.h"
#include "runs/run_directory.h"
#include "runs/tensor_listing.h"
#include "text/tokenizer.h"
#include "train/checkpoint.h"

namespace llmctl {
namespace {

void inspect_tokenizer(const fs::path& path, Inspection& out) {
  const auto tokenizer = load_tokenizer(path);
  out.facts.emplace_back("tokenizer", tokenizer->description());
  Json special = Json::object();
  std::vector<std::string> names;
  const SpecialTokens& tokens = tokenizer->special();
  const std::pair<const char*, std::optional<TokenId>> all[] = {
      {"unk", tokens.unk}, {"bos", tokens.bos}, {"eos", tokens.eos},  {"pad", tokens.pad},
      {"cls", tokens.cls}, {"sep", tokens.sep}, {"mask", tokens.mask}};
  for (const auto& [name, id] : all) {
    if (!id) continue;
    special[name] = *id;
    names.push_back(concat(name, " ", tokenizer->piece(*id), " = ", *id));
  }
  if (!names.empty()) out.facts.emplace_back("special tokens", join(names));
  out.json["tokenizer"] = {{"description", tokenizer->description()},
                           {"vocab_size", tokenizer->vocab_size()},
                           {"special", special},
                           {"fingerprint", tokenizer->fingerprint()}};
}

Inspection inspect_model(const fs::path& directory, Listing listing, bool statistics) {
  Inspection out;
  out.title = directory.string();
  const bool adapter = is_adapter_directory(directory);
  const Json config = load_json(directory / (adapter ? kAdapterConfig : "config.json"));
  std::string architecture = config.value("model_type", std::string("?"));
  if (config.contains("architectures") && config["architectures"].is_array() &&
      !config["architectures"].empty() && config["architectures"][0].is_string()) {
    architecture = config["architectures"][0].get<std::string>();
  }
  if (adapter) architecture = config.value("peft_type", architecture) + " adapter";
  out.facts.emplace_back("model", architecture);
  out.json["directory"] = directory.string();
  out.json["architecture"] = architecture;
  out.json["config"] = config;
  for (const char* key : {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
                          "num_key_value_heads", "intermediate_size", "max_position_embeddings",
                          "base_model_name_or_path", "r", "lora_alpha", "target_modules"}) {
    if (config.contains(key)) out.facts.emplace_back(key, dump_json(config[key]));
  }
  std::error_code ignored;
  if (fs::exists(directory / "tokenizer.model", ignored) ||
      fs::exists(directory / "tokenizer.json", ignored)) {
    inspect_tokenizer(directory, out);
  }
  if (fs::exists(directory / "manifest.json", ignored) &&
      fs::exists(directory / "trainer.json", ignored)) {
    verify_checkpoint_sizes(directory);
    const Json trainer = load_json(directory / "trainer.json");
    out.facts.emplace_back("checkpoint of step", dump_json(trainer.at("step")));
    out.json["step"] = trainer.at("step");
  }
  list_tensors(read_tensors(directory), listing, statistics, out);
  return out;
}

/// A value on a line of its own, cut where it is long.
std::string short_text(const Json& value) {
  constexpr std::size_t kLongest = 60;
  const std::string text = dump_json(value);
  if (text.size() <= kLongest) return text;
  const std::string_view begin = std::string_view(text).substr(0, kLongest);
  return std::string(begin.substr(0, complete_utf8_prefix(begin))) + "…";
}

/// What a GGUF file says of itself; of long arrays (a vocabulary) only the beginning.
void list_metadata(const GgufFile& file, Inspection& out) {
  constexpr std::size_t kShown = 4, kWhole = 64;
  for (const auto& [key, value] : file.metadata()) {
    Json json = std::visit([](const auto& content) { return Json(content); }, value.content);
    if (value.type == GgufType::kBool && !value.is_array()) json = json != 0;
    std::string text = short_text(json);
    if (value.is_array()) {
      text = concat(json.size(), " of ", gguf_type_name(value.type), ":");
      for (std::size_t i = 0; i < std::min(kShown, json.size()); ++i) {
        text += " " + short_text(json[i]);
      }
      if (json.size() > kShown) text += " …";
      if (json.size() > kWhole) {
        json = {{"count", json.size()},
                {"type", gguf_type_name(value.type)},
                {"first", Json(json.begin(), json.begin() + kShown)}};
      }
    }
    out.facts.emplace_back(key, text);
    out.json["metadata"][key] = std::move(json);
  }
}

void inspect_gguf(const fs::path& path, Listing listing, bool statistics, Inspection& out) {
  const auto file = std::make_shared<const GgufFile>(path);
  out.facts.emplace_back("GGUF", concat("version ", file->version()));
  out.json["version"] = file->version();
  list_metadata(*file, out);
  Tensors tensors;
  std::map<std::string, StoredForm> stored;
  for (const auto& [name, tensor] : file->tensors()) {
    stored[name] = {find_ggml_type(tensor.type)->name, tensor.bytes};
    // Values of types that are not read can be listed, not measured.
    tensors[name] = statistics
                        ? gguf_values(file, name)
                        : at::empty(tensor.shape, at::TensorOptions(at::kFloat).device(at::kMeta));
  }
  list_tensors(tensors, listing, statistics, out, stored);
}

/// What changed while a run was under way.
void list_changes(const std::vector<ConfigChange>& changes, Inspection& out) {
  for (const ConfigChange& change : changes) {
    out.facts.emplace_back(
        concat("from step ", change.step),
        concat(change.key, " ", dump_json(change.to), ", before ", dump_json(change.from)));
    out.json["changes"].push_back(
        {{"step", change.step}, {"key", change.key}, {"from", change.from}, {"to", change.to}});
  }
}

}  // namespace

Inspection inspect_path(const std::string& path, Listing listing, bool statistics) {
  std::error_code ignored;
  const fs::path file(path);
  if (fs::is_regular_file(file, ignored)) {
    Inspection out;
    out.title = path;
    if (file.extension() == ".safetensors" || file.extension() == ".bin") {
      list_tensors(read_tensors(file), listing, statistics, out);
    } else if (is_gguf_file(file) || file.extension() == ".gguf") {
      inspect_gguf(file, listing, statistics, out);
    } else if (file.extension() == ".model") {
      inspect_tokenizer(file, out);
    } else {
      fail(ErrorCode::kUsage, path,
           ": expected a directory, a .safetensors, .bin or .gguf file or a SentencePiece .model");
    }
    return out;
  }
  if (fs::exists(file / "documents.idx", ignored)) {
    const Shards shards(file);
    Inspection out;
    out.title = path;
    out.facts = {{"documents", format_count(static_cast<double>(shards.documents()))},
                 {"tokens", format_count(static_cast<double>(shards.tokens()))}};
    out.json = shards.manifest();
    return out;
  }
  if (fs::is_directory(file, ignored) && !fs::exists(file / "config.json", ignored) &&
      !fs::exists(file / "run.json", ignored) &&
      fs::exists(file / "tokenizer_config.json", ignored)) {
    Inspection out;
    out.title = path;
    inspect_tokenizer(file, out);
    return out;
  }
  Inspection out = inspect_model(resolve_model_directory(path), listing, statistics);
  if (const auto run = read_run(file)) list_changes(run->changes, out);
  return out;
}

Inspection compare_models(const std::string& first, const std::string& second) {
  const auto read = [](const std::string& path) {
    std::error_code ignored;
    return read_tensors(fs::is_regular_file(path, ignored) ? fs::path(path)
                                                           : resolve_model_directory(path));
  };
  const Tensors a = read(first), b = read(second);
  struct Difference {
    std::string name, shape, note;
    double most = 0, root_mean_square = 0, relative = 0;
  };
  std::vector<Difference> differences;
  std::size_t equal = 0;
  for (const auto& [name, tensor] : a) {
    const auto other = b.find(name);
    if (other == b.end()) {
      differences.push_back({name, shape_text(tensor.sizes()), "only in " + first});
    } else if (tensor.sizes() != other->second.sizes()) {
      differences.push_back(
          {name, shape_text(tensor.sizes()) + " and " + shape_text(other->second.sizes()),
           "shapes"});
    } else {
      const at::Tensor before = tensor.to(at::kDouble), after = other->second.to(at::kDouble);
      if (before.equal(after)) {
        ++equal;
        continue;
      }
      const at::Tensor change = (after - before).abs();
      Difference entry{name, shape_text(tensor.sizes()), ""};
      entry.most = change.max().item<double>();
      entry.root_mean_square = std::sqrt(change.square().mean().item<double>());
      const double size = std::sqrt(before.square().mean().item<double>());
      entry.relative = size > 0 ? entry.root_mean_square / size : 0;
      differences.push_back(std::move(entry));
    }
  }
  for (const auto& [name, tensor] : b) {
    if (!a.contains(name))
      differences.push_back({name, shape_text(tensor.sizes()), "only in " + second});
  }
  std::stable_sort(differences.begin(), differences.end(), [](const auto& x, const auto& y) {
    if (x.note.empty() != y.note.empty()) return !x.note.empty();
    return x.most > y.most;
  });
  Inspection out;
  out.title = first + " and " + second;
  out.facts = {{"equal tensors", std::to_string(equal)},
               {"that differ", std::to_string(differences.size())}};
  out.columns = {"tensor", "shape", "largest difference", "rms difference", "relative", ""};
  Json list = Json::array();
  for (const auto& entry : differences) {
    const bool values = entry.note.empty();
    const auto number = [&](double value) {
      char text[32];
      std::snprintf(text, sizeof text, "%.3g", value);
      return values ? std::string(text) : std::string("–");
    };
    out.parts.push_back({entry.name, entry.shape, number(entry.most),
                         number(entry.root_mean_square), number(entry.relative), entry.note});
    Json row = {{"name", entry.name}, {"shape", entry.shape}};
    if (values) {
      row.update(
          {{"largest", entry.most}, {"rms", entry.root_mean_square}, {"relative", entry.relative}});
    } else {
      row["note"] = entry.note;
    }
    list.push_back(std::move(row));
  }
  out.json = {{"equal", equal}, {"differences", std::move(list)}};
  return out;
}

}  // namespace llmctl
