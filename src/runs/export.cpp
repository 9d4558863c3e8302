#include "runs/export.h"

#include <cstdint>
#include <optional>
#include <vector>

#include "base/files.h"
#include "base/output.h"
#include "models/lora.h"
#include "models/model.h"
#include "runs/assembly.h"
#include "runs/resolve.h"

namespace llmctl {

namespace {

/// Weights and what training leaves beside a model: made anew or left behind.
bool belongs_to_weights_or_training(const std::string& name) {
  for (const char* end : {".index.json", "trainer_state.json", "trainer.json", "manifest.json",
                          "run.json", "environment.json", "_results.json", "config.json"}) {
    // tokenizer_config.json and generation_config.json are written by then.
    if (name.ends_with(end)) return true;
  }
  return false;
}

/// Copies what else people keep with a model, unless it is there already; without `description`
/// not what describes it (the base of an adapter is another model).
void copy_companions(const fs::path& from, const fs::path& to, bool description) {
  constexpr std::uintmax_t kLargest = std::uintmax_t{64} << 20;
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory()) {
      // Each is a folder of small files: further chat templates, the pooling of sentence
      // embeddings.
      if (name != "additional_chat_templates" && name != "1_Pooling") continue;
      fs::copy(entry.path(), to / name,
               fs::copy_options::recursive | fs::copy_options::skip_existing);
      continue;
    }
    if (!entry.is_regular_file() || entry.file_size() > kLargest) continue;
    const std::string ending = entry.path().extension().string();
    const bool document = name.starts_with("README") || name.starts_with("LICEN") ||
                          name.starts_with("NOTICE") || ending == ".md";
    const bool data = ending == ".json" || ending == ".jinja" || name == "vocab.txt" ||
                      name == "merges.txt" || ending == ".model" || ending == ".spm" ||
                      ending == ".tiktoken";
    if (document ? !description && !name.starts_with("LICEN")
                 : !data || belongs_to_weights_or_training(name)) {
      continue;
    }
    fs::copy_file(entry.path(), to / name, fs::copy_options::skip_existing);
  }
}

/// The place of the result: its name, and what is there.
void check_place_of(const ExportOptions& options) {
  const fs::path& directory = options.directory;
  // The ways others name files of models.
  for (const char* file : {".gguf", ".safetensors", ".bin", ".pt", ".pth", ".onnx", ".zip"}) {
    require(directory.extension() != file, ErrorCode::kUsage, directory,
            ": export writes a directory, in Hugging Face's format; name one without ", file);
  }
  std::error_code ignored;
  if (!options.overwrite || !fs::exists(directory / "config.json", ignored)) {
    check_output_directory(directory, options.overwrite
                                          ? "it is no model's directory, choose another one"
                                          : "choose another directory or use --overwrite");
  }
}

/// Weights are read from their files while the copy is written, and a run is more than a copy.
void check_replaced(const fs::path& directory, const fs::path& source) {
  std::vector<fs::path> inputs = {source};
  if (is_adapter_directory(source)) inputs.push_back(base_directory(source));
  std::error_code ignored;
  for (const fs::path& input : inputs) {
    require(!fs::equivalent(directory, input, ignored), ErrorCode::kCannotCreate, directory,
            ": is the model that is exported; choose another directory");
  }
  require(!fs::exists(directory / "run.json", ignored), ErrorCode::kCannotCreate, directory,
          ": is a run, which export does not replace; choose another directory");
}

}  // namespace

ExportReport export_model_directory(const ExportOptions& options) {
  check_place_of(options);
  ExportReport report;
  report.source = resolve_model_directory(options.model);
  report.directory = options.directory;
  check_replaced(report.directory, report.source);
  const auto tokenizer = load_tokenizer_of(report.source);
  ModelRequest request;
  request.mapped = true;
  request.find_base = resolve_model_directory;
  const auto loaded = load_model(report.source, request);
  report.architecture = loaded->facts().architecture;
  report.parameters = loaded->parameter_count();
  std::optional<at::ScalarType> type;
  if (!options.dtype.empty()) {
    type = options.dtype == "bf16"   ? at::kBFloat16
           : options.dtype == "fp16" ? at::kHalf
                                     : at::kFloat;
  }
  const at::ScalarType most = type.value_or(loaded->stored_dtype());
  report.dtype = most == at::kBFloat16 ? "bf16" : most == at::kHalf ? "fp16" : "fp32";
  report.bytes = static_cast<std::uint64_t>(report.parameters) * c10::elementSize(most);
  if (options.dry_run) {
    loaded->check_values(type);
    return report;
  }
  // A link stays one: its target is written.
  const fs::path target =
      fs::is_symlink(report.directory) ? fs::weakly_canonical(report.directory) : report.directory;
  if (target.has_parent_path()) make_directories(target.parent_path());
  AtomicDirectory output(target);
  loaded->save(output.path(), type, options.max_shard_bytes);
  tokenizer->save(output.path(), loaded->facts().max_positions);
  copy_companions(report.source, output.path(), true);
  if (is_adapter_directory(report.source)) {
    copy_companions(base_directory(report.source), output.path(), false);
  }
  output.commit(options.overwrite);
  return report;
}

Json ExportReport::to_json() const {
  return {{"from", source.string()},
          {"directory", directory.string()},
          {"architecture", architecture},
          {"parameters", parameters},
          {"dtype", dtype},
          {"bytes", bytes}};
}

}  // namespace llmctl
