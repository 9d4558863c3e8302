#include "runs/export.h"

#include <cstdint>
#include <optional>

#include "base/files.h"
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

}  // namespace

ExportReport export_model_directory(const std::string& model, const fs::path& directory,
                                    const std::string& dtype, std::uint64_t max_shard_bytes,
                                    bool dry_run) {
  ExportReport report;
  report.source = resolve_model_directory(model);
  report.directory = directory;
  for (const char* file : {".gguf", ".safetensors", ".bin", ".pt", ".pth", ".onnx", ".zip"}) {
    require(directory.extension() != file, ErrorCode::kUsage, directory,
            ": export writes a Hugging Face model directory, not a ", file,
            " file; name a directory");
  }
  std::error_code ignored;
  const bool exists = fs::exists(fs::symlink_status(directory, ignored));
  require(!exists || (fs::is_directory(directory, ignored) && fs::is_empty(directory, ignored)),
          ErrorCode::kCannotCreate, directory.string(), ": exists; choose a new directory");
  const auto tokenizer = load_tokenizer_of(report.source);
  ModelRequest request;
  request.mapped = true;
  request.find_base = resolve_model_directory;
  const auto loaded = load_model(report.source, request);
  report.architecture = loaded->facts().architecture;
  report.parameters = loaded->parameter_count();
  std::optional<at::ScalarType> type;
  if (!dtype.empty()) {
    type = dtype == "bf16" ? at::kBFloat16 : dtype == "fp16" ? at::kHalf : at::kFloat;
  }
  const at::ScalarType most = type.value_or(loaded->stored_dtype());
  report.dtype = most == at::kBFloat16 ? "bf16" : most == at::kHalf ? "fp16" : "fp32";
  report.bytes = static_cast<std::uint64_t>(report.parameters) * c10::elementSize(most);
  if (dry_run) {
    loaded->check_values(type);
    return report;
  }
  if (directory.has_parent_path()) make_directories(directory.parent_path());
  if (exists) fs::remove(directory, ignored);
  AtomicDirectory output(directory);
  loaded->save(output.path(), type, max_shard_bytes);
  tokenizer->save(output.path(), loaded->facts().max_positions);
  copy_companions(report.source, output.path(), true);
  if (is_adapter_directory(report.source)) {
    copy_companions(base_directory(report.source), output.path(), false);
  }
  output.commit();
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
