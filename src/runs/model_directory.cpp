#include "runs/model_directory.h"

#include <ATen/TensorOperators.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <map>

#include "base/files.h"
#include "base/terminal.h"
#include "io/safetensors.h"
#include "io/shards.h"
#include "io/torch_file.h"
#include "models/lora.h"
#include "models/model.h"
#include "models/weight_files.h"
#include "nn/tensor_file.h"
#include "report/table.h"
#include "runs/assembly.h"
#include "text/tokenizer.h"
#include "train/checkpoint.h"

namespace llmctl {

namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

/// "model.layers.3.mlp.up_proj.weight" → "model.layers.*.mlp.up_proj.weight".
std::string group_name(const std::string& name) {
  std::string out;
  for (std::size_t i = 0; i < name.size();) {
    const std::size_t end = std::min(name.find('.', i), name.size());
    const std::string part = name.substr(i, end - i);
    const bool number = !part.empty() && std::all_of(part.begin(), part.end(),
                                                     [](char c) { return c >= '0' && c <= '9'; });
    out += (out.empty() ? "" : ".") + (number ? std::string("*") : part);
    i = end + 1;
  }
  return out;
}

using Tensors = std::map<std::string, at::Tensor>;

std::uint64_t bytes_of(const at::Tensor& tensor) {
  return static_cast<std::uint64_t>(tensor.numel()) *
         static_cast<std::uint64_t>(tensor.element_size());
}

std::string shape_of(const at::Tensor& tensor) {
  return shape_text(tensor.sizes().vec());
}

/// Of one tensor, or several together.
struct Statistics {
  double sum = 0, squares = 0, least = std::numeric_limits<double>::infinity(), most = -least;
  std::int64_t count = 0, zeros = 0, not_finite = 0;

  void add(const at::Tensor& tensor) {
    const at::Tensor wide = tensor.to(at::kDouble).reshape({-1});
    const at::Tensor finite = wide.isfinite();
    const auto good = finite.sum().item<std::int64_t>();
    not_finite += wide.numel() - good;
    zeros += wide.eq(0).sum().item<std::int64_t>();
    count += good;
    if (good == 0) return;
    const at::Tensor values = good == wide.numel() ? wide : wide.masked_select(finite);
    sum += values.sum().item<double>();
    squares += values.square().sum().item<double>();
    least = std::min(least, values.min().item<double>());
    most = std::max(most, values.max().item<double>());
  }
  double mean() const { return count > 0 ? sum / static_cast<double>(count) : 0; }
  double deviation() const {
    if (count == 0) return 0;
    return std::sqrt(std::max(0.0, squares / static_cast<double>(count) - mean() * mean()));
  }
  std::vector<std::string> cells() const {
    if (count == 0) return {"–", "–", "–", "–", std::to_string(zeros), std::to_string(not_finite)};
    return {format_number(mean(), 5), format_number(deviation(), 5), format_number(least, 4),
            format_number(most, 4),   std::to_string(zeros),         std::to_string(not_finite)};
  }
  Json json() const {
    Json json = {{"zeros", zeros}, {"not_finite", not_finite}};
    if (count > 0) {
      json.update({{"mean", mean()}, {"std", deviation()}, {"min", least}, {"max", most}});
    }
    return json;
  }
};

/// One line of a listing.
struct TensorGroup {
  std::int64_t count = 0, elements = 0;
  std::uint64_t bytes = 0;
  std::string dtype, shape;
  Statistics statistics;

  void add(const at::Tensor& tensor, bool measure) {
    ++count;
    elements += tensor.numel();
    bytes += bytes_of(tensor);
    const char* const type = dtype_name(to_dtype(tensor.scalar_type()));
    dtype = count == 1 || dtype == type ? type : "various";
    shape = count == 1 || shape == shape_of(tensor) ? shape_of(tensor) : "various";
    if (measure) statistics.add(tensor);
  }
};

/// Orders "layers.2" before "layers.10".
bool natural_less(const std::string& a, const std::string& b) {
  std::size_t i = 0, j = 0;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      std::size_t x = i, y = j;
      while (x < a.size() && digit(a[x])) ++x;
      while (y < b.size() && digit(b[y])) ++y;
      if (x - i != y - j) return x - i < y - j;
      const int order = a.compare(i, x - i, b, j, y - j);
      if (order != 0) return order < 0;
      i = x;
      j = y;
    } else {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i;
      ++j;
    }
  }
  return a.size() - i < b.size() - j;
}

