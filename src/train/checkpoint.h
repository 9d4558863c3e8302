// Checkpoints of a run: each a Hugging Face model directory plus optimiser state, whole or absent,
// hashed.
//
//   RUN/checkpoints/step-00001000/   config.json, model.safetensors, what save_extras writes
//                                    optimizer.safetensors   tensors STATE.PARAMETER
//                                    trainer.json            TrainerState
//                                    manifest.json           sizes and SHA-256 of all of these
//   RUN/last, RUN/best               relative symbolic links, replaced after the directory is there
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/fields.h"
#include "models/model.h"
#include "optim/optimizer.h"

namespace llmctl {

/// trainer.json: where a run stands. Whatever the loop needs to go on bit for bit is here, in the
/// weights or in the optimiser's state.
struct TrainerState {
  /// 2: shares among the scores are percentages, and scores tell their kind. 1, which is also what
  /// says nothing: shares from 0 to 1, plain numbers; converted when read.
  std::int64_t format = 1;
  std::int64_t step = 0;  ///< steps done, skipped ones included
  double tokens = 0, seconds = 0;
  std::int64_t skipped = 0;         ///< steps whose update was left out (not finite)
  std::int64_t skipped_in_row = 0;  ///< of these, the latest without a good one between
  std::int64_t best_step = 0;
  std::string best_score;            ///< the score that decided it
  std::optional<double> best;        ///< its value
  std::int64_t bad_validations = 0;  ///< since the best
  std::int64_t validated_step = 0;   ///< of the last validation
  std::string source_fingerprint;    ///< of the data and how it is dealt into steps
  std::string source_content;        ///< of the data alone; empty in older checkpoints
  std::string validation;            ///< of what validation scores; empty in older checkpoints
  std::string precision;         ///< "fp32" or "bf16", as it was resolved: a resumed run keeps it
  Json scores = Json::object();  ///< of the last validation, as Scores::to_json() has them
  Json best_scores = Json::object();  ///< of the best one
  Json meters = Json::object();       ///< sums since the last record and in this epoch
  /// What validation has fitted for answering: what task_specific_params of config.json has that a
  /// resumed run's model begins without.
  Json answering = Json::object();

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("format", self.format, "Version of this file.", Range<std::int64_t>{1, 2});
    visit("step", self.step, "Steps done.");
    visit("tokens", self.tokens, "Tokens trained on.");
    visit("seconds", self.seconds, "Time spent, over all parts of the run.");
    visit("skipped", self.skipped, "Steps whose update was left out.");
    visit("skipped_in_row", self.skipped_in_row, "Such steps since the last good one.");
    visit("best_step", self.best_step, "Step of the best validation.");
    visit("best_score", self.best_score, "The score that decided it.");
    visit("best", self.best, "Score of the best validation.");
    visit("bad_validations", self.bad_validations, "Validations since the best.");
    visit("validated_step", self.validated_step, "Step of the last validation.");
    visit("source_fingerprint", self.source_fingerprint, "The data and how it is cut.");
    visit("source_content", self.source_content, "The data alone.");
    visit("validation", self.validation, "What validation scores.");
    visit("precision", self.precision, "Precision of matrix products.");
    visit("scores", self.scores, "Scores of the last validation.");
    visit("best_scores", self.best_scores, "Scores of the best validation.");
    visit("meters", self.meters, "Sums since the last record.");
    visit("answering", self.answering, "What validation has fitted for answering.");
  }
};

/// RUN/checkpoints/step-00001000.
std::filesystem::path checkpoint_directory(const std::filesystem::path& run_directory,
                                           std::int64_t step);

/// (step, directory) of whatever is named like a checkpoint, oldest first.
std::vector<std::pair<std::int64_t, std::filesystem::path>> list_checkpoints(
    const std::filesystem::path& run_directory);

/// What validation has fitted for answering: what the task_specific_params of `config` have beside
/// those of `described`, the same when the run began.
Json fitted_answering(const Json& config, const Json& described);

/// Builds the checkpoint of `state.step` in a temporary directory and renames it into place;
/// manifest.json is written last. A directory of that step that is already there is replaced. On a
/// failure (kIo when the disk is full, kCannotCreate) nothing new is left behind.
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

/// trainer.json of a checkpoint. kMissing, kData.
TrainerState read_trainer_state(const std::filesystem::path& checkpoint);

/// Fills model, optimiser and state from a checkpoint; of what validation had fitted the model gets
/// what its config.json does not say already. kData, naming file and tensor.
void load_checkpoint(const std::filesystem::path& checkpoint, Model& model, Optimizer& optimizer,
                     TrainerState& state);

/// RUN/last → the checkpoint of `last_step`, RUN/best → that of `best_step`, where these are there;
/// a link that points nowhere is removed.
void link_checkpoints(const std::filesystem::path& run_directory, std::int64_t last_step,
                      std::int64_t best_step);

/// The checkpoint that RUN/best or RUN/last points to, if it is there.
std::optional<std::filesystem::path> linked_checkpoint(const std::filesystem::path& run_directory,
                                                       const std::string& link);

/// Keeps the newest `keep_last` and what RUN/best and RUN/last point to; removes the rest, each by
/// rename, then deletion.
void prune_checkpoints(const std::filesystem::path& run_directory, std::int64_t keep_last);

/// Removes checkpoints after `step` (a resumed run makes them anew) and what an interrupted save or
/// removal left behind.
void discard_checkpoints_after(const std::filesystem::path& run_directory, std::int64_t step);

}  // namespace llmctl
