#include "models/initialize_model.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string>
#include <variant>

#include "models/transformer_model.h"
#include "nn/initialize.h"

namespace llmctl {
namespace {

bool ends_with_any(const std::string& text, std::initializer_list<const char*> ends) {
  return std::any_of(ends.begin(), ends.end(),
                     [&](const char* end) { return text.ends_with(end); });
}

/// T5's deviations, which make up for attention that divides by nothing.
double t5_deviation(const std::string& parameter, const EncoderDecoderConfig& body) {
  const auto root = [](std::int64_t width) { return 1 / std::sqrt(static_cast<double>(width)); };
  const AttentionConfig& attention = body.decoder.attention;
  if (ends_with_any(parameter, {"embedding.weight", "head.weight"})) return 1;
  if (parameter.ends_with("attention.query.weight")) {
    return root(attention.hidden_size * attention.head_size);
  }
  if (parameter.ends_with("attention.output.weight")) {
    return root(attention.heads * attention.head_size);
  }
  if (parameter.ends_with("feed_forward.down.weight")) {
    return root(body.decoder.feed_forward.intermediate_size);
  }
  return root(attention.hidden_size);
}

/// Standard deviation of a fresh matrix.
double deviation(const TensorRule& rule, const ModelPlan& plan) {
  switch (plan.initialization) {
    case Initialization::kNormal:
      break;
    case Initialization::kScaledResidual:
      if (ends_with_any(rule.parameter, {"attention.output.weight", "feed_forward.down.weight"})) {
        return plan.initializer_range / std::sqrt(2.0 * static_cast<double>(plan.facts.layers));
      }
      break;
    case Initialization::kT5:
      return plan.initializer_range *
             t5_deviation(rule.parameter, std::get<EncoderDecoderConfig>(plan.body));
  }
  return plan.initializer_range;
}

}  // namespace

bool is_embedding(const TensorRule& rule) {
  return rule.parameter == "body.embedding.weight" || rule.parameter == "body.words.weight";
}

void initialize_parameter(const TensorRule& rule, at::Tensor& parameter, const ModelPlan& plan,
                          std::uint64_t seed) {
  const c10::AutoGradMode no_grad(false);
  switch (parameter_kind(rule.parameter)) {
    case ParameterKind::kBias:
      parameter.zero_();
      return;
    case ParameterKind::kNormWeight:
      parameter.fill_(1);
      return;
    case ParameterKind::kMatrix:
      if (plan.sinusoidal_positions && rule.parameter == "body.positions.weight") {
        // Twice the deviation of the words beside them: told apart from the start, not drowned.
        fill_sinusoids(parameter, 2 * std::sqrt(2.0) * plan.initializer_range);
        return;
      }
      fill_normal(parameter, deviation(rule, plan), seed, rule.name());
  }
  // The vector of padding starts as nothing, and stays so where it gets no gradient.
  const std::int64_t padding =
      std::visit([](const auto& body) { return body.padding_id; }, plan.body);
  const bool words = is_embedding(rule) || rule.parameter == "body.source_embedding.weight";
  if (padding >= 0 && words) parameter.select(0, padding).zero_();
}

}  // namespace llmctl
