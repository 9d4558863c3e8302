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
  if (type == "llama") section["num_key_value_heads"] = 2;
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
    const bool causal = create(tiny_section(type))->facts().causal;
    kinds.push_back({type, causal ? HeadKind::kCausalLm : HeadKind::kMaskedLm});
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

}  // namespace llmctl::test
