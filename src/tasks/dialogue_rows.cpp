#include "tasks/dialogue_rows.h"

#include <algorithm>

#include "base/error.h"
#include "data/best_fit.h"
#include "data/collate.h"
#include "tasks/bucketed_source.h"

namespace llmctl {

namespace {

/// What the model reads of a row, and what it is to say behind it.
TokenRow token_row_of(const DialogueRow& row) {
  TokenRow out = token_row(std::span(row.ids).first(row.ids.size() - 1), {});
  for (std::size_t t = 1; t < row.ids.size(); ++t)
    out.labels.push_back(row.learned[t] ? row.ids[t] : kIgnoreLabel);
  return out;
}

}  // namespace

std::size_t learned_count(const DialogueRow& row) {
  return static_cast<std::size_t>(std::count(row.learned.begin() + 1, row.learned.end(), true));
}

Batch collate_rows(const DialogueRows& rows, std::span<const std::int64_t> indices, TokenId pad) {
  std::vector<TokenRow> some;
  for (std::int64_t index : indices)
    some.push_back(token_row_of(rows[static_cast<std::size_t>(index)]));
  return collate(some, pad);
}

std::string full_rows_note(const DialogueRows& rows, std::int64_t sequence_length) {
  // A row has one token more than the model sees.
  const auto full = std::ranges::count_if(
      rows, [&](const DialogueRow& row) { return std::ssize(row.ids) > sequence_length; });
  if (full == 0) return "";
  return concat(full, " of ", rows.size(), rows.size() == 1 ? " row" : " rows",
                full == 1 ? " reaches" : " reach", " data.sequence_length (", sequence_length,
                " tokens); what is longer loses its beginning");
}

std::vector<std::int32_t> lengths_of(const DialogueRows& rows) {
  std::vector<std::int32_t> lengths;
  for (const DialogueRow& row : rows)
    lengths.push_back(static_cast<std::int32_t>(row.ids.size()) - 1);
  return lengths;
}

RowPacks pack_rows(std::span<const std::int64_t> rows, std::span<const std::int32_t> lengths,
                   std::int64_t length) {
  std::vector<std::uint32_t> sizes;
  for (const std::int64_t row : rows)
    sizes.push_back(static_cast<std::uint32_t>(lengths[static_cast<std::size_t>(row)]));
  const Packed packed = best_fit(sizes, static_cast<std::size_t>(length));
  RowPacks packs(packed.rows);
  for (std::size_t i = 0; i < rows.size(); ++i) packs[packed.row_of[i]].push_back(rows[i]);
  return packs;
}

Batch collate_packs(const DialogueRows& rows, const RowPacks& packs,
                    std::span<const std::int64_t> indices, TokenId pad) {
  std::vector<TokenRow> some;
  for (const std::int64_t index : indices) {
    TokenRow& out = some.emplace_back();
    std::int64_t document = 0;
    for (const std::int64_t member : packs[static_cast<std::size_t>(index)]) {
      const TokenRow row = token_row_of(rows[static_cast<std::size_t>(member)]);
      out.ids.insert(out.ids.end(), row.ids.begin(), row.ids.end());
      out.labels.insert(out.labels.end(), row.labels.begin(), row.labels.end());
      for (std::size_t t = 0; t < row.ids.size(); ++t) {
        out.positions.push_back(static_cast<std::int64_t>(t));
        out.documents.push_back(document);
      }
      ++document;
    }
  }
  return collate(some, pad);
}

std::vector<std::int32_t> lengths_of(const RowPacks& packs, std::span<const std::int32_t> lengths) {
  std::vector<std::int32_t> out;
  for (const std::vector<std::int64_t>& pack : packs) {
    std::int32_t length = 0;
    for (const std::int64_t row : pack) length += lengths[static_cast<std::size_t>(row)];
    out.push_back(length);
  }
  return out;
}

}  // namespace llmctl
