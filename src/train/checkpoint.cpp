#include "train/checkpoint.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <system_error>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/terminal.h"
#include "io/safetensors.h"
#include "models/lora.h"
#include "models/tensor_file.h"

namespace llmctl {
namespace {

constexpr std::int64_t kManifestFormat = 1;
constexpr std::int64_t kTrainerFormat = 2;
constexpr const char* kManifestName = "manifest.json";
constexpr const char* kTrainerName = "trainer.json";
constexpr const char* kOptimizerName = "optimizer.safetensors";
constexpr const char* kStepPrefix = "step-";
constexpr const char* kTrashPrefix = ".trash-";
constexpr const char* kAnswering = "task_specific_params";

/// manifest.json.
struct Manifest {
  struct File {
    std::int64_t size = 0;
    std::string sha256;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor& visit) {
      visit("size", self.size, "Bytes.");
      visit("sha256", self.sha256, "Hash of the content.");
    }
  };
  std::int64_t format = kManifestFormat;
  std::map<std::string, File> files;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("format", self.format, "Version of this layout.");
    visit("files", self.files, "Every other file of the checkpoint.");
  }
};

template <class T>
T read_json_file(const fs::path& path, const std::vector<std::string>& former_keys = {}) {
  const JsonDocument document = parse_json_document(read_file(path), path.string());
  T out;
  read_config(ConfigNode(&document.value, "", &document, ErrorCode::kData), out, former_keys);
  return out;
}

std::string step_name(std::int64_t step) {
  char name[40];
  std::snprintf(name, sizeof name, "%s%08lld", kStepPrefix, static_cast<long long>(step));
  return name;
}

std::optional<std::int64_t> step_of(const fs::path& path) {
  const std::string name = path.filename().string();
  const std::string prefix = kStepPrefix;
  if (!name.starts_with(prefix) || name.size() == prefix.size() || name.size() > 24) return {};
  std::int64_t step = 0;
  for (char c : name.substr(prefix.size())) {
    if (c < '0' || c > '9') return {};
    step = step * 10 + (c - '0');
  }
  return step;
}

fs::path checkpoints_of(const fs::path& run_directory) {
  return run_directory / "checkpoints";
}

/// Renames first, so that an interrupted deletion leaves no half checkpoint under its name.
void remove_directory(const fs::path& directory) {
  const fs::path trash = directory.parent_path() / (kTrashPrefix + directory.filename().string());
  std::error_code error;
  fs::remove_all(trash, error);
  fs::rename(directory, trash, error);
  if (!error) fs::remove_all(trash, error);
  if (error) log_warning("cannot remove ", directory.string(), ": ", error.message());
}

Manifest describe_files(const fs::path& directory) {
  Manifest manifest;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    const std::string name = entry.path().lexically_relative(directory).generic_string();
    manifest.files[name] = {static_cast<std::int64_t>(entry.file_size()),
                            sha256_file(entry.path())};
  }
  return manifest;
}

Manifest read_manifest(const fs::path& checkpoint) {
  const fs::path path = checkpoint / kManifestName;
  const auto manifest = read_json_file<Manifest>(path);
  require(manifest.format == kManifestFormat, ErrorCode::kData, path.string(), ": format ",
          manifest.format, " is not known, expected ", kManifestFormat);
  const bool adapter = manifest.files.contains(kAdapterConfig);
  for (const char* name :
       {adapter ? kAdapterConfig : "config.json", kOptimizerName, kTrainerName}) {
    require(manifest.files.contains(name), ErrorCode::kData, path.string(), ": names no ", name);
  }
  return manifest;
}

void verify_sizes(const fs::path& checkpoint, const Manifest& manifest) {
  for (const auto& [name, file] : manifest.files) {
    const fs::path path = checkpoint / name;
    std::error_code error;
    const auto size = fs::file_size(path, error);
    require(!error, ErrorCode::kData, path.string(), ": is missing, but the manifest names it");
    require(static_cast<std::int64_t>(size) == file.size, ErrorCode::kData, path.string(), ": has ",
            size, " bytes, the manifest says ", file.size);
  }
}

