// A context-free grammar over text: the one form that GBNF, regular expressions, JSON Schema and
// lists of choices become before they are compiled (automaton.h).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llmctl::grammar {

/// Code points from `first` to `last`.
struct CodePoints {
  char32_t first, last;
  bool operator==(const CodePoints&) const = default;
};
/// A set of characters; sorted and apart once normalized. Surrogates are no characters.
using CharClass = std::vector<CodePoints>;

CharClass normalized(CharClass chars);
/// All other characters.
CharClass negated(const CharClass& chars);
CharClass any_char();

constexpr int kUnbounded = -1;

/// An expression of a rule. The default is the empty text.
struct Expr {
  enum class Kind {
    kBytes,     ///< `bytes`
    kChars,     ///< one character of `chars`
    kSequence,  ///< `parts` one after the other
    kChoice,    ///< one of `parts`; of none, nothing matches
    kRepeat,    ///< parts[0] from `least` to `most` times
    kRule       ///< what the rule says
  };
  Kind kind = Kind::kSequence;
  std::string bytes = {};
  CharClass chars = {};
  std::vector<Expr> parts = {};
  int least = 1, most = 1;
  std::size_t rule = 0;

  bool is_empty() const { return kind == Kind::kSequence && parts.empty(); }
  bool is_never() const { return kind == Kind::kChoice && parts.empty(); }
};

Expr bytes(std::string_view text);
Expr chars(CharClass set);
Expr sequence(std::vector<Expr> parts);
Expr choice(std::vector<Expr> parts);
Expr repeat(Expr part, int least, int most);
Expr optional(Expr part);
Expr rule(std::size_t index);
/// Nothing matches.
Expr never();
/// One of the texts, common beginnings once.
Expr one_of(std::span<const std::string> texts);

struct Rule {
  std::string name;
  Expr expr = {};
};

struct Grammar {
  std::vector<Rule> rules;
  std::size_t root = 0;

  /// Appends a rule and gives its index.
  std::size_t add(std::string name, Expr expr = {});
};

/// The grammar of a list of texts. kData for an empty list.
Grammar parse_choices(std::span<const std::string> texts);

}  // namespace llmctl::grammar
