#include "models/gguf_layout.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "base/strings.h"

namespace llmctl {
namespace {

using Rows = GgufPlace::Rows;

/// "*" is a layer's number; ".weight" and ".bias" stand behind both names.
struct NamePair {
  const char *file, *gguf;
  bool transposed = false;
  Rows rows = Rows::kSame;
};

constexpr NamePair kLlama[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
    {"model.layers.*.input_layernorm", "blk.*.attn_norm"},
    {"model.layers.*.self_attn.q_proj", "blk.*.attn_q", false, Rows::kQuery},
    {"model.layers.*.self_attn.k_proj", "blk.*.attn_k", false, Rows::kKey},
    {"model.layers.*.self_attn.v_proj", "blk.*.attn_v"},
    {"model.layers.*.self_attn.o_proj", "blk.*.attn_output"},
    {"model.layers.*.self_attn.q_norm", "blk.*.attn_q_norm"},
    {"model.layers.*.self_attn.k_norm", "blk.*.attn_k_norm"},
    {"model.layers.*.post_attention_layernorm", "blk.*.ffn_norm"},
    {"model.layers.*.mlp.gate_proj", "blk.*.ffn_gate"},
    {"model.layers.*.mlp.up_proj", "blk.*.ffn_up"},
    {"model.layers.*.mlp.down_proj", "blk.*.ffn_down"}};

constexpr NamePair kGpt2[] = {{"transformer.wte", "token_embd"},
                              {"transformer.wpe", "position_embd"},
                              {"transformer.ln_f", "output_norm"},
                              {"lm_head", "output"},
                              {"transformer.h.*.ln_1", "blk.*.attn_norm"},
                              {"transformer.h.*.attn.c_attn", "blk.*.attn_qkv", true},
                              {"transformer.h.*.attn.c_proj", "blk.*.attn_output", true},
                              {"transformer.h.*.ln_2", "blk.*.ffn_norm"},
                              {"transformer.h.*.mlp.c_fc", "blk.*.ffn_up", true},
                              {"transformer.h.*.mlp.c_proj", "blk.*.ffn_down", true}};

struct Layout {
  const char* model_type;
  std::span<const NamePair> names;
  bool neighbours;  ///< llama.cpp turns neighbouring rows
};

constexpr Layout kLayouts[] = {{"llama", kLlama, true},
                               {"qwen2", kLlama, false},
                               {"qwen3", kLlama, false},
                               {"gpt2", kGpt2, false}};

const Layout* find_layout(const std::string& model_type) {
  const auto found =
      std::find_if(std::begin(kLayouts), std::end(kLayouts),
                   [&](const Layout& each) { return each.model_type == model_type; });
  return found == std::end(kLayouts) ? nullptr : found;
}

/// The layer's number ("" without one) of a name of the pattern; nothing when it is another name.
std::optional<std::string> match(std::string_view pattern, std::string_view name) {
  const std::size_t star = pattern.find('*');
  if (star == pattern.npos) return pattern == name ? std::optional<std::string>("") : std::nullopt;
  const std::string_view before = pattern.substr(0, star), behind = pattern.substr(star + 1);
  if (name.size() <= before.size() + behind.size() || !name.starts_with(before) ||
      !name.ends_with(behind)) {
    return std::nullopt;
  }
  const std::string_view number =
      name.substr(before.size(), name.size() - before.size() - behind.size());
  if (number.find_first_not_of("0123456789") != number.npos) return std::nullopt;
  return std::string(number);
}

std::string filled(std::string_view pattern, const std::string& number) {
  std::string name(pattern);
  if (const std::size_t star = name.find('*'); star != name.npos) name.replace(star, 1, number);
  return name;
}

std::optional<GgufPlace> place(const std::string& model_type, const std::string& name,
                               const char* NamePair::*from, const char* NamePair::*to) {
  const Layout* const layout = find_layout(model_type);
  const std::size_t dot = name.rfind('.');
  if (layout == nullptr || dot == name.npos) return std::nullopt;
  const std::string part = name.substr(dot);
  if (part != ".weight" && part != ".bias") return std::nullopt;
  for (const NamePair& pair : layout->names) {
    const auto number = match(pair.*from, std::string_view(name).substr(0, dot));
    if (!number) continue;
    return GgufPlace{filled(pair.*to, *number) + part, pair.transposed && part == ".weight",
                     layout->neighbours ? pair.rows : Rows::kSame};
  }
  return std::nullopt;
}

/// Rows as [heads, first, second, …] with the two inner sizes exchanged.
at::Tensor exchanged(const at::Tensor& tensor, std::int64_t heads, bool halves_first) {
  const std::int64_t half = tensor.size(0) / heads / 2;
  std::vector<std::int64_t> shape = {heads, halves_first ? 2 : half, halves_first ? half : 2};
  shape.insert(shape.end(), tensor.sizes().begin() + 1, tensor.sizes().end());
  return tensor.reshape(shape).transpose(1, 2).reshape(tensor.sizes());
}

}  // namespace

bool has_gguf_layout(const std::string& model_type) {
  return find_layout(model_type) != nullptr;
}

std::string gguf_model_types() {
  std::vector<std::string> names;
  for (const Layout& layout : kLayouts) names.emplace_back(layout.model_type);
  return join(names);
}

std::optional<GgufPlace> place_in_gguf(const std::string& model_type, const std::string& name) {
  return place(model_type, name, &NamePair::file, &NamePair::gguf);
}

std::optional<GgufPlace> place_of_gguf(const std::string& model_type, const std::string& name) {
  return place(model_type, name, &NamePair::gguf, &NamePair::file);
}

at::Tensor neighbouring_rows(const at::Tensor& tensor, std::int64_t heads) {
  return exchanged(tensor, heads, true);
}

at::Tensor halved_rows(const at::Tensor& tensor, std::int64_t heads) {
  return exchanged(tensor, heads, false);
}

}  // namespace llmctl