/// The lines of a listing: a name (in a tree indented) and what it stands for.
std::vector<std::pair<std::string, TensorGroup>> group(const Tensors& tensors, Listing listing,
                                                       bool measure) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  std::stable_sort(names.begin(), names.end(), natural_less);
  std::vector<std::pair<std::string, TensorGroup>> lines;
  std::map<std::string, std::size_t> places;
  const auto line = [&](const std::string& key, const std::string& label) -> TensorGroup& {
    const auto [place, fresh] = places.emplace(key, lines.size());
    if (fresh) lines.emplace_back(label, TensorGroup{});
    return lines[place->second].second;
  };
  for (const std::string& name : names) {
    const at::Tensor& tensor = tensors.at(name);
    if (listing == Listing::kTree) {
      // Every module on the way, then the tensor itself.
      std::string indent;
      for (std::size_t begin = 0;;) {
        const std::size_t end = name.find('.', begin);
        line(name.substr(0, end), indent + name.substr(begin, end - begin)).add(tensor, measure);
        if (end == std::string::npos) break;
        indent += "  ";
        begin = end + 1;
      }
    } else {
      const std::string key = listing == Listing::kTensors ? name : group_name(name);
      line(key, key).add(tensor, measure);
    }
  }
  return lines;
}

void list_tensors(const Tensors& tensors, Listing listing, bool measure, Inspection& out) {
  const bool counts = listing != Listing::kTensors;
  out.columns = {listing == Listing::kTree ? "module" : "tensor", "dtype", "shape"};
  if (counts) out.columns.emplace_back("count");
  out.columns.insert(out.columns.end(), {"elements", "bytes"});
  if (measure) {
    out.columns.insert(out.columns.end(), {"mean", "std", "min", "max", "zeros", "not finite"});
  }
  for (const auto& [label, group] : group(tensors, listing, measure)) {
    std::vector<std::string> row = {label, group.dtype, group.shape};
    if (counts) row.push_back(std::to_string(group.count));
    row.push_back(format_count(static_cast<double>(group.elements)));
    row.push_back(format_bytes(group.bytes));
    if (measure) {
      for (auto& cell : group.statistics.cells()) row.push_back(std::move(cell));
    }
    out.parts.push_back(std::move(row));
  }
  std::int64_t elements = 0;
  std::uint64_t bytes = 0;
  Json list = Json::array();
  for (const auto& [name, tensor] : tensors) {
    elements += tensor.numel();
    bytes += bytes_of(tensor);
    Json entry = {{"name", name},
                  {"dtype", dtype_name(to_dtype(tensor.scalar_type()))},
                  {"shape", tensor.sizes().vec()}};
    if (measure) {
      Statistics statistics;
      statistics.add(tensor);
      entry.update(statistics.json());
    }
    list.push_back(std::move(entry));
  }
  out.facts.emplace_back("tensors",
                         concat(tensors.size(), ", ", format_count(static_cast<double>(elements)),
                                " elements, ", format_bytes(bytes)));
  out.json["elements"] = elements;
  out.json["bytes"] = bytes;
  out.json["tensors"] = std::move(list);
}

/// The tensors of a .safetensors or .bin file, a shard index, or a directory.
Tensors read_tensors(const fs::path& path) {
  std::error_code ignored;
  Tensors tensors;
  const auto safetensors = [&](const fs::path& file) {
    const auto set = std::make_shared<const SafetensorsSet>(file);
    for (const auto& [name, unused] : set->tensors()) {
      tensors.emplace(name, map_tensor(set->info(name), set->bytes(name), set));
    }
  };
  if (fs::is_directory(path, ignored)) {
    if (!is_adapter_directory(path)) return WeightFiles(path).tensors();
    safetensors(path / kAdapterWeights);
  } else if (path.extension() == ".bin") {
    const auto file = std::make_shared<const TorchFile>(path);
    for (const auto& [name, tensor] : file->tensors()) {
      tensors.emplace(name, map_tensor(tensor, file));
    }
  } else {
    safetensors(path);
  }
  return tensors;
}

