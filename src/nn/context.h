// What a forward pass is told besides its input.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace llmctl {

class KvCache;
struct AdapterUse;

/// What an encoder made of its sequences, for a decoder's attention to it.
struct Memory {
  at::Tensor states;     ///< [B, S, D] fp32
  at::Tensor documents;  ///< [B, S], -1 on padding; undefined: no padding
  /// As Context::adapters, for the tokens of `states` whose keys and values a cache is to have.
  const std::vector<AdapterUse>* adapters = nullptr;
};

/// Receives hidden states and attention maps while a forward runs; names are "hidden_states.I" and
/// "attentions.I", of encoder-decoders with "encoder_" or "decoder_" before them, and
/// "cross_attentions.I".
using Tap = std::function<void(const std::string& name, const at::Tensor& value)>;

/// One forward pass: mode, dropout's random key, cache, taps. Cheap to copy.
struct Context {
  bool train = false;  ///< dropout on
  /// Of this micro-batch; each block seeds LibTorch's generator from it and its own index.
  std::uint64_t dropout_seed = 0;
  /// Training: keep only what enters each block, and compute the rest again in the backward pass.
  bool recompute = false;
  /// Decoding: keys and values so far, of the rows whose tokens [1, N] are given; null: the whole
  /// sequences are.
  KvCache* cache = nullptr;
  /// Of encoder-decoders' decoders: what they attend to.
  const Memory* memory = nullptr;
  /// Decoding: keys and values of encoders' states. `memory` are then those [1, S, D] of the rows
  /// that it has planned, undefined where it has none.
  KvCache* memory_cache = nullptr;
  /// Low-rank maps beside the layers (nn/adapters.h) and the tokens they are for; null: none.
  const std::vector<AdapterUse>* adapters = nullptr;
  /// Dtype of matrix products; norms, softmax and losses stay in fp32.
  at::ScalarType compute = at::kFloat;
  const Tap* tap = nullptr;
  bool tap_attentions = true;  ///< false: the tap gets hidden states alone, which cost nothing
  const char* tap_prefix = "";
};

}  // namespace llmctl
