// Rows of dialogues as batches of a causal model.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/batch.h"
#include "tasks/dialogues.h"

namespace llmctl {

using DialogueRows = std::vector<DialogueRow>;

/// Positions of a row that predict a learned token.
std::size_t learned_count(const DialogueRow& row);

/// The batch of some rows: input is all but the last token, labels [B, T] the learned ones among
/// all but the first.
Batch collate_rows(const DialogueRows& rows, std::span<const std::int64_t> indices, TokenId pad);

/// Tokens that the model sees of each row.
std::vector<std::int32_t> lengths_of(const DialogueRows& rows);

/// "3 of 500 rows reach data.sequence_length (512 tokens); what is longer loses its beginning";
/// empty where none does.
std::string full_rows_note(const DialogueRows& rows, std::int64_t sequence_length);

/// Rows that stand side by side in one sequence, by their indices.
using RowPacks = std::vector<std::vector<std::int64_t>>;

/// Puts rows (indices into `lengths`, some perhaps more often) into sequences of at most `length`
/// tokens, in as few as data/best_fit.h finds.
RowPacks pack_rows(std::span<const std::int64_t> rows, std::span<const std::int32_t> lengths,
                   std::int64_t length);

/// The batch of some packs: each row in them is a document of its own, whose positions begin at 0.
Batch collate_packs(const DialogueRows& rows, const RowPacks& packs,
                    std::span<const std::int64_t> indices, TokenId pad);

/// Tokens of each pack.
std::vector<std::int32_t> lengths_of(const RowPacks& packs, std::span<const std::int32_t> lengths);

}  // namespace llmctl
