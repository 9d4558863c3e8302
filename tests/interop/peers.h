// What the Python peers beside this file compare with: outputs of a model, ids of a tokenizer.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <c10/core/GradMode.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "config/json.h"
#include "models/model.h"
#include "models/tensor_file.h"
#include "text/tokenizer.h"

namespace llmctl::test {

/// The logits that a model makes of rows [B, T] with documents -1 in the padding: [B, T, …], of a
/// classifier of sequences [B, labels]. An encoder-decoder is given the same tokens on both sides.
inline at::Tensor logits_of(Model& model, const Sequence& input) {
  const c10::AutoGradMode no_grad(false);
  const std::int64_t count = input.rows(), length = input.length();
  Context context;
  Memory memory;
  if (model.facts().encoder_decoder) {
    memory = {model.encode(input, context), input.documents};
    context.memory = &memory;
  }
  const at::Tensor hidden = model.hidden(input, context);
  const at::Tensor rows = hidden.reshape({count * length, hidden.size(2)});
  if (model.facts().head == HeadKind::kSequenceClassification)
    return model.head(model.pooled(hidden, input), {});
  return model.head(rows, {}).view({count, length, -1});
}

/// Writes expected.safetensors into a model's directory, for load_models.py: the input and
/// logits_of().
inline void write_expected(const std::filesystem::path& directory, Model& model,
                           const Sequence& input) {
  const at::Tensor logits = logits_of(model, input);
  std::vector<std::pair<std::string, at::Tensor>> tensors{
      {"input_ids", input.ids},
      {"attention_mask", input.documents.ge(0).to(at::kLong)},
      {"logits", logits.contiguous()}};
  if (model.facts().model_type == "bert") {
    tensors.emplace_back("token_type_ids", input.token_types);
  }
  if (model.facts().encoder_decoder) tensors.emplace_back("decoder_input_ids", input.ids.clone());
  write_tensors(directory / "expected.safetensors", tensors);
}

/// Lines for tokenizer_peers.py, one per text.
inline std::string tokenizer_cases(const Tokenizer& tokenizer,
                                   const std::vector<std::string>& texts) {
  std::string cases;
  for (const std::string& text : texts) {
    const auto ids = tokenizer.encode(text);
    const Json row = {{"text", text},
                      {"ids", ids},
                      {"with_special", tokenizer.with_special(ids)},
                      {"recognised", tokenizer.encode_with_special_pieces(text).ids},
                      {"decoded", tokenizer.decode(ids)}};
    cases += dump_json(row) + "\n";
  }
  return cases;
}

}  // namespace llmctl::test
