// The grammar of JSON texts: what schemas are put together from.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "config/json.h"
#include "text/grammar/grammar.h"

namespace llmctl::grammar {

/// Rules of JSON in a grammar, each added when it is first asked for. White space stands only
/// behind brackets, commas and colons and before closing brackets: none, one space, or a line break
/// with up to `most_space` spaces and tabs; 0: none at all. Numbers have at most 16 digits before
/// the point and 16 behind it, and exponents two, so that every reader takes them.
class JsonText {
 public:
  JsonText(Grammar& grammar, int most_space) : grammar_(grammar), most_space_(most_space) {}

  Expr space();
  Expr value();   ///< any
  Expr object();  ///< any
  Expr array();   ///< any
  Expr string();  ///< any
  Expr number();
  Expr integer();
  Expr boolean();
  /// Exactly this value, as dump_json writes its parts.
  Expr value_of(const Json& value);

  /// A character within a string, or what stands for it there.
  Expr string_char();
  /// A string whose text the expression matches: quotes put around, and what JSON escapes escaped.
  Expr string_of(const Expr& text);
  /// A string that is none of these (which one could write with escapes, too: escapes by number are
  /// not in it).
  Expr string_except(std::span<const std::string> texts);

  /// `key: value`.
  Expr member(Expr key, Expr value);
  /// `open item, item, … close` with `least` to `most` items (kUnbounded).
  Expr list(const char* open, Expr item, int least, int most, const char* close);
  /// What stands between two items.
  Expr comma();

 private:
  Expr rule_of(std::optional<std::size_t>& index, const char* name, Expr (JsonText::*make)());
  Expr make_space();
  Expr make_value();
  Expr make_object();
  Expr make_array();
  Expr make_string();
  Expr make_number();
  Expr make_string_char();
  Expr make_plain_char();
  Expr except(std::span<const std::u32string> texts, std::size_t at);

  Grammar& grammar_;
  const int most_space_;
  std::optional<std::size_t> space_, value_, object_, array_, string_, number_, char_, plain_char_;
};

}  // namespace llmctl::grammar
