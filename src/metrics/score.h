// A score with all that its readers need to know about it, made where the metric is: keeping the
// best checkpoint, early stop, bounds, tables and JSON read direction and scale from here.
//
// Shares (accuracy, exact match, F1, precision, recall) are percentages, 0 to 100, everywhere in
// print and JSON, as the SQuAD scripts print them.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "config/json.h"

namespace llmctl {

enum class Direction {
  kHigher,  ///< higher is better
  kLower,   ///< lower is better
  kNone     ///< neither: a number of items
};

/// What values a score may take, and how it is printed.
enum class Scale {
  kPercent,      ///< 0 to 100, two decimals
  kNonNegative,  ///< a loss in nats or bits: 0 and more, four decimals
  kFromOne,      ///< a perplexity: 1 and more, four decimals
  kCount,        ///< an integer from 0
  kUnbounded     ///< any number, four decimals
};

/// A score without its value: what a metric gives, known before anything is computed. In a list of
/// what may come, a '*' in the name stands for any text ("class.*.f1").
struct ScoreKind {
  std::string name;
  Direction better = Direction::kNone;
  Scale scale = Scale::kUnbounded;
  bool operator==(const ScoreKind&) const = default;
};

struct Score {
  ScoreKind kind;
  double value = 0;
  double count = 0;  ///< items (tokens, questions, texts) that it stands for
  bool operator==(const Score&) const = default;
};

/// The kinds there are. `share` is in [0, 1] and becomes a percentage.
ScoreKind percent_kind(std::string name);
ScoreKind loss_kind(std::string name);
ScoreKind perplexity_kind(std::string name);
ScoreKind count_kind(std::string name);
Score percent_score(std::string name, double share, double count);
Score loss_score(std::string name, double value, double count);
Score perplexity_score(std::string name, double value, double count);
Score count_score(std::string name, double count);

/// The name of the loss that every validation gives; it decides between equal scores.
inline constexpr const char* kLossName = "loss";

/// Scores in the order in which their metric gives them, each name once.
class Scores {
 public:
  Scores() = default;
  Scores(std::initializer_list<Score> scores) : scores_(scores) {}

  /// Adds one, or replaces the one of that name.
  void add(Score score);
  void add(const Scores& others);
  const Score* find(std::string_view name) const;  ///< null when there is none
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  double at(std::string_view name) const;  ///< the value; kInternal when there is none

  bool empty() const { return scores_.empty(); }
  std::size_t size() const { return scores_.size(); }
  auto begin() const { return scores_.begin(); }
  auto end() const { return scores_.end(); }
  bool operator==(const Scores&) const = default;

  /// {"accuracy": 83.4, "total": 200}: what a person or a script reads.
  Json values() const;
  /// The same as a state keeps it: {"accuracy": {"value": 83.4, "better": "higher", …}}.
  Json to_json() const;
  /// What to_json() or, with kinds unknown, values() gave. kData.
  static Scores from_json(const Json& json);

 private:
  std::vector<Score> scores_;
};

/// How a validation compares with the best one before it.
enum class Standing {
  kWorse,
  kEqual,  ///< in the score and in the loss; the later one is kept
  kBetter  ///< by the score, or by the loss between equal scores
};
/// By the score `name`; a value that is not finite, or a score that has no direction, is worse than
/// anything; anything else is better than a `best` that lacks the score.
Standing compare(const Scores& now, const Scores& best, std::string_view name);

/// "83.40", "200", "2.3026".
std::string format_score(const Score& score);

/// Whether the value meets a bound: no worse than it. What is not a number meets none.
bool meets(const Score& score, double bound);

/// Why a bound can not be meant ("must be from 0 to 100, got 900"); empty when it can.
std::string bound_error(const ScoreKind& kind, double bound);
/// A bound that is allowed and looks like another scale's ("0.9 of 100; …"); empty otherwise.
std::string bound_doubt(const ScoreKind& kind, double bound);

/// The kind of that name among those that may come, '*' included; null when there is none.
const ScoreKind* find_kind(const std::vector<ScoreKind>& kinds, std::string_view name);
/// Their names, for messages: "accuracy, macro_f1".
std::vector<std::string> names_of(const std::vector<ScoreKind>& kinds);

}  // namespace llmctl
