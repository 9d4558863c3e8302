// What became of the labelled spans of some texts: found, or how not.
#pragma once

#include <array>
#include <map>
#include <span>
#include <string>

#include "metrics/entities.h"
#include "tasks/task.h"

namespace llmctl {

class SpanErrors {
 public:
  /// Of one text; each side from left to right and without overlaps.
  void add(std::span<const Entity> expected, std::span<const Entity> predicted);

  /// A row for each type: right, found with another type, found with other bounds, missed, and
  /// predicted where nothing is.
  EvaluationTable table() const;

 private:
  enum Kind { kRight, kOtherType, kOtherBounds, kMissed, kFalse, kKinds };
  std::map<std::string, std::array<std::size_t, kKinds>> counts_;
};

}  // namespace llmctl
