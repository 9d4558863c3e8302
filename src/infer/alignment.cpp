#include "infer/alignment.h"

#include <ATen/ops/argmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <span>
#include <string>

#include "base/error.h"
#include "models/inputs.h"

namespace llmctl {
namespace {

Sequence one_row(std::span<const TokenId> ids) {
  Sequence sequence;
  const std::vector<std::int64_t> wide(ids.begin(), ids.end());
  sequence.ids = at::tensor(wide, at::kLong).unsqueeze(0);           // [1, T]
  sequence.documents = at::zeros({1, std::ssize(wide)}, at::kLong);  // one text, no padding
  return sequence;
}

}  // namespace

std::int64_t alignment_layer(const AlignmentOptions& options, std::int64_t layers) {
  const std::int64_t layer = options.layer < 0 ? layers + options.layer : options.layer - 1;
  require(layer >= 0 && layer < layers, ErrorCode::kConfig,
          "generation.alignment_layer: ", options.layer, ", the decoder has layers 1 to ", layers,
          " (or -1 to -", layers, ")");
  return layer;
}

std::span<const TokenId> own_tokens(const std::vector<TokenId>& source,
                                    const AlignmentOptions& options) {
  if (options.opening + options.closing >= source.size()) return source;
  return std::span(source).subspan(options.opening,
                                   source.size() - options.opening - options.closing);
}

std::vector<std::int64_t> align(Model& model, const std::vector<TokenId>& source,
                                const std::vector<TokenId>& text, const AlignmentOptions& options,
                                const Context& outer) {
  const std::string wanted =
      concat("cross_attentions.", alignment_layer(options, model.facts().layers));
  if (text.size() < 2) return {};
  Context context = outer;
  context.cache = context.memory_cache = nullptr;
  const Memory memory{
      model.encode(source_to_model(one_row(source), model), context), {}, outer.adapters};
  context.memory = &memory;
  at::Tensor attention;  // [1, H, T, S]
  const Tap tap = [&](const std::string& name, const at::Tensor& value) {
    if (name == wanted) attention = value;
  };
  context.tap = &tap;
  // The pass over a token chooses the one behind it.
  model.hidden(to_model(one_row(std::span(text).first(text.size() - 1)), model), context);
  const std::span<const TokenId> own = own_tokens(source, options);
  const at::Tensor mean =
      attention[0].mean(0).narrow(1, own.data() - source.data(), std::ssize(own));  // [T, own]
  const at::Tensor best = at::argmax(mean, 1).cpu();                                // [T]
  const auto* place = best.const_data_ptr<std::int64_t>();
  return {place, place + best.numel()};
}

}  // namespace llmctl
