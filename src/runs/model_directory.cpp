#include "runs/model_directory.h"

#include <algorithm>
#include <map>

#include "base/files.h"
#include "base/terminal.h"
#include "data/shards.h"
#include "io/safetensors.h"
#include "models/model.h"
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

struct TensorGroup {
  std::int64_t count = 0, elements = 0;
  std::uint64_t bytes = 0;
  std::string dtype, shape;
};

void list_tensors(const SafetensorsSet& set, bool all, Inspection& out) {
  std::vector<std::string> order;
  std::map<std::string, TensorGroup> groups;
  std::int64_t total = 0;
  std::uint64_t total_bytes = 0;
  Json tensors = Json::array();
  for (const auto& [name, file] : set.tensors()) {
    const TensorInfo& info = file->info(name);
    const std::string key = all ? name : group_name(name);
    if (!groups.contains(key)) order.push_back(key);
    TensorGroup& group = groups[key];
    ++group.count;
    group.elements += info.elements();
    group.bytes += info.end - info.begin;
    group.dtype = dtype_name(info.dtype);
    const std::string shape = shape_text(info.shape);
    group.shape = group.count == 1 || group.shape == shape ? shape : "various";
    total += info.elements();
    total_bytes += info.end - info.begin;
    tensors.push_back({{"name", name}, {"dtype", dtype_name(info.dtype)}, {"shape", info.shape}});
  }
  out.columns = all ? std::vector<std::string>{"tensor", "dtype", "shape", "elements"}
                    : std::vector<std::string>{"tensor", "dtype", "shape", "count", "elements"};
  for (const auto& key : order) {
    const TensorGroup& group = groups.at(key);
    std::vector<std::string> row = {key, group.dtype, group.shape};
    if (!all) row.push_back(std::to_string(group.count));
    row.push_back(format_count(static_cast<double>(group.elements)));
    out.parts.push_back(row);
  }
  out.facts.emplace_back(
      "tensors", concat(set.tensors().size(), ", ", format_count(static_cast<double>(total)),
                        " elements, ", format_bytes(total_bytes)));
  out.json["elements"] = total;
  out.json["bytes"] = total_bytes;
  out.json["tensors"] = tensors;
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

Inspection inspect_model(const fs::path& directory, bool all) {
  Inspection out;
  out.title = directory.string();
  const Json config = load_json(directory / "config.json");
  std::string architecture = config.value("model_type", std::string("?"));
  if (config.contains("architectures") && config["architectures"].is_array() &&
      !config["architectures"].empty() && config["architectures"][0].is_string()) {
    architecture = config["architectures"][0].get<std::string>();
  }
  out.facts.emplace_back("model", architecture);
  out.json["directory"] = directory.string();
  out.json["architecture"] = architecture;
  out.json["config"] = config;
  for (const char* key : {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
                          "num_key_value_heads", "intermediate_size", "max_position_embeddings"}) {
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
  list_tensors(SafetensorsSet(directory), all, out);
  return out;
}

}  // namespace

Inspection inspect_path(const std::string& path, bool all) {
  std::error_code ignored;
  const fs::path file(path);
  if (fs::is_regular_file(file, ignored)) {
    Inspection out;
    out.title = path;
    if (file.extension() == ".safetensors") {
      list_tensors(SafetensorsSet(file), all, out);
    } else if (file.extension() == ".model") {
      inspect_tokenizer(file, out);
    } else {
      fail(ErrorCode::kUsage, path,
           ": expected a directory, a .safetensors file or a SentencePiece .model");
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
  return inspect_model(resolve_model_directory(path), all);
}

ExportReport export_model_directory(const std::string& model, const fs::path& directory,
                                    const std::string& dtype, bool dry_run) {
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
  loaded->save(output.path(), type);
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
