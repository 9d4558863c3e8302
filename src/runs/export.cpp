#include "runs/export.h"

#include "base/files.h"
#include "models/model.h"
#include "runs/assembly.h"
#include "runs/resolve.h"

namespace llmctl {

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
  request.find_base = resolve_model_directory;
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
