#include "tasks/labelled_row.h"

namespace llmctl {

std::vector<LabelledToken> labelled_tokens(const Tokenizer& tokenizer,
                                           std::span<const TokenId> ids) {
  std::vector<LabelledToken> tokens;
  DecodeState state;
  for (const TokenId id : ids)
    tokens.push_back({id, tokenizer.piece(id), tokenizer.decode_next(id, state, true)});
  return tokens;
}

std::vector<LabelledToken> labelled_tokens(const Tokenizer& tokenizer, std::span<const TokenId> ids,
                                           const std::vector<bool>& learned) {
  std::vector<LabelledToken> tokens = labelled_tokens(tokenizer, ids);
  for (std::size_t t = 1; t < tokens.size(); ++t) tokens[t].learned = learned[t];
  return tokens;
}

}  // namespace llmctl
