#include "runs/staged_run.h"

#include "base/files.h"
#include "runs/run_directory.h"

namespace llmctl {

void StagedRun::open(JsonDocument& document, const RunOptions& options) {
  make_directories(directory_);
  lock_ = std::make_unique<RunLock>(directory_);
  const std::vector<FieldDoc> fields = training_fields(root_node(document));
  const auto resolve = [&](const JsonDocument& read) {
    const ConfigNode node = root_node(read);
    Json resolved = resolved_training_config(node, read_training_config(node));
    make_paths_absolute(resolved, fields);
    return resolved;
  };
  const RunPlan plan =
      plan_staged_run(directory_, section_, kind_, document, fields, resolve, options.overwrite);
  open_run(directory_, plan, options.overwrite);
  if (std::filesystem::exists(directory_ / state_file_))
    state_ = load_json(directory_ / state_file_);
}

void StagedRun::write_state() const {
  write_file(directory_ / state_file_, dump_json(state_, 2) + "\n");
}

void StagedRun::point(const char* name, const std::filesystem::path& target) const {
  const std::filesystem::path fresh = directory_ / concat(".", name, ".new");
  std::filesystem::remove(fresh);
  std::filesystem::create_directory_symlink(
      std::filesystem::relative(std::filesystem::canonical(target),
                                std::filesystem::canonical(directory_)),
      fresh);
  std::filesystem::rename(fresh, directory_ / name);
}

}  // namespace llmctl
