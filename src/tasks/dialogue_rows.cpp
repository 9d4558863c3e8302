#include "tasks/dialogue_rows.h"

#include <algorithm>

#include "data/collate.h"
#include "tasks/bucketed_source.h"

namespace llmctl {

std::size_t learned_count(const DialogueRow& row) {
  return static_cast<std::size_t>(std::count(row.learned.begin() + 1, row.learned.end(), true));
}

Batch collate_rows(const DialogueRows& rows, std::span<const std::int64_t> indices, TokenId pad) {
  std::vector<TokenRow> some;
  for (std::int64_t index : indices) {
    const DialogueRow& row = rows[static_cast<std::size_t>(index)];
    TokenRow& out = some.emplace_back(token_row(std::span(row.ids).first(row.ids.size() - 1), {}));
    for (std::size_t t = 1; t < row.ids.size(); ++t) {
      out.labels.push_back(row.learned[t] ? row.ids[t] : kIgnoreLabel);
    }
  }
  return collate(some, pad);
}

std::vector<std::int32_t> lengths_of(const DialogueRows& rows) {
  std::vector<std::int32_t> lengths;
  for (const DialogueRow& row : rows)
    lengths.push_back(static_cast<std::int32_t>(row.ids.size()) - 1);
  return lengths;
}

}  // namespace llmctl
