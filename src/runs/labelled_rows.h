// What a training would learn of its records, for `llmctl inspect rows`.
#pragma once

#include <cstddef>
#include <vector>

#include "config/json.h"
#include "tasks/labelled_row.h"

namespace llmctl {

/// Training rows of a configuration of `finetune`, `count` of them from number `first` on. Its data
/// are read as the run reads them. kConfig, kMissing, kData; kUsage for tasks whose labels are not
/// of tokens.
std::vector<LabelledRow> labelled_rows_of(const JsonDocument& document, std::size_t first,
                                          std::size_t count);

/// One row for machines: its place, and of each part ids, labels (the token itself, its tag, or
/// -100 and null where nothing is learned), tokens and, where they are known, spans.
Json to_json(const LabelledRow& row);

/// One row for people. What is learned is highlighted where `fd` takes colour, else it stands in
/// ⟦brackets⟧, with its tag behind a slash.
std::string render_row(int fd, const LabelledRow& row);
/// A line for each token: its number, id, piece and label.
std::string render_tokens(int fd, const LabelledRow& row);

}  // namespace llmctl
