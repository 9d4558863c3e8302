// Words of text in a Latin script as the Penn Treebank separates them, as NLTK's word_tokenize does
// within a sentence.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace llmctl {

/// The words of lower-case text. Punctuation stands alone, "don't" is "do" and "n't", "cannot" is
/// "can" and "not", double quotes become `` and ''. Commas and points inside numbers stay where
/// they are.
std::vector<std::u32string> treebank_words(std::u32string_view text);

}  // namespace llmctl
