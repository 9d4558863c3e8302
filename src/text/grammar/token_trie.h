// The texts of all tokens as a trie, so that what a grammar allows is found without asking for each
// token on its own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "text/grammar/matcher.h"
#include "text/tokenizer.h"

namespace llmctl::grammar {

/// Immutable.
class TokenTrie {
 public:
  /// Texts are not empty; several tokens may have the same.
  explicit TokenTrie(std::vector<std::pair<std::string, TokenId>> tokens);

  /// Calls found(state, tokens) for all tokens whose text may come next, with the state behind it.
  template <class Found>
  void walk(MatcherStates& states, StateId from, const Found& found) const {
    std::vector<StateId> path(deepest_ + 1);
    path[0] = from;
    for (std::uint32_t i = 0; i + 1 < nodes_.size();) {
      const Node& node = nodes_[i];
      const StateId state = states.next(path[node.depth - 1], node.byte);
      if (state == MatcherStates::kDead) {
        i = node.end;
        continue;
      }
      // Where all further bytes leave the state as it is, the whole branch is allowed.
      if (node.bytes != kNoSet && states.loops(state).contains(sets_[node.bytes])) {
        found(state, tokens(node.token, nodes_[node.end].token));
        i = node.end;
        continue;
      }
      const std::uint32_t next = nodes_[i + 1].token;
      if (next > node.token) found(state, tokens(node.token, next));
      path[node.depth] = state;
      ++i;
    }
  }

  /// A token for every byte that UTF-8 has: whatever a grammar asks for can be spelled.
  bool covers_all_bytes() const { return covers_all_bytes_; }
  std::size_t node_count() const { return nodes_.size() - 1; }

 private:
  static constexpr std::uint32_t kNoSet = ~std::uint32_t{0};
  /// In the order of a walk; one more than there are.
  struct Node {
    std::uint32_t end;    // the next node that is not below this one
    std::uint32_t token;  // first of its own tokens; those below follow
    std::uint32_t bytes;  // of a large branch: the bytes below it, in sets_
    std::uint16_t depth;  // from 1
    std::uint8_t byte;
  };

  std::span<const TokenId> tokens(std::uint32_t begin, std::uint32_t end) const {
    return std::span(tokens_).subspan(begin, end - begin);
  }

  std::vector<Node> nodes_;
  std::vector<TokenId> tokens_;  // in the order of their texts
  std::vector<MatcherStates::ByteSet> sets_;
  std::size_t deepest_ = 0;
  bool covers_all_bytes_ = false;
};

/// The tokens of a tokenizer by what decoding makes of them. Special tokens and the unknown one are
/// in neither trie: they are no text.
struct TokenTries {
  explicit TokenTries(const Tokenizer& tokenizer);

  std::int64_t vocab_size;
  TokenTrie next;                          ///< behind other text
  std::shared_ptr<const TokenTrie> first;  ///< as the first of a text (null: the same)
  /// Tokens that add nothing as the first of a text (a lone "▁", whose space is dropped).
  std::vector<TokenId> silent;
};

/// The tries of the tokenizer, shared by all who ask while any of them lives.
std::shared_ptr<const TokenTries> token_tries(const std::shared_ptr<const Tokenizer>& tokenizer);

}  // namespace llmctl::grammar