void verify_hashes(const fs::path& checkpoint, const Manifest& manifest) {
  for (const auto& [name, file] : manifest.files) {
    const fs::path path = checkpoint / name;
    require(sha256_file(path) == file.sha256, ErrorCode::kData, path.string(),
            ": the content is damaged (its SHA-256 is not the manifest's)");
  }
}

/// Refuses before anything is written when the disk has no room for weights and optimiser state.
void require_room(const fs::path& directory, const Model& model, const NamedTensors& state) {
  double bytes = 0;
  for (const auto& [name, tensor] : model.parameters()) {
    bytes += static_cast<double>(tensor.numel()) * 4;
  }
  for (const auto& [name, tensor] : state) bytes += static_cast<double>(tensor.nbytes());
  std::error_code error;
  const fs::space_info space = fs::space(directory, error);
  if (error) return;  // the writes themselves will tell
  require(static_cast<double>(space.available) >= bytes, ErrorCode::kIo, directory.string(),
          ": disk full, ", format_bytes(space.available), " free, a checkpoint needs ",
          format_bytes(static_cast<std::uint64_t>(bytes)));
}

void link_to_step(const fs::path& run_directory, const char* name, std::int64_t step) {
  const fs::path link = run_directory / name;
  if (step > 0 && fs::is_directory(checkpoint_directory(run_directory, step))) {
    replace_symlink(link, fs::path("checkpoints") / step_name(step));
  } else if (fs::is_symlink(link) && !fs::exists(link)) {
    fs::remove(link);
  }
}

/// Members of `all` that `known` lacks or has otherwise, within objects, too.
Json others_than(const Json& known, const Json& all) {
  Json others = Json::object();
  for (const auto& [key, value] : all.items()) {
    const Json before = known.is_object() ? known.value(key, Json()) : Json();
    if (value == before) continue;
    others[key] = value.is_object() ? others_than(before, value) : value;
  }
  return others;
}

/// Adds to `known` the members of `others` that it lacks, within objects, too.
void add_missing(const Json& others, Json& known) {
  for (const auto& [key, value] : others.items()) {
    if (!known.contains(key)) {
      known[key] = value;
    } else if (value.is_object() && known[key].is_object()) {
      add_missing(value, known[key]);
    }
  }
}

}  // namespace

fs::path checkpoint_directory(const fs::path& run_directory, std::int64_t step) {
  return checkpoints_of(run_directory) / step_name(step);
}

