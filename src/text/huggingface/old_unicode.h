// Classes of characters as Hugging Face's tokenizers have them: from tables of Unicode 8 and 9, in
// which what came later is unassigned. Compared with them on every code point.
#pragma once

namespace llmctl {

/// Punctuation as BERT has it: all of ASCII's signs, and general category P.
bool is_bert_punctuation(char32_t c);
/// Mn: what BertNormalizer takes for an accent.
bool is_nonspacing_mark(char32_t c);
/// Mn, Mc and Me: what StripAccents takes away.
bool is_combining_mark(char32_t c);
/// Cc, Cf and Co: what BertNormalizer's clean_text takes away, white space aside.
bool is_control_character(char32_t c);

}  // namespace llmctl
