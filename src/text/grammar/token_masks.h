// Which tokens a grammar allows next: masks over the vocabulary, made once for each state of the
// text.
#pragma once

#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/grammar/matcher.h"
#include "text/grammar/token_constraint.h"
#include "text/grammar/token_mask.h"
#include "text/grammar/token_trie.h"

namespace llmctl::grammar {

/// What the mask depends on, besides the place.
struct MaskOptions {
  bool at_start = false;  ///< the token is the first of the text (DecodeState)
  bool silent = false;    ///< tokens that add nothing are allowed at the start
  /// Bytes that completing the text may take after the token.
  std::uint32_t room = std::numeric_limits<std::uint32_t>::max();
};

/// One grammar over one vocabulary. Thread-safe. Tokens of `ends` are allowed exactly where the
/// text is complete. A token is allowed when the text can be completed behind it: with a token for
/// each byte it always can; for other vocabularies that is looked for (and taken to be so where the
/// search is cut short).
class TokenMasks {
 public:
  TokenMasks(std::shared_ptr<const Automaton> automaton, std::shared_ptr<const TokenTries> tries,
             std::vector<TokenId> ends);

  Place start();
  /// Whether tokens of the vocabulary spell a text of the grammar, from its first token
  /// (`at_start`) or behind other text.
  bool can_start(bool at_start);
  /// Goes on by the bytes; false, and a dead place, when no text of the grammar goes on so.
  bool accept(Place& place, std::string_view bytes);
  bool complete(const Place& place);
  std::shared_ptr<const TokenMask> mask(Place& place, const MaskOptions& options);

  /// Masks made so far, for tests: those found again are not among them.
  std::int64_t made() const { return made_; }

 private:
  struct Cached {
    std::uint64_t key;
    std::shared_ptr<const TokenMask> mask;
    std::uint32_t longest;  // distance to the end behind any of its tokens
  };

  void settle(Place& place);
  Cached make(StateId state, const MaskOptions& options);
  bool can_end(StateId state);
  const TokenTrie& trie(bool at_start) const {
    return at_start && tries_->first ? *tries_->first : tries_->next;
  }

  const std::shared_ptr<const Automaton> automaton_;
  const std::shared_ptr<const TokenTries> tries_;
  const std::vector<TokenId> ends_;
  const bool spells_all_;
  std::mutex mutex_;
  std::shared_ptr<MatcherStates> states_;
  std::list<Cached> cached_;  // the last used first
  std::unordered_map<std::uint64_t, std::list<Cached>::iterator> by_key_;
  std::unordered_map<StateId, bool> can_end_;
  std::int64_t made_ = 0;
};

}  // namespace llmctl::grammar