std::vector<std::pair<std::int64_t, fs::path>> list_checkpoints(const fs::path& run_directory) {
  std::vector<std::pair<std::int64_t, fs::path>> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(checkpoints_of(run_directory), error)) {
    const auto step = step_of(entry.path());
    if (step && entry.is_directory()) found.emplace_back(*step, entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

Json fitted_answering(const Json& config, const Json& described) {
  return others_than(described.value(kAnswering, Json()), config.value(kAnswering, Json::object()));
}

fs::path save_checkpoint(const fs::path& run_directory, const Model& model,
                         const Optimizer& optimizer, const TrainerState& state,
                         const std::function<void(const fs::path&)>& save_extras) {
  const fs::path destination = checkpoint_directory(run_directory, state.step);
  make_directories(destination.parent_path());
  const NamedTensors optimizer_state = optimizer.state();
  require_room(destination.parent_path(), model, optimizer_state);
  AtomicDirectory directory(destination);
  model.save(directory.path());
  write_tensors(directory.path() / kOptimizerName, optimizer_state);
  TrainerState written = state;
  written.format = kTrainerFormat;
  write_file(directory.path() / kTrainerName, dump_json(config_to_json(written), 2) + "\n");
  if (save_extras) save_extras(directory.path());
  const Manifest manifest = describe_files(directory.path());
  write_file(directory.path() / kManifestName, dump_json(config_to_json(manifest), 2) + "\n");
  directory.commit(/*replaces=*/true);
  return destination;
}

std::optional<fs::path> find_good_checkpoint(const fs::path& run_directory) {
  auto checkpoints = list_checkpoints(run_directory);
  for (auto it = checkpoints.rbegin(); it != checkpoints.rend(); ++it) {
    const fs::path& checkpoint = it->second;
    try {
      const Manifest manifest = read_manifest(checkpoint);
      verify_sizes(checkpoint, manifest);
      verify_hashes(checkpoint, manifest);
      return checkpoint;
    } catch (const Error& error) {
      log_warning("skipping checkpoint ", checkpoint.filename().string(), ": ", error.what());
    }
  }
  return {};
}

void verify_checkpoint_sizes(const fs::path& checkpoint) {
  verify_sizes(checkpoint, read_manifest(checkpoint));
}

TrainerState read_trainer_state(const fs::path& checkpoint) {
  auto state = read_json_file<TrainerState>(checkpoint / kTrainerName, {"identity"});
  if (state.format < kTrainerFormat) {
    for (Json* scores : {&state.scores, &state.best_scores}) {
      for (const char* share : {"accuracy", "macro_f1", "masked_accuracy"}) {
        if (!scores->contains(share) || !(*scores)[share].is_number()) continue;
        (*scores)[share] = 100 * (*scores)[share].get<double>();
      }
    }
  }
  return state;
}

void load_checkpoint(const fs::path& checkpoint, Model& model, Optimizer& optimizer,
                     TrainerState& state) {
  state = read_trainer_state(checkpoint);
  model.load_weights(checkpoint);
  const auto file = std::make_shared<const SafetensorsFile>(checkpoint / kOptimizerName);
  NamedTensors tensors;
  for (const auto& [name, info] : file->tensors()) {
    tensors.emplace_back(name, map_tensor(info, file->bytes(name), file));
  }
  optimizer.load_state(tensors, state.step - state.skipped);
  // What the task says stays: the run may go on with other settings.
  if (!state.answering.empty()) add_missing({{kAnswering, state.answering}}, model.config());
}

void link_checkpoints(const fs::path& run_directory, std::int64_t last_step,
                      std::int64_t best_step) {
  link_to_step(run_directory, "last", last_step);
  link_to_step(run_directory, "best", best_step);
}

std::optional<fs::path> linked_checkpoint(const fs::path& run_directory, const std::string& link) {
  std::error_code error;
  const fs::path place = run_directory / link;
  // A copy of a run may have the directory itself in the link's place.
  const fs::path target =
      fs::is_symlink(place, error) ? fs::read_symlink(place, error) : fs::path(link);
  if (error || !fs::is_directory(run_directory / target, error)) return {};
  return run_directory / target;
}

void prune_checkpoints(const fs::path& run_directory, std::int64_t keep_last) {
  const auto checkpoints = list_checkpoints(run_directory);
  const auto best = linked_checkpoint(run_directory, "best");
  const auto last = linked_checkpoint(run_directory, "last");
  const auto keep = static_cast<std::size_t>(std::max<std::int64_t>(keep_last, 1));
  for (std::size_t i = 0; i + keep < checkpoints.size(); ++i) {
    const fs::path& checkpoint = checkpoints[i].second;
    if (checkpoint != best && checkpoint != last) remove_directory(checkpoint);
  }
}

void discard_checkpoints_after(const fs::path& run_directory, std::int64_t step) {
  for (const auto& [number, directory] : list_checkpoints(run_directory)) {
    if (number <= step) continue;
    log_warning("removing ", directory.filename().string(), ", which the run makes anew from step ",
                step);
    remove_directory(directory);
  }
  std::error_code error;
  std::vector<fs::path> trash;
  for (const auto& entry : fs::directory_iterator(checkpoints_of(run_directory), error)) {
    if (entry.path().filename().string().starts_with(kTrashPrefix)) trash.push_back(entry.path());
  }
  for (const fs::path& path : trash) fs::remove_all(path, error);
  remove_stale_temporaries(checkpoints_of(run_directory));
  remove_stale_temporaries(run_directory);
}

}  // namespace llmctl
