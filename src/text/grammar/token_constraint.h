// What a generated text may be, token by token: for infer/, which knows neither text nor grammars.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/json.h"
#include "text/grammar/token_mask.h"
#include "text/tokenizer.h"

namespace llmctl {

namespace grammar {
class TokenMasks;
class MatcherStates;
struct Grammar;
/// Where a text is in a grammar. A value: copies go on independently.
struct Place {
  std::shared_ptr<MatcherStates> states;
  std::uint32_t id = 0;
};
}  // namespace grammar

/// One of the first four.
struct ConstraintSpec {
  std::vector<std::string> choices = {};  ///< the text is one of these
  std::optional<std::string> regex = {};  ///< the text as a whole matches (grammar/regex_syntax.h)
  std::optional<Json> json_schema = {};   ///< the text is JSON that satisfies it (json_schema.h)
  std::optional<std::string> grammar = {};  ///< in GBNF (gbnf.h)
  std::string source = "grammar";           ///< of regex, schema or grammar, in messages
  int json_space = 20;                      ///< JsonStyle
  /// Tokens are chosen so that the text is complete before there is no room for more, where it can
  /// be: each byte is reckoned as a token.
  bool finish_in_time = false;
};

/// The grammar of a specification. kData for its faults; kUsage unless it has exactly one of the
/// four.
grammar::Grammar parse_constraint(const ConstraintSpec& spec);

/// A place in a constrained text; without a grammar anything is allowed. A value: copies (beams,
/// samples) go on independently and share what they find out, from any thread.
class TokenConstraint {
 public:
  TokenConstraint() = default;
  explicit operator bool() const { return shared_ != nullptr; }

  /// Before the first token; `continues`: the text follows another, so that a space before its
  /// first word stays (GrowingText). kData when no tokens spell a text that the grammar allows
  /// there.
  TokenConstraint at_start(bool continues) const;

  /// The place behind these tokens, from before the first one. What was asked for lately is kept,
  /// so that a text that grows by a token is followed by one step, whoever asks.
  TokenConstraint behind(std::span<const TokenId> tokens) const;

  /// The tokens that may come next, at least one; ends exactly where the text may end. `further`:
  /// tokens that there is room for behind the next one (plays a part with finish_in_time).
  std::shared_ptr<const TokenMask> allowed(
      std::int64_t further = std::numeric_limits<std::int64_t>::max());
  /// Goes on by a token; special tokens change nothing. False when no text of the grammar goes on
  /// so: then only ends are allowed.
  bool accept(TokenId id);
  /// The text is complete: it may end here (and may go on where allowed() says so).
  bool can_end() const;

 private:
  struct Shared;
  friend TokenConstraint make_constraint(const ConstraintSpec& spec,
                                         std::shared_ptr<const Tokenizer> tokenizer,
                                         std::vector<TokenId> ends);

  std::shared_ptr<const Shared> shared_;
  grammar::Place place_;
  bool began_first_ = false;  // the text follows no other
  bool first_ = false;        // nothing of the text is there yet
  bool silent_ = false;       // a token that added nothing was taken
};

/// Compiles the constraint for a tokenizer (of a translation, that of its target); `ends` are the
/// tokens that end a text. kData where the grammar is faulty, no tokens spell any of its texts, or
/// none ends one. What is the same is compiled once, while any place in it lives.
TokenConstraint make_constraint(const ConstraintSpec& spec,
                                std::shared_ptr<const Tokenizer> tokenizer,
                                std::vector<TokenId> ends);

}  // namespace llmctl
