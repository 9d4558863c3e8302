// Causal language modelling: every token is predicted from those before it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "data/collate.h"
#include "data/row_plan.h"
#include "tasks/text_task.h"

namespace llmctl {

/// Section "task" of type causal_lm.
struct CausalLmConfig {
  std::string type = "causal_lm";
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("type", self.type, "Predict each token from those before it.", OneOf{{"causal_lm"}});
  }
};

/// The row whose labels are exactly the tokens of the pieces: inputs are the same stream one token
/// earlier. The input before a document's first token is `start` (what generation begins with),
/// elsewhere the token before it, also when that is outside the piece. Without a start token a
/// document that begins a row has no input before its first token, which then is only an input.
/// With `joined` (packing concat) the row is one document, else each piece is one, with positions
/// of its own.
TokenRow causal_row(const Shards& shards, std::span<const RowPiece> pieces, bool joined,
                    std::optional<TokenId> start);

std::unique_ptr<TextTask> make_causal_lm(const CausalLmConfig& config,
                                         std::shared_ptr<const Tokenizer> tokenizer);

}  // namespace llmctl
