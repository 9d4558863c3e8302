// The body of a model: token ids → hidden states. B rows, T tokens, D model.
#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <string>

#include "data/batch.h"
#include "nn/context.h"
#include "nn/embedding.h"
#include "nn/kv_cache.h"

namespace llmctl {

class Body : public torch::nn::Module {
 public:
  /// Of encoder-decoders: the encoder's states [B, S, D] fp32.
  virtual at::Tensor encode(const Sequence& source, const Context& context) const;
  /// [B, T, D] fp32 after the last norm; of encoder-decoders the decoder's, over context.memory.
  virtual at::Tensor forward(const Sequence& input, const Context& context) const = 0;
  /// The table of token embeddings [V, D]; tied heads use it.
  virtual Embedding& words() const = 0;
  /// That of an encoder with one of its own; else null.
  virtual Embedding* source_words() const { return nullptr; }
};

/// The positions of a sequence [B, T], or [T] when it has none of its own.
at::Tensor positions_of(const Sequence& input);

/// Throws kData for an id outside [0, vocab_size), which a look-up would read beyond the table. Ids
/// on a GPU are not looked at: to_model() has done so on the host.
void check_ids(const at::Tensor& ids, std::int64_t vocab_size, const char* what);

/// Gives a value to the tap, if there is one.
void tap_hidden(const Context& context, std::int64_t index, const at::Tensor& value);

}  // namespace llmctl
