// Small models for tests.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "models/model.h"
#include "ops/backend.h"
#include "support/device.h"
#include "support/expect_error.h"

namespace llmctl::test {

inline at::Device device() {
  return parse_device(test_device());
}

inline Json tiny_section(const std::string& type) {
  Json section = {{"model_type", type},      {"hidden_size", 16},
                  {"num_hidden_layers", 2},  {"num_attention_heads", 4},
                  {"intermediate_size", 24}, {"max_position_embeddings", 32},
                  {"initializer_range", 0.3}};
  if (type == "gpt2") {
    return {{"model_type", type}, {"n_embd", 16},      {"n_layer", 2},
            {"n_head", 4},        {"n_positions", 32}, {"initializer_range", 0.3}};
  }
  if (type == "marian") {
    return {{"model_type", type},
            {"d_model", 16},
            {"encoder_layers", 2},
            {"decoder_layers", 2},
            {"encoder_attention_heads", 4},
            {"decoder_attention_heads", 4},
            {"encoder_ffn_dim", 24},
            {"decoder_ffn_dim", 24},
            {"max_position_embeddings", 32},
            {"init_std", 0.3}};
  }
  if (type == "t5") {
    return {{"model_type", type},
            {"d_model", 16},
            {"d_kv", 4},
            {"d_ff", 24},
            {"num_layers", 2},
            {"num_heads", 4},
            {"relative_attention_num_buckets", 8},
            {"relative_attention_max_distance", 16}};
  }
  if (type == "roberta") section["max_position_embeddings"] = 32 + 2;
  if (type == "llama" || type == "qwen2" || type == "qwen3") section["num_key_value_heads"] = 2;
  return section;
}

inline std::unique_ptr<Model> create(const Json& section, const ModelRequest& request = {},
                                     std::int64_t vocab_size = 40) {
  auto model = create_model(ConfigNode(&section, "model", nullptr), vocab_size, request);
  model->to(device());
  return model;
}

struct Kind {
  std::string type;
  HeadKind head;
};

inline std::vector<Kind> all_kinds() {
  std::vector<Kind> kinds;
  for (const auto& type : model_types()) {
    const ModelFacts facts = create(tiny_section(type))->facts();
    if (facts.encoder_decoder) {
      kinds.push_back({type, HeadKind::kSeq2SeqLm});
      continue;
    }
    kinds.push_back({type, facts.causal ? HeadKind::kCausalLm : HeadKind::kMaskedLm});
    kinds.push_back({type, HeadKind::kSpan});
    kinds.push_back({type, HeadKind::kSequenceClassification});
    kinds.push_back({type, HeadKind::kTokenClassification});
  }
  return kinds;
}

/// Random ids [rows, length].
inline Sequence tokens(std::int64_t rows, std::int64_t length, std::int64_t vocab_size = 40) {
  Sequence input;
  input.ids = at::randint(1, vocab_size, {rows, length}, at::kLong).to(device());
  return input;
}

/// Hidden states of the model; of an encoder-decoder the decoder's, over the same tokens encoded.
inline at::Tensor hidden_of(Model& model, const Sequence& input, Context context = {}) {
  Memory memory;
  if (model.facts().encoder_decoder) {
    memory = {model.encode(input, context), input.documents};
    context.memory = &memory;
  }
  return model.hidden(input, context);
}

}  // namespace llmctl::test
