// The encoder body: a bidirectional Transformer with learned positions and the norms behind the
// blocks (BERT, Devlin et al., 2019, and its kin).
#pragma once

#include <vector>

#include "models/block.h"
#include "models/body.h"
#include "nn/embedding.h"

namespace llmctl {

/// The switches of an encoder.
struct EncoderConfig {
  std::int64_t vocab_size = 0, hidden_size = 0, layers = 0;
  std::int64_t max_positions = 0;  ///< rows of the table of positions
  std::int64_t token_types = 0;    ///< 1: all tokens are of one type, whatever is asked for
  std::int64_t padding_id = -1;    ///< its embedding gets no gradient; -1: none
  BlockConfig block;
  std::int64_t first_position = 0;  ///< row of the table that position 0 takes
  double embedding_dropout = 0;
};

class Encoder : public Body {
 public:
  Encoder(const EncoderConfig& config, const at::TensorOptions& options);
  at::Tensor forward(const Sequence& input, const Context& context) const override;
  Embedding& words() const override { return *words_; }

 private:
  at::Tensor embed(const Sequence& input, const Context& context) const;

  EncoderConfig config_;
  std::shared_ptr<Embedding> words_, positions_, types_;
  std::shared_ptr<Norm> embedding_norm_;
  std::vector<std::shared_ptr<Block>> layers_;
};

}  // namespace llmctl
