// Tokens that are looked for in the text itself, before anything cuts it.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "text/huggingface/json_access.h"
#include "text/huggingface/stretch.h"
#include "text/huggingface/vocabulary.h"
#include "text/piece_trie.h"

namespace llmctl {

/// An element of "added_tokens".
struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool single_word = false;  ///< only where no word character stands beside it
  bool lstrip = false;       ///< takes the white space before it along
  bool rstrip = false;
  bool normalized = false;  ///< looked for in the normalised text
  bool special = false;
};

/// Reads the list and puts its tokens into the vocabulary where they are not there yet. kData for
/// empty contents and for ids that are another token's.
std::vector<AddedToken> read_added_tokens(const JsonAccess& json, Vocabulary& vocabulary);

/// Finds tokens in a text: the leftmost, of those the longest.
class AddedTokenMatcher {
 public:
  struct Match {
    TextRange range;
    TokenId id;
  };

  AddedTokenMatcher() = default;
  /// `contents` are the texts to look for (of equal ones the first counts).
  AddedTokenMatcher(const std::vector<AddedToken>& tokens,
                    const std::vector<std::string>& contents);

  bool empty() const { return tokens_.empty(); }
  std::vector<Match> find(std::string_view text) const;

 private:
  std::vector<AddedToken> tokens_;
  std::vector<std::string> contents_;
  PieceTrie trie_;  // contents to places in tokens_
  std::array<bool, 256> begins_{};
};

}  // namespace llmctl
