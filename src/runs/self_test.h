// Small tests of the parts that an installation can break; each throws when something is wrong.
#pragma once

#include <ATen/core/Tensor.h>

namespace llmctl {

/// A product of small matrices on the device, in the dtype, against a plain loop.
void self_test_products(const at::Device& device, at::ScalarType dtype);

/// SentencePiece beside LibTorch in one process: train, encode, decode.
void self_test_tokenizer();

/// A tiny Llama-like model on the device learns a short sequence by heart.
void self_test_training(const at::Device& device);

}  // namespace llmctl
