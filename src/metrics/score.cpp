#include "metrics/score.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <utility>

#include "base/error.h"

namespace llmctl {
namespace {

struct ScaleFacts {
  Scale scale;
  const char* name;
  double min, max;
  int decimals;
};

constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr std::array kScales = {
    ScaleFacts{Scale::kPercent, "percent", 0, 100, 2},
    ScaleFacts{Scale::kNonNegative, "from 0", 0, kInfinity, 4},
    ScaleFacts{Scale::kFromOne, "from 1", 1, kInfinity, 4},
    ScaleFacts{Scale::kCount, "count", 0, kInfinity, 0},
    ScaleFacts{Scale::kUnbounded, "unbounded", -kInfinity, kInfinity, 4},
};

constexpr std::array kDirections = {std::pair{Direction::kHigher, "higher"},
                                    std::pair{Direction::kLower, "lower"},
                                    std::pair{Direction::kNone, "none"}};

const ScaleFacts& facts_of(Scale scale) {
  return *std::find_if(kScales.begin(), kScales.end(),
                       [&](const ScaleFacts& facts) { return facts.scale == scale; });
}

std::string short_number(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}

bool matches(std::string_view pattern, std::string_view name) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == name;
  const std::string_view head = pattern.substr(0, star), tail = pattern.substr(star + 1);
  return name.size() > head.size() + tail.size() && name.starts_with(head) && name.ends_with(tail);
}

/// A count as an integer, so that JSON and tables write it as one.
Json value_of(const Score& score) {
  if (score.kind.scale == Scale::kCount && std::abs(score.value) < 9e15)
    return static_cast<std::int64_t>(std::llround(score.value));
  return score.value;
}

Score score_from_json(const std::string& name, const Json& json) {
  const auto number = [](const Json& value) {
    return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
  };
  Score score{{name, Direction::kNone, Scale::kUnbounded}, 0, 0};
  if (!json.is_object()) {
    score.value = number(json);
    return score;
  }
  score.value = number(json.value("value", Json()));
  score.count = number(json.value("count", Json(0)));
  const std::string better = json.value("better", std::string());
  for (const auto& [direction, text] : kDirections)
    if (better == text) score.kind.better = direction;
  const std::string scale = json.value("scale", std::string());
  for (const ScaleFacts& facts : kScales)
    if (scale == facts.name) score.kind.scale = facts.scale;
  return score;
}

}  // namespace

ScoreKind percent_kind(std::string name) {
  return {std::move(name), Direction::kHigher, Scale::kPercent};
}
ScoreKind loss_kind(std::string name) {
  return {std::move(name), Direction::kLower, Scale::kNonNegative};
}
ScoreKind perplexity_kind(std::string name) {
  return {std::move(name), Direction::kLower, Scale::kFromOne};
}
ScoreKind count_kind(std::string name) {
  return {std::move(name), Direction::kNone, Scale::kCount};
}

Score percent_score(std::string name, double share, double count) {
  // Rounded where only the multiplication speaks, so that 0.834 reads 83.4.
  return {percent_kind(std::move(name)), std::round(1e12 * share) / 1e10, count};
}
Score loss_score(std::string name, double value, double count) {
  return {loss_kind(std::move(name)), value, count};
}
Score perplexity_score(std::string name, double value, double count) {
  return {perplexity_kind(std::move(name)), value, count};
}
Score count_score(std::string name, double count) {
  return {count_kind(std::move(name)), count, count};
}

void Scores::add(Score score) {
  for (Score& known : scores_) {
    if (known.kind.name != score.kind.name) continue;
    known = std::move(score);
    return;
  }
  scores_.push_back(std::move(score));
}

void Scores::add(const Scores& others) {
  for (const Score& score : others) add(score);
}

const Score* Scores::find(std::string_view name) const {
  for (const Score& score : scores_)
    if (score.kind.name == name) return &score;
  return nullptr;
}

double Scores::at(std::string_view name) const {
  const Score* score = find(name);
  require(score != nullptr, ErrorCode::kInternal, "there is no score '", name, "'");
  return score->value;
}

Json Scores::values() const {
  Json json = Json::object();
  for (const Score& score : scores_) json[score.kind.name] = value_of(score);
  return json;
}

Json Scores::to_json() const {
  Json json = Json::object();
  for (const Score& score : scores_) {
    const auto direction =
        std::find_if(kDirections.begin(), kDirections.end(),
                     [&](const auto& pair) { return pair.first == score.kind.better; });
    json[score.kind.name] = {{"value", value_of(score)},
                             {"better", direction->second},
                             {"scale", facts_of(score.kind.scale).name},
                             {"count", score.count}};
  }
  return json;
}

Scores Scores::from_json(const Json& json) {
  Scores scores;
  for (const auto& [name, value] : json.items()) scores.add(score_from_json(name, value));
  return scores;
}

Standing compare(const Scores& now, const Scores& best, std::string_view name) {
  const Score* score = now.find(name);
  if (score == nullptr || !std::isfinite(score->value) || score->kind.better == Direction::kNone)
    return Standing::kWorse;
  const Score* before = best.find(name);
  if (before == nullptr || !std::isfinite(before->value)) return Standing::kBetter;
  if (score->value != before->value) {
    const bool higher = score->value > before->value;
    return higher == (score->kind.better == Direction::kHigher) ? Standing::kBetter
                                                                : Standing::kWorse;
  }
  const Score* loss = now.find(kLossName);
  const Score* loss_before = best.find(kLossName);
  const auto value = [](const Score* one) {
    return one && std::isfinite(one->value) ? one->value : kInfinity;
  };
  if (value(loss) == value(loss_before)) return Standing::kEqual;
  return value(loss) < value(loss_before) ? Standing::kBetter : Standing::kWorse;
}

std::string format_score(const Score& score) {
  char text[400];
  std::snprintf(text, sizeof text, "%.*f", facts_of(score.kind.scale).decimals, score.value);
  return text;
}

bool meets(const Score& score, double bound) {
  return score.kind.better == Direction::kLower ? score.value <= bound : score.value >= bound;
}

std::string bound_error(const ScoreKind& kind, double bound) {
  const ScaleFacts& facts = facts_of(kind.scale);
  if (std::isfinite(bound) && bound >= facts.min && bound <= facts.max) return "";
  if (facts.max == kInfinity && facts.min == -kInfinity)
    return concat("must be a number, got ", short_number(bound));
  if (facts.max == kInfinity)
    return concat("must be at least ", short_number(facts.min), ", got ", short_number(bound));
  return concat("must be from ", short_number(facts.min), " to ", short_number(facts.max),
                " (percent), got ", short_number(bound));
}

std::string bound_doubt(const ScoreKind& kind, double bound) {
  if (kind.scale != Scale::kPercent || bound <= 0 || bound > 1) return "";
  return concat(short_number(bound), " is ", short_number(bound),
                " percent, since shares are from 0 to 100; write ", short_number(100 * bound),
                " for a share of ", short_number(bound));
}

const ScoreKind* find_kind(const std::vector<ScoreKind>& kinds, std::string_view name) {
  for (const ScoreKind& kind : kinds)
    if (matches(kind.name, name)) return &kind;
  return nullptr;
}

std::vector<std::string> names_of(const std::vector<ScoreKind>& kinds) {
  std::vector<std::string> names;
  for (const ScoreKind& kind : kinds) names.push_back(kind.name);
  return names;
}

}  // namespace llmctl