void inspect_tokenizer(const fs::path& path, Inspection& out) {
  const auto tokenizer = load_tokenizer(path);
  out.facts.emplace_back("tokenizer", tokenizer->description());
  Json special = Json::object();
  std::string names;
  const SpecialTokens& tokens = tokenizer->special();
  const std::pair<const char*, std::optional<TokenId>> all[] = {
      {"unk", tokens.unk}, {"bos", tokens.bos}, {"eos", tokens.eos},  {"pad", tokens.pad},
      {"cls", tokens.cls}, {"sep", tokens.sep}, {"mask", tokens.mask}};
  for (const auto& [name, id] : all) {
    if (!id) continue;
    special[name] = *id;
    names += concat(names.empty() ? "" : ", ", name, " ", tokenizer->piece(*id), " = ", *id);
  }
  if (!names.empty()) out.facts.emplace_back("special tokens", names);
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

}  // namespace

Inspection inspect_path(const std::string& path, Listing listing, bool statistics) {
  std::error_code ignored;
  const fs::path file(path);
  if (fs::is_regular_file(file, ignored)) {
    Inspection out;
    out.title = path;
    if (file.extension() == ".safetensors" || file.extension() == ".bin") {
      list_tensors(read_tensors(file), listing, statistics, out);
    } else if (file.extension() == ".model") {
      inspect_tokenizer(file, out);
    } else {
      fail(ErrorCode::kUsage, path,
           ": expected a directory, a .safetensors or .bin file or a SentencePiece .model");
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
  return inspect_model(resolve_model_directory(path), listing, statistics);
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
      differences.push_back({name, shape_of(tensor), "only in " + first});
    } else if (tensor.sizes() != other->second.sizes()) {
      differences.push_back({name, shape_of(tensor) + " and " + shape_of(other->second), "shapes"});
    } else {
      const at::Tensor before = tensor.to(at::kDouble), after = other->second.to(at::kDouble);
      if (before.equal(after)) {
        ++equal;
        continue;
      }
      const at::Tensor change = (after - before).abs();
      Difference entry{name, shape_of(tensor), ""};
      entry.most = change.max().item<double>();
      entry.root_mean_square = std::sqrt(change.square().mean().item<double>());
      const double size = std::sqrt(before.square().mean().item<double>());
      entry.relative = size > 0 ? entry.root_mean_square / size : 0;
      differences.push_back(std::move(entry));
    }
  }
  for (const auto& [name, tensor] : b) {
    if (!a.contains(name)) differences.push_back({name, shape_of(tensor), "only in " + second});
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

ExportReport export_model_directory(const std::string& model, const fs::path& directory,
                                    const std::string& dtype, std::uint64_t max_shard_bytes,
                                    bool dry_run) {
  ExportReport report;
  report.source = resolve_model_directory(model);
  report.directory = directory;
  std::error_code ignored;
  const bool exists = fs::exists(fs::symlink_status(directory, ignored));
  require(!exists || (fs::is_directory(directory, ignored) && fs::is_empty(directory, ignored)),
          ErrorCode::kCannotCreate, directory.string(), ": exists; choose a new directory");
  const auto tokenizer = load_tokenizer_of(report.source);
  ModelRequest request;
  request.mapped = true;
  const auto loaded = load_model(report.source, request);
  report.architecture = loaded->facts().architecture;
  report.parameters = loaded->parameter_count();
  const at::ScalarType type = dtype == "bf16"   ? at::kBFloat16
                              : dtype == "fp16" ? at::kHalf
                                                : at::kFloat;
  report.bytes = static_cast<std::uint64_t>(report.parameters) * (type == at::kFloat ? 4 : 2);
  if (dry_run) return report;
  if (directory.has_parent_path()) make_directories(directory.parent_path());
  if (exists) fs::remove(directory, ignored);
  AtomicDirectory output(directory);
  loaded->save(output.path(), type, max_shard_bytes);
  tokenizer->save(output.path(), loaded->facts().max_positions);
  output.commit();
  return report;
}

Json ExportReport::to_json() const {
  return {{"from", source.string()},
          {"directory", directory.string()},
          {"architecture", architecture},
          {"parameters", parameters},
          {"bytes", bytes}};
}

}  // namespace llmctl
