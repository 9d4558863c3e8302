// A few optimiser steps of a task on a tiny model: whether it learns what it is given.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "config/load.h"
#include "data/batch.h"
#include "models/model.h"
#include "optim/optimizer.h"
#include "tasks/task.h"

namespace llmctl::test {

inline std::unique_ptr<Model> tiny_model(const std::string& section, const Tokenizer& tokenizer,
                                         HeadKind head,
                                         const std::vector<std::string>& labels = {}) {
  const JsonDocument document = parse_json_document(section, "model");
  ModelRequest request;
  request.head = head;
  request.labels = labels;
  return create_model(ConfigNode(&document.value, "", &document), tokenizer.vocab_size(), request);
}

inline std::unique_ptr<Model> tiny_bert(const Tokenizer& tokenizer, HeadKind head,
                                        const std::vector<std::string>& labels = {}) {
  return tiny_model(
      R"({"model_type": "bert", "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
                        "intermediate_size": 96, "max_position_embeddings": 128, "hidden_dropout_prob": 0,
                        "attention_probs_dropout_prob": 0})",
      tokenizer, head, labels);
}

inline std::unique_ptr<Model> tiny_llama(const Tokenizer& tokenizer,
                                         HeadKind head = HeadKind::kCausalLm,
                                         const std::vector<std::string>& labels = {}) {
  return tiny_model(
      R"({"model_type": "llama", "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
                        "intermediate_size": 96, "max_position_embeddings": 128})",
      tokenizer, head, labels);
}

/// AdamW at a rate that falls to nothing.
inline void train_briefly(Model& model, const Task& task, std::int64_t steps,
                          std::int64_t batch_size, double lr) {
  const auto parameters = model.parameters();
  OptimConfig config;
  config.weight_decay = 0;
  const auto optimizer = make_optimizer(
      config, parameters, std::vector<ParameterPlan>(parameters.size(), {.decay = false}));
  const auto source = task.source({1, batch_size, batch_size, 0, 1});
  const auto loss = task.loss(model);
  for (std::int64_t step = 0; step < steps; ++step) {
    for (const Batch& batch : source->batches(step)) {
      at::Tensor total;
      Context context;
      context.train = true;
      for (const LossTerm& term : loss->terms(to_device(batch, model.device()), context)) {
        const at::Tensor part = term.sum.mul(term.coefficient / term.count);
        total = total.defined() ? total.add(part) : part;
      }
      total.backward();
    }
    optimizer->step(lr * (1 - static_cast<double>(step) / static_cast<double>(steps)), 1.0);
    for (auto [name, parameter] : parameters) parameter.mutable_grad().reset();
  }
}

}  // namespace llmctl::test
