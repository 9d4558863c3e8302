// What data preparation does to one document.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/json.h"
#include "corpus/clean_config.h"

namespace llmctl {

/// What a step did to all documents that it saw.
struct StepCount {
  std::uint64_t seen = 0, changed = 0, dropped = 0;
  std::uint64_t matches = 0;  ///< places that were replaced, where the step counts them
  std::uint64_t bytes_in = 0, bytes_out = 0;
  void add(const StepCount& other);
};

/// Counts by step, in the order of the steps.
class CleanCounts {
 public:
  StepCount& of(std::size_t step) { return steps_[step]; }
  CleanCounts() = default;
  explicit CleanCounts(std::vector<std::string> names)
      : names_(std::move(names)), steps_(names_.size()) {}
  void add(const CleanCounts& other);
  const std::vector<std::string>& names() const { return names_; }
  const StepCount& of(std::size_t step) const { return steps_[step]; }
  Json to_json() const;
  static CleanCounts from_json(const Json& json);

 private:
  std::vector<std::string> names_;
  std::vector<StepCount> steps_;
};

/// One step of cleaning: changes a text, or drops its document.
class CleanStep {
 public:
  virtual ~CleanStep() = default;
  virtual std::string name() const = 0;
  /// False drops the document. `matches` counts what was replaced.
  virtual bool apply(std::string& text, std::uint64_t& matches) const = 0;
};

/// All steps that a configuration asks for. Thread-safe, and a pure function of the text.
class Cleaner {
 public:
  /// kConfig when a step needs a library that this build lacks, naming its package, and for unknown
  /// languages and stop words.
  explicit Cleaner(const CleanConfig& config);
  CleanCounts new_counts() const;
  /// True where the document stays; `counts` are of new_counts().
  bool clean(std::string& text, CleanCounts& counts) const;

 private:
  std::vector<std::unique_ptr<CleanStep>> steps_;
};

}  // namespace llmctl
