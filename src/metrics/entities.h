// Precision, recall and F1 of labelled spans as seqeval 1.2 counts them in its default mode, which
// is conlleval's: a span is right when its type, its beginning and its end are.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/score.h"

namespace llmctl {

/// The type of entities whose tags have none ("B", "I").
inline constexpr const char* kUntyped = "_";

/// A labelled span: [begin, end) in whatever the spans of a text are counted in (tags, bytes, code
/// points).
struct Entity {
  std::string type;
  std::size_t begin = 0, end = 0;
  auto operator<=>(const Entity&) const = default;
};

/// The entities that tags spell in BIO or BIOES ("B-PER", "I-PER", "E-PER", "S-PER", "O", or "B"
/// without a type), in tags. Sequences that neither scheme allows are read as conlleval reads them:
/// an I- or E- after O or after another type begins an entity.
std::vector<Entity> entities_of(std::span<const std::string> tags);

/// Sums over texts; as plain numbers, so that several processes can add theirs.
class EntityTotals {
 public:
  /// Types that are known beforehand, in the order of their numbers(); others are added behind them
  /// as they come.
  explicit EntityTotals(std::vector<std::string> types = {});

  /// Of one text, counted in the same units; what stands twice counts once.
  void add(std::span<const Entity> expected, std::span<const Entity> predicted);

  /// f1, precision and recall of all entities together (micro averages) and macro_f1,
  /// macro_precision, macro_recall: means over the types that occur. `with_types` adds total and,
  /// where entities have types, entity.TYPE.precision, .recall and .f1.
  Scores scores(bool with_types) const;
  static std::vector<ScoreKind> kinds(bool with_types);

  std::span<double> numbers() { return numbers_; }  ///< to be summed over processes

 private:
  static constexpr std::size_t kValues = 3;  ///< of each type: right, expected, predicted
  double* of_type(const std::string& type);

  std::vector<std::string> types_;
  std::vector<double> numbers_;
};

}  // namespace llmctl
