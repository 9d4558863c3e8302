// What a run writes down about itself: sums of the loss terms, and RUN/metrics.jsonl.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/files.h"
#include "config/json.h"
#include "io/event_file.h"

namespace llmctl {

/// A loss term of one step, summed over its micro-batches and all ranks.
struct TermSum {
  std::string name;
  double sum = 0, count = 0, coefficient = 1;
  std::map<std::string, double> extras;  ///< further sums over the same count
};

/// The loss of a step: Σ coefficient · sum / count.
double total_loss(const std::vector<TermSum>& terms);

/// Sums over several steps, so that a mean over them weighs every token (or row) alike.
class LossMeter {
 public:
  void add(const std::vector<TermSum>& terms, double tokens, double seconds);
  /// A step without an update: its loss stays out of the means.
  void add_skipped(double tokens, double seconds);
  bool empty() const { return steps_ == 0; }
  std::int64_t skipped() const { return skipped_; }
  double tokens_per_second() const { return seconds_ > 0 ? tokens_ / seconds_ : 0; }
  /// NaN when no step with a finite loss was added, or none in which there was something to learn
  /// (rows without labels).
  double loss() const;
  /// Adds "loss", each term's mean under its name when there are several, extras as means over
  /// their term's count, and "skipped" when there were such steps. What nothing was counted for has
  /// no mean, and is left out.
  void describe(Json& record) const;
  void reset() { *this = LossMeter(); }

  /// For trainer.json: what was added survives a resume.
  Json state() const;
  void restore(const Json& state);

 private:
  bool learnt() const;

  std::vector<TermSum> terms_;
  std::int64_t steps_ = 0, skipped_ = 0;
  double tokens_ = 0, seconds_ = 0;
};

/// RUN/metrics.jsonl, and the same numbers as "train/loss", "valid/f1", … in RUN/tensorboard. One
/// object per line, each flushed as it is written:
///   {"time": 1764000000.125, "step": 20, "epoch": 0.4, "split": "train", "loss": 2.31, …}
/// "split" is "train" (means since the last such record), "epoch" (means over an epoch) or "valid"
/// (every score of a validation). Numbers that are not finite become null, their keys listed in
/// "non_finite". A full disk costs one warning, never the run.
class MetricsFile {
 public:
  MetricsFile() = default;  ///< writes nothing (ranks other than 0)
  /// Goes on after `step`: lines of later steps, which the run will make again, and a broken last
  /// line are dropped. (TensorBoard itself drops what a step that comes again replaces.)
  /// kCannotCreate.
  MetricsFile(const std::filesystem::path& run_directory, std::int64_t step);
  void write(const Json& record);

 private:
  std::filesystem::path path_;
  AppendFile file_;
  EventFile events_;
  bool warned_ = false;
};

}  // namespace llmctl
