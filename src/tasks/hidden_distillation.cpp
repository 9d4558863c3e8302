#include "tasks/hidden_distillation.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cosine_similarity.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "base/error.h"
#include "nn/initialize.h"

namespace llmctl {
namespace {

constexpr std::uint64_t kMapSeed = 1234;  // of their first values, the same in every run
const std::string kKey = "task.distillation.hidden_layers";

std::string state_name(std::int64_t layer) {
  return concat("hidden_states.", layer);
}

}  // namespace

std::string hidden_mismatch(const Model& teacher, const Tokenizer& tokenizer, const Tokenizer& own,
                            std::int64_t longest) {
  if (tokenizer.fingerprint() != own.fingerprint()) {
    return " has another tokenizer, so that its hidden states are of other tokens; train the model "
           "with the teacher's (tokenizer.path), or leave hidden_weight out";
  }
  const std::int64_t positions = teacher.facts().max_positions;
  if (longest <= positions) return "";
  return concat(" takes ", positions, " tokens, the longest text has ", longest,
                "; lower data.sequence_length");
}

std::vector<std::pair<std::int64_t, std::int64_t>> layer_pairs(const DistillationConfig& config,
                                                               const Model& model,
                                                               const Model& teacher) {
  const std::int64_t layers = model.facts().layers, teachers = teacher.facts().layers;
  std::vector<std::pair<std::int64_t, std::int64_t>> pairs;
  for (const auto& pair : config.hidden_layers) {
    require(pair[0] >= 0 && pair[0] <= layers && pair[1] >= 0 && pair[1] <= teachers,
            ErrorCode::kConfig, kKey, ": [", pair[0], ", ", pair[1],
            "]: the model has layers 0 to ", layers, ", the teacher 0 to ", teachers);
    pairs.emplace_back(pair[0], pair[1]);
  }
  if (!pairs.empty()) return pairs;
  require(teachers % layers == 0, ErrorCode::kConfig, kKey, ": the teacher's ", teachers,
          " layers are no multiple of the model's ", layers,
          "; say which belong together, as [[layer, teacher's layer], …]");
  for (std::int64_t i = 0; i <= layers; ++i) pairs.emplace_back(i, i * (teachers / layers));
  return pairs;
}

HiddenDistillation::HiddenDistillation(std::shared_ptr<Model> teacher, const Model& student,
                                       const DistillationConfig& config)
    : teacher_(std::move(teacher)),
      cosine_(config.hidden_loss == "cosine"),
      weight_(config.hidden_weight) {
  const std::int64_t width = student.facts().hidden_size, wanted = teacher_->facts().hidden_size;
  for (const auto& [own, other] : layer_pairs(config, student, *teacher_)) {
    Pair& pair = pairs_.emplace_back(Pair{state_name(own), state_name(other), {}});
    if (width == wanted) continue;
    at::Tensor map = at::empty({wanted, width}, at::kFloat);
    fill_normal(map, 1 / std::sqrt(static_cast<double>(width)), kMapSeed,
                concat("distillation.map.", pairs_.size() - 1));
    pair.map = map.to(student.device()).set_requires_grad(true);
  }
}

std::vector<std::pair<std::string, at::Tensor>> HiddenDistillation::parameters() const {
  std::vector<std::pair<std::string, at::Tensor>> parameters;
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    if (pairs_[i].map.defined())
      parameters.emplace_back(concat("distillation.map.", i), pairs_[i].map);
  }
  return parameters;
}

at::Tensor HiddenDistillation::sum(const States& states, const Sequence& input,
                                   const Context& outer) {
  States taught;
  {
    const c10::AutoGradMode no_grad(false);
    const Tap tap = [&](const std::string& name, const at::Tensor& value) { taught[name] = value; };
    Context context;
    context.compute = outer.compute;
    context.tap = &tap;
    context.tap_attentions = false;
    teacher_->hidden(input, context);
  }
  at::Tensor sum;  // [B, T]
  for (const Pair& pair : pairs_) {
    at::Tensor own = states.at(pair.student);  // [B, T, D]
    if (pair.map.defined()) own = at::linear(own, pair.map);
    const at::Tensor& wanted = taught.at(pair.teacher);  // [B, T, E]
    const at::Tensor distance =
        cosine_ ? 1 - at::cosine_similarity(own, wanted, -1) : own.sub(wanted).square().mean(-1);
    sum = sum.defined() ? sum.add(distance) : distance;
  }
  if (input.documents.defined()) sum = sum.mul(input.documents.ge(0));
  return sum.sum().div(static_cast<double>(pairs_.size()));
}

}  // namespace llmctl
