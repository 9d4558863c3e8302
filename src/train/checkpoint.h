// Checkpoints of a run: each a Hugging Face model directory plus optimiser state, whole or absent,
// hashed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "config/json.h"
#include "models/model.h"
#include "optim/optimizer.h"

namespace llmctl {

/// trainer.json: where a run stands.
struct TrainerState {
  std::int64_t step = 0;  ///< optimiser steps done
  double tokens = 0;
  std::int64_t skipped = 0;
  std::int64_t best_step = 0;
  std::optional<double> best;
  std::int64_t bad_validations = 0;  ///< since the best
  std::string config_digest, source_fingerprint;
  Json best_scores = Json::object();
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("step", self.step, "");
    visit("tokens", self.tokens, "");
    visit("skipped", self.skipped, "");
    visit("best_step", self.best_step, "");
    visit("best", self.best, "");
    visit("bad_validations", self.bad_validations, "");
    visit("config_digest", self.config_digest, "");
    visit("source_fingerprint", self.source_fingerprint, "");
    visit("best_scores", self.best_scores, "");
  }
};

/// checkpoints/step-00001000, built in a temporary directory and renamed; manifest.json (sizes,
/// SHA-256) is written last.
std::filesystem::path save_checkpoint(
    const std::filesystem::path& run_directory, const Model& model, const Optimizer& optimizer,
    const TrainerState& state,
    const std::function<void(const std::filesystem::path&)>& save_extras);

/// The newest checkpoint whose sizes and hashes are right, saying which were skipped and why;
/// nothing when there is none.
std::optional<std::filesystem::path> find_good_checkpoint(
    const std::filesystem::path& run_directory);

/// Sizes only (other commands). kData, naming the file.
void verify_checkpoint_sizes(const std::filesystem::path& checkpoint);

/// Fills model, optimiser and state from a checkpoint.
void load_checkpoint(const std::filesystem::path& checkpoint, Model& model, Optimizer& optimizer,
                     TrainerState& state);

/// Keeps the newest `keep_last`, `best` and `last`; removes the rest, each by rename, then
/// deletion.
void prune_checkpoints(const std::filesystem::path& run_directory, std::int64_t keep_last,
                       std::int64_t best_step);

}  // namespace llmctl
