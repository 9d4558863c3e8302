#include "tasks/span_errors.h"

namespace llmctl {
namespace {

bool overlap(const Entity& a, const Entity& b) {
  return a.begin < b.end && b.begin < a.end;
}

/// The first of `others`, from `at` on, that ends behind the beginning of `entity`.
std::size_t advance_to(std::span<const Entity> others, std::size_t at, const Entity& entity) {
  while (at < others.size() && others[at].end <= entity.begin) ++at;
  return at;
}

}  // namespace

void SpanErrors::add(std::span<const Entity> expected, std::span<const Entity> predicted) {
  std::size_t at = 0;
  for (const Entity& entity : expected) {
    at = advance_to(predicted, at, entity);
    Kind kind = kMissed;
    if (at < predicted.size() && overlap(predicted[at], entity)) {
      const bool bounds = predicted[at].begin == entity.begin && predicted[at].end == entity.end;
      kind = !bounds ? kOtherBounds : predicted[at].type == entity.type ? kRight : kOtherType;
    }
    ++counts_[entity.type][kind];
  }
  at = 0;
  for (const Entity& entity : predicted) {
    at = advance_to(expected, at, entity);
    if (at == expected.size() || !overlap(expected[at], entity)) ++counts_[entity.type][kFalse];
  }
}

EvaluationTable SpanErrors::table() const {
  EvaluationTable table;
  table.title = "spans of the data, and what was found of them";
  table.columns = {"type", "right", "other type", "other bounds", "missed", "false"};
  for (const auto& [type, counts] : counts_) {
    std::vector<std::string>& row = table.rows.emplace_back();
    row.push_back(type == kUntyped ? "word" : type);
    for (const std::size_t count : counts) row.push_back(std::to_string(count));
  }
  return table;
}

}  // namespace llmctl
