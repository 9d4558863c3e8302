// The split rules of byte-level BPE models, each as one linear walk instead of a regular
// expression.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "text/huggingface/stretch.h"

namespace llmctl {

enum class SplitRule {
  kGpt2,    ///< GPT-2 and RoBERTa (Radford et al., 2019)
  kLlama3,  ///< Llama 3, numbers by three digits
  kQwen2,   ///< Qwen 2 to 3, numbers digit by digit
};

/// GPT-2's expression, which "ByteLevel" means with "use_regex".
inline constexpr char kGpt2Expression[] =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
/// That of Llama 3.
inline constexpr char kLlama3Expression[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
/// That of Qwen 2 to 3.
inline constexpr char kQwen2Expression[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// The rule that an expression spells, if it is one of them.
std::optional<SplitRule> split_rule_of(std::string_view expression);

/// Appends the parts of text [begin, end), which end to end are all of it.
void split_by_rule(SplitRule rule, std::string_view text, TextRange range,
                   std::vector<TextRange>& out);

}  // namespace llmctl
