// Unicode's normalisation forms (UAX #15, by utf8proc's tables) with an account of what came from
// where.
#pragma once

#include <string_view>
#include <vector>

#include "text/huggingface/stretch.h"

namespace llmctl {

enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

/// True where the text is surely in the form already; false where it may not be.
bool is_in_form(std::string_view text, UnicodeForm form);

/// The next place behind `at` that no normalisation crosses.
std::size_t form_boundary(std::string_view text, std::size_t at);

/// The characters that the text becomes.
std::vector<Rewriter::Change> changes_to_form(std::string_view text, UnicodeForm form);

/// Appends the canonical decomposition of one character: the first replaces it, the rest are added.
void decompose_character(char32_t c, std::vector<Rewriter::Change>& out);

/// What a character that canonically decomposes into one other becomes; any other stays.
char32_t canonical_singleton(char32_t c);

/// Where the extended grapheme cluster (UAX #29) that begins at `at` ends.
std::size_t grapheme_end(std::string_view text, std::size_t at);

}  // namespace llmctl
