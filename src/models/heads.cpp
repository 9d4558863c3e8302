#include "models/heads.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

#include "base/error.h"
#include "nn/dropout.h"
#include "ops/cross_entropy.h"
#include "ops/linear.h"

namespace llmctl {

LmHead::LmHead(const LmHeadConfig& config, const at::TensorOptions& options) : config_(config) {
  if (config.transform) {
    dense_ = register_module(
        "dense", std::make_shared<Linear>(config.hidden_size, config.hidden_size, true, options));
    norm_ = register_module("norm", std::make_shared<Norm>(NormKind::kLayer, config.hidden_size,
                                                           config.norm_eps, options));
  }
  if (!config.tied) {
    weight =
        register_parameter("weight", at::empty({config.vocab_size, config.hidden_size}, options));
  }
  if (config.constant_bias) {
    bias = register_buffer("bias", at::empty({1, config.vocab_size}, options));
  } else if (config.bias) {
    bias = register_parameter("bias", at::empty({config.vocab_size}, options));
  }
}

at::Tensor LmHead::transformed(const at::Tensor& rows, const Context& context) const {
  if (config_.input_scale != 1) return rows * config_.input_scale;
  if (!config_.transform) return rows;
  return norm_->forward(activate(*config_.transform, dense_->forward(rows, context)),
                        context.compute);
}

at::Tensor LmHead::forward(const at::Tensor& rows, const Matrix& embeddings,
                           const Context& context) const {
  const Matrix& output = matrix(embeddings);
  const at::Tensor x = transformed(rows, context);
  const at::Tensor flat = bias.defined() ? bias.reshape({-1}) : bias;
  if (output.multiplies_stored(x, context)) return multiply(x, output.form(), flat);
  const at::Tensor logits = linear_logits(x, output.weight, context.compute).to(at::kFloat);
  return bias.defined() ? logits + bias.to(at::kFloat) : logits;
}

at::Tensor LmHead::loss(const at::Tensor& rows, const Matrix& embeddings, const at::Tensor& labels,
                        const Context& context, at::Tensor* per_row, double label_smoothing) const {
  const Matrix& output = matrix(embeddings);
  const at::Tensor x = transformed(rows, context);
  const at::Tensor flat = bias.defined() ? bias.reshape({-1}) : bias;
  if (output.multiplies_stored(x, context)) {
    require(label_smoothing == 0, ErrorCode::kInternal, "labels are smoothed in training alone");
    return stored_cross_entropy(x, output.form(), flat, labels, per_row);
  }
  return linear_cross_entropy(x, output.weight, flat, labels, {context.compute, label_smoothing},
                              per_row);
}

Classifier::Classifier(const ClassifierConfig& config, const at::TensorOptions& options)
    : config_(config) {
  if (config.pooler) {
    pooler_ = register_module(
        "pooler", std::make_shared<Linear>(config.hidden_size, config.hidden_size, true, options));
  }
  output_ = register_module(
      "output", std::make_shared<Linear>(config.hidden_size, config.outputs, config.bias, options));
}

at::Tensor Classifier::forward(const at::Tensor& rows, const Context& context) const {
  at::Tensor x = rows;
  seed_dropout(context, kHeadBlock, x.device());
  if (config_.dropout_before_pooler) x = dropout(x, config_.dropout, context);
  if (pooler_) x = activate(Activation::kTanh, pooler_->forward(x, context));
  Context exact = context;  // scores in fp32, not rounded to what the body computes in
  if (exact.compute != at::kDouble) exact.compute = at::kFloat;
  return output_->forward(dropout(x, config_.dropout, context), exact).to(at::kFloat);
}

}  // namespace llmctl
