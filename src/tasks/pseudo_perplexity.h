// Pseudo-perplexity of masked language models (Salazar et al., 2020).
#pragma once

#include <cstdint>

#include "base/world.h"
#include "io/shards.h"
#include "models/model.h"
#include "text/tokenizer.h"

namespace llmctl {

struct PseudoPerplexityOptions {
  std::int64_t sequence_length = 512;  ///< longer documents are scored in pieces
  std::int64_t batch_size = 32;        ///< rows per forward pass; each row masks one token
  std::int64_t max_tokens = 0;         ///< from the begin of the shards; 0: all
};

struct PseudoPerplexity {
  double loss = 0;  ///< nats per token: minus the log-probability of a token given all others
  double perplexity = 0;
  std::int64_t tokens = 0;
};

/// Masks each token of each document in turn and asks for it: as many forward rows as tokens. Every
/// rank gets the result. kData when there is no token, kConfig without [CLS], [SEP] or [MASK].
PseudoPerplexity pseudo_perplexity(Model& model, const Tokenizer& tokenizer, const Shards& shards,
                                   const PseudoPerplexityOptions& options, const Context& context,
                                   World& world);

}  // namespace llmctl
