// Rows of dialogues as batches of a causal model.
#pragma once

#include <cstdint>
#include <span>
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

}  // namespace llmctl
