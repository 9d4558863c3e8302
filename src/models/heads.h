// What stands on a body: outputs for chosen rows of hidden states. N rows, D model, V vocabulary.
#pragma once

#include <torch/nn/module.h>

#include <optional>

#include "nn/context.h"
#include "nn/linear.h"
#include "nn/matrix.h"
#include "nn/norm.h"
#include "ops/activation.h"

namespace llmctl {

/// Logits over the vocabulary: an optional transform (dense, activation, LayerNorm), then the word
/// embeddings (tied) or a matrix of its own, then an optional bias.
struct LmHeadConfig {
  std::int64_t hidden_size = 0, vocab_size = 0;
  bool tied = false;
  bool bias = false;
  std::optional<Activation> transform;
  double norm_eps = 1e-12;
  bool constant_bias = false;  ///< the bias [1, V] is no parameter (Marian's final_logits_bias)
  double input_scale = 1;      ///< of the hidden states (T5 with tied embeddings: 1/√D)
};

/// `weight` is undefined when tied.
class LmHead : public Matrix {
 public:
  LmHead(const LmHeadConfig& config, const at::TensorOptions& options);

  /// rows [N, D] → [N, V] fp32; `embeddings` [V, D] are used when tied.
  at::Tensor forward(const at::Tensor& rows, const Matrix& embeddings,
                     const Context& context) const;
  /// As Model::lm_loss.
  at::Tensor loss(const at::Tensor& rows, const Matrix& embeddings, const at::Tensor& labels,
                  const Context& context, at::Tensor* per_row, double label_smoothing) const;

  at::Tensor bias;  ///< undefined without one

 private:
  const Matrix& matrix(const Matrix& embeddings) const { return config_.tied ? embeddings : *this; }
  at::Tensor transformed(const at::Tensor& rows, const Context& context) const;

  LmHeadConfig config_;
  std::shared_ptr<Linear> dense_;
  std::shared_ptr<Norm> norm_;
};

/// Scores of classes: an optional pooler (dense, tanh; in RoBERTa's with dropout before it too),
/// dropout, a linear map.
struct ClassifierConfig {
  std::int64_t hidden_size = 0, outputs = 0;
  bool pooler = false;
  bool bias = true;
  double dropout = 0;
  bool dropout_before_pooler = false;
};

class Classifier : public torch::nn::Module {
 public:
  Classifier(const ClassifierConfig& config, const at::TensorOptions& options);

  /// rows [N, D] → [N, outputs] fp32.
  at::Tensor forward(const at::Tensor& rows, const Context& context) const;

 private:
  ClassifierConfig config_;
  std::shared_ptr<Linear> pooler_, output_;
};

}  // namespace llmctl
