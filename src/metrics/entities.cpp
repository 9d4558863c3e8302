#include "metrics/entities.h"

#include <algorithm>
#include <set>

namespace llmctl {
namespace {

struct TagParts {
  char prefix = 'O';
  std::string_view type = kUntyped;
};

TagParts tag_parts(std::string_view tag) {
  if (tag.empty()) return {};
  TagParts parts{tag[0], tag.substr(1)};
  if (const std::size_t dash = parts.type.find('-'); dash != parts.type.npos)
    parts.type.remove_prefix(dash + 1);
  if (parts.type.empty()) parts.type = kUntyped;
  return parts;
}

/// Whether an entity ends before a tag.
bool entity_ends(const TagParts& before, const TagParts& tag) {
  if (before.prefix == 'E' || before.prefix == 'S') return true;
  const bool open = before.prefix == 'B' || before.prefix == 'I';
  if (open && (tag.prefix == 'B' || tag.prefix == 'S' || tag.prefix == 'O')) return true;
  return before.prefix != 'O' && before.type != tag.type;
}

/// Whether an entity begins with a tag.
bool entity_begins(const TagParts& before, const TagParts& tag) {
  if (tag.prefix == 'B' || tag.prefix == 'S') return true;
  const bool closed = before.prefix == 'E' || before.prefix == 'S' || before.prefix == 'O';
  if (closed && (tag.prefix == 'E' || tag.prefix == 'I')) return true;
  return tag.prefix != 'O' && before.type != tag.type;
}

struct Measures {
  double precision = 0, recall = 0, f1 = 0;
};

Measures measures_of(double right, double expected, double predicted) {
  Measures measures;
  if (predicted > 0) measures.precision = right / predicted;
  if (expected > 0) measures.recall = right / expected;
  const double sum = measures.precision + measures.recall;
  if (sum > 0) measures.f1 = 2 * measures.precision * measures.recall / sum;
  return measures;
}

void add_measures(Scores& scores, const std::string& prefix, const Measures& measures,
                  double count) {
  scores.add(percent_score(prefix + "f1", measures.f1, count));
  scores.add(percent_score(prefix + "precision", measures.precision, count));
  scores.add(percent_score(prefix + "recall", measures.recall, count));
}

}  // namespace

std::vector<Entity> entities_of(std::span<const std::string> tags) {
  std::vector<Entity> entities;
  TagParts before;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= tags.size(); ++i) {
    const TagParts tag = i < tags.size() ? tag_parts(tags[i]) : TagParts();
    if (entity_ends(before, tag)) entities.push_back({std::string(before.type), begin, i});
    if (entity_begins(before, tag)) begin = i;
    before = tag;
  }
  return entities;
}

EntityTotals::EntityTotals(std::vector<std::string> types)
    : types_(std::move(types)), numbers_(kValues * types_.size()) {}

double* EntityTotals::of_type(const std::string& type) {
  const auto found = std::find(types_.begin(), types_.end(), type);
  const auto index = static_cast<std::size_t>(found - types_.begin());
  if (found == types_.end()) {
    types_.push_back(type);
    numbers_.resize(kValues * types_.size());
  }
  return &numbers_[kValues * index];
}

void EntityTotals::add(std::span<const Entity> expected, std::span<const Entity> predicted) {
  const std::set<Entity> wanted(expected.begin(), expected.end());
  const std::set<Entity> found(predicted.begin(), predicted.end());
  for (const Entity& entity : wanted) of_type(entity.type)[1] += 1;
  for (const Entity& entity : found) {
    double* numbers = of_type(entity.type);
    numbers[0] += wanted.contains(entity) ? 1 : 0;
    numbers[2] += 1;
  }
}

Scores EntityTotals::scores(bool with_types) const {
  double right = 0, expected = 0, predicted = 0, occurring = 0;
  Measures macro;
  std::vector<std::pair<std::string, std::size_t>> sorted;
  for (std::size_t t = 0; t < types_.size(); ++t) {
    const double* of = &numbers_[kValues * t];
    if (of[1] + of[2] == 0) continue;
    right += of[0];
    expected += of[1];
    predicted += of[2];
    const Measures measures = measures_of(of[0], of[1], of[2]);
    macro.precision += measures.precision;
    macro.recall += measures.recall;
    macro.f1 += measures.f1;
    occurring += 1;
    sorted.emplace_back(types_[t], t);
  }
  if (occurring > 0) {
    macro.precision /= occurring;
    macro.recall /= occurring;
    macro.f1 /= occurring;
  }
  Scores scores;
  add_measures(scores, "", measures_of(right, expected, predicted), expected);
  add_measures(scores, "macro_", macro, expected);
  if (!with_types) return scores;
  scores.add(count_score("total", expected));
  std::sort(sorted.begin(), sorted.end());
  for (const auto& [type, t] : sorted) {
    if (type == kUntyped) continue;
    const double* of = &numbers_[kValues * t];
    add_measures(scores, "entity." + type + ".", measures_of(of[0], of[1], of[2]), of[1]);
  }
  return scores;
}

std::vector<ScoreKind> EntityTotals::kinds(bool with_types) {
  std::vector<ScoreKind> kinds;
  for (const std::string prefix : {"", "macro_"})
    for (const char* measure : {"f1", "precision", "recall"})
      kinds.push_back(percent_kind(prefix + measure));
  if (!with_types) return kinds;
  kinds.push_back(count_kind("total"));
  for (const char* measure : {"f1", "precision", "recall"})
    kinds.push_back(percent_kind(std::string("entity.*.") + measure));
  return kinds;
}

}  // namespace llmctl
