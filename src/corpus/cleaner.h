// What data preparation does to one document.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
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

/// Examples that are kept of each kind.
inline constexpr std::size_t kExamples = 10;

/// Where a document comes from.
struct DocumentOrigin {
  const std::filesystem::path* file = nullptr;
  std::uint64_t place = 0;   ///< as SourceDocument's
  std::string text() const;  ///< "FILE:PLACE"
};

/// Some of the text from a little before `at` on, with … where something is left out.
std::string excerpt(std::string_view text, std::size_t at = 0);

/// What a step did, for people to look at.
struct StepExamples {
  std::vector<Json> changed;  ///< {"source", "before", "after"}
  std::vector<Json> dropped;  ///< {"source", "text"}
};

/// Counts by step, in the order of the steps.
class CleanCounts {
 public:
  StepCount& of(std::size_t step) { return steps_[step]; }
  CleanCounts() = default;
  explicit CleanCounts(std::vector<std::string> names)
      : names_(std::move(names)), steps_(names_.size()), examples_(names_.size()) {}
  void add(const CleanCounts& other);
  const std::vector<std::string>& names() const { return names_; }
  const StepCount& of(std::size_t step) const { return steps_[step]; }
  StepExamples& examples(std::size_t step) { return examples_[step]; }
  /// Examples of which `known` has enough are not taken; it must outlive this.
  void take_examples_beside(const CleanCounts& known) { known_ = &known; }
  bool wants_changed(std::size_t step) const {
    return (known_ ? known_->examples_[step].changed.size() : 0) + examples_[step].changed.size() <
           kExamples;
  }
  bool wants_dropped(std::size_t step) const {
    return (known_ ? known_->examples_[step].dropped.size() : 0) + examples_[step].dropped.size() <
           kExamples;
  }
  Json to_json() const;
  static CleanCounts from_json(const Json& json);

 private:
  std::vector<std::string> names_;
  std::vector<StepCount> steps_;
  std::vector<StepExamples> examples_;
  const CleanCounts* known_ = nullptr;
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
  /// True where the document stays; `counts` are of new_counts(). `rule` (may be null) becomes the
  /// name of the step that dropped it.
  bool clean(std::string& text, CleanCounts& counts, const DocumentOrigin& origin = {},
             std::string* rule = nullptr) const;

 private:
  std::vector<std::unique_ptr<CleanStep>> steps_;
};

}  // namespace llmctl
