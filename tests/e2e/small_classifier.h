// The run that tests of classification vary: a fresh model of one narrow layer.
#pragma once

#include <nlohmann/json.hpp>

namespace llmctl::test {

inline nlohmann::json small_classifier(const nlohmann::json& train, const nlohmann::json& valid,
                                       int steps, int batch_size) {
  return {{"run", {{"dir", "run"}, {"seed", 3}}},
          {"model",
           {{"model_type", "bert"},
            {"hidden_size", 32},
            {"intermediate_size", 64},
            {"num_hidden_layers", 1},
            {"num_attention_heads", 2},
            {"max_position_embeddings", 64}}},
          {"tokenizer", {{"path", "tokenizer-masked"}}},
          {"data", {{"train", train}, {"valid", valid}, {"sequence_length", 32}}},
          {"task", {{"type", "sequence_classification"}}},
          {"optim", {{"lr", 0.005}, {"warmup_steps", 2}}},
          {"train", {{"steps", steps}, {"batch_size", batch_size}, {"device", "cpu"}}}};
}

}  // namespace llmctl::test
