// Models whose matrices are kept as integers: which matrices, and what a directory's config.json
// says of them.
//
// A quantised directory keeps a matrix NAME.weight as integers [O, I] (outputs × inputs, also where
// the dense file has it transposed) and NAME.weight_scale:
//   int8: I8 [O, I] and F32 [O]: weight[o][i] = values[o][i] · scale[o]
//   int4: U8 [O, I/2] and BF16 [O, I/g]: value + 8 in four bits; of the g inputs of a group the
//         first half are the low bits of its g/2 bytes, the second half the high ones
// and in config.json
//   "quantization_config": {"quant_method": "llmctl", "weights": "int4", "group_size": 32}
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/fields.h"
#include "ops/kernels/matmul.h"

namespace llmctl {

/// How the matrices of a model are kept: those of its body's linear layers in `weights`, the token
/// embeddings and a language model's output matrix in int8 whatever that is, since every answer is
/// chosen by them. Norms, biases, positions, token types and the heads of other tasks stay as they
/// are, and in int4 a matrix whose inputs are no whole groups is int8.
struct Quantization {
  kernels::Form weights = kernels::Form::kInt8;
  std::int64_t group_size = 32;  ///< of int4
  bool operator==(const Quantization&) const = default;
};

/// The names that a user may give: "int8", "int4".
std::optional<Quantization> parse_quantization(const std::string& name);
const char* quantization_name(const Quantization& quantization);

/// Key quantization_config of config.json; nothing where the weights are not quantised. Others'
/// methods are errors of the node's code, named.
std::optional<Quantization> read_quantization(const ConfigNode& config);
Json quantization_json(const Quantization& quantization);

inline constexpr const char* kQuantizationKey = "quantization_config";
/// Behind the name of a quantised tensor: that of its scales.
inline constexpr const char* kScaleSuffix = "_scale";

}  // namespace llmctl
