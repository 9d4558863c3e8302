// What is learned of a training row, token by token: for people who want to see it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/json.h"
#include "text/tokenizer.h"

namespace llmctl {

struct LabelledToken {
  TokenId id = 0;
  std::string piece;     ///< as the vocabulary spells it
  std::string text;      ///< bytes that it adds to the text; of special tokens their names
  bool learned = false;  ///< has a part in the loss
  std::string tag = {};  ///< its label, where that is not the token itself
  std::optional<ByteSpan> span = {};  ///< in code points of the record's text, where that is known
};

/// One sequence of a row.
struct LabelledPart {
  std::string name;  ///< "source", "chosen"; empty: the only one
  std::vector<LabelledToken> tokens;
};

/// What the model sees of one record, or of one window of it.
struct LabelledRow {
  std::string place;  ///< of the record: "FILE:LINE"
  std::vector<LabelledPart> parts;
  Json facts = Json::object();  ///< other labels, by name
};

/// Tokens of which none is learned.
std::vector<LabelledToken> labelled_tokens(const Tokenizer& tokenizer,
                                           std::span<const TokenId> ids);
/// Tokens of a language model's row; `learned` is as long as `ids`. The first is never learned,
/// since nothing precedes it.
std::vector<LabelledToken> labelled_tokens(const Tokenizer& tokenizer, std::span<const TokenId> ids,
                                           const std::vector<bool>& learned);

}  // namespace llmctl
