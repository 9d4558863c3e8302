#include "text/grammar/regex_syntax.h"

#include <utility>

#include "text/grammar/char_properties.h"
#include "text/grammar/scanner.h"

namespace llmctl::grammar {
namespace {

constexpr int kDeepestRegexGroup = 100;
constexpr int kMostRegexRepetitions = 100'000;

CharClass digits() {
  return {{'0', '9'}};
}
CharClass word_chars() {
  return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
}
CharClass spaces() {
  return {{'\t', '\r'}, {' ', ' '}};
}
CharClass line_breaks() {
  return {{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};
}

class RegexParser {
 public:
  RegexParser(std::string_view text, const std::string& source, RegexMatch match)
      : in_(text, source), match_(match) {}

  Expr parse() {
    bool ends = false;
    Expr expr = parse_choice(0, true, ends);
    if (!in_.done()) in_.fail_here("this ) closes no group");
    return expr;
  }

 private:
  /// `first`: nothing stands before the group, so that ^ holds. `ends`: a $ in it asks that nothing
  /// stands behind.
  Expr parse_choice(int depth, bool first, bool& ends) {
    if (depth > kDeepestRegexGroup)
      in_.fail_here("groups are nested deeper than ", kDeepestRegexGroup);
    std::vector<Expr> parts;
    do {
      parts.push_back(parse_sequence(depth, first, ends));
    } while (in_.take("|"));
    return choice(std::move(parts));
  }

  Expr parse_sequence(int depth, bool first, bool& ends) {
    std::vector<Expr> parts;
    bool begun = false, ended = false;
    const auto anything = [] { return repeat(chars(any_char()), 0, kUnbounded); };
    while (!in_.done() && in_.peek() != '|' && in_.peek() != ')') {
      if (in_.peek() == '^') {
        if (!first || !parts.empty()) in_.fail_here("^ stands only at the beginning");
        check_anchor(depth);
        in_.skip();
        begun = true;
      } else if (in_.peek() == '$') {
        check_anchor(depth);
        in_.skip();
        ended = true;
      } else {
        if (ended) in_.fail_here("$ stands only at the end");
        bool group_ends = false;
        parts.push_back(parse_item(depth, first && parts.empty(), group_ends));
        ended = group_ends;
      }
    }
    ends = ends || ended;
    if (match_ == RegexMatch::kAnywhere && depth == 0) {
      if (!begun) parts.insert(parts.begin(), anything());
      if (!ended) parts.push_back(anything());
    }
    return sequence(std::move(parts));
  }

  /// What may stand before an unanchored expression cannot be said within a group.
  void check_anchor(int depth) {
    if (match_ == RegexMatch::kAnywhere && depth > 0) {
      in_.fail_here("anchors within groups are not done here; put them at the ends");
    }
  }

  Expr parse_item(int depth, bool first, bool& ends) {
    const std::size_t from = in_.at();
    Expr item = parse_atom(depth, first, ends);
    const std::size_t behind = in_.at();
    auto [least, most] = parse_quantifier();
    if (in_.at() == behind) return item;
    if (ends) in_.fail_at(from, "a group with $ in it cannot be repeated");
    if (in_.peek() == '+') in_.fail_here("possessive quantifiers are not done");
    in_.take("?");  // lazy: the same texts
    const std::size_t again = in_.at();
    parse_quantifier();
    if (in_.at() != again) in_.fail_at(again, "two quantifiers follow each other");
    return repeat(std::move(item), least, most);
  }

  std::pair<int, int> parse_quantifier() {
    if (in_.take("*")) return {0, kUnbounded};
    if (in_.take("+")) return {1, kUnbounded};
    if (in_.take("?")) return {0, 1};
    // A brace that begins no quantifier is itself.
    if (in_.peek() != '{' || !at_counts()) return {1, 1};
    in_.skip();
    const int least = in_.at_number() ? in_.take_number(kMostRegexRepetitions) : 0;
    int most = least;
    if (in_.take(",")) most = in_.at_number() ? in_.take_number(kMostRegexRepetitions) : kUnbounded;
    if (most != kUnbounded && most < least) {
      in_.fail_here("at most ", most, " repetitions are fewer than at least ", least);
    }
    in_.skip();
    return {least, most};
  }

  /// Whether {m}, {m,}, {,n} or {m,n} is next.
  bool at_counts() const {
    std::size_t ahead = 1, digits = 0;
    for (; Scanner::is_digit(in_.peek(ahead)); ++ahead) ++digits;
    if (in_.peek(ahead) == ',') {
      for (++ahead; Scanner::is_digit(in_.peek(ahead)); ++ahead) ++digits;
    }
    return digits > 0 && in_.peek(ahead) == '}';
  }

  Expr parse_atom(int depth, bool first, bool& ends) {
    const std::size_t from = in_.at();
    switch (in_.peek()) {
      case '(':
        in_.skip();
        return parse_group(from, depth, first, ends);
      case '[':
        in_.skip();
        return chars(parse_class(from));
      case '.':
        in_.skip();
        return chars(negated(line_breaks()));
      case '\\': {
        CharClass set = parse_escape(false);
        return chars(std::move(set));
      }
      case '*':
      case '+':
      case '?':
        in_.fail_here("nothing stands before the quantifier");
      default: {
        if (in_.peek() == '{' && at_counts()) in_.fail_here("nothing stands before the quantifier");
        const char32_t c = in_.take_code_point();
        std::string text;
        append_utf8(text, c);
        return bytes(text);
      }
    }
  }

  Expr parse_group(std::size_t from, int depth, bool first, bool& ends) {
    if (in_.take("?")) {
      if (in_.next_is("=") || in_.next_is("!") || in_.next_is("<=") || in_.next_is("<!")) {
        in_.fail_at(from, "look-around is no regular language");
      }
      if (in_.take("P=")) in_.fail_at(from, "back references are no regular language");
      if (in_.take("#")) in_.fail_at(from, "comments are not done");
      if (in_.take(">") || in_.take("|")) in_.fail_at(from, "atomic groups are not done");
      const bool named = in_.take("P<") || in_.take("<") || in_.take("'");
      if (named) {
        while (!in_.done() && in_.peek() != '>' && in_.peek() != '\'') in_.skip();
        in_.skip();
      } else if (!in_.take(":")) {
        in_.fail_at(from, "flags and conditions are not done");
      }
    }
    Expr group = parse_choice(depth + 1, first, ends);
    if (!in_.take(")")) in_.fail_at(from, "this group has no )");
    return group;
  }

  CharClass parse_class(std::size_t from) {
    const bool negative = in_.take("^");
    CharClass set;
    for (bool at_begin = true; at_begin || in_.peek() != ']'; at_begin = false) {
      if (in_.done()) in_.fail_at(from, "this class has no ]");
      if (at_begin && in_.peek() == ']') in_.fail_here("an empty class; write \\] for the bracket");
      if (in_.next_is("[:")) in_.fail_here("POSIX classes are not done; use \\d, \\w, \\s, \\p{L}");
      const std::size_t begin = in_.at();
      CharClass low = class_item();
      const bool ranged = in_.peek() == '-' && in_.peek(1) != ']' && in_.peek(1) != '\0';
      if (ranged) {
        in_.skip();
        const CharClass high = class_item();
        const bool single = low.size() == 1 && high.size() == 1 && low[0].first == low[0].last &&
                            high[0].first == high[0].last;
        if (!single) in_.fail_at(begin, "a range has a character at each end");
        if (high[0].first < low[0].first) in_.fail_at(begin, "this range ends before it begins");
        low[0].last = high[0].last;
      }
      set.insert(set.end(), low.begin(), low.end());
    }
    in_.skip();
    return negative ? negated(set) : set;
  }

  CharClass class_item() {
    if (in_.peek() == '\\') return parse_escape(true);
    const char32_t c = in_.take_code_point();
    return {{c, c}};
  }

  CharClass parse_escape(bool in_class) {
    const std::size_t from = in_.at();
    in_.skip();
    if (in_.done()) in_.fail_at(from, "nothing stands behind the backslash");
    const char32_t c = in_.take_code_point();
    const auto one = [](char32_t value) { return CharClass{{value, value}}; };
    switch (c) {
      case 'd':
        return digits();
      case 'D':
        return negated(digits());
      case 'w':
        return word_chars();
      case 'W':
        return negated(word_chars());
      case 's':
        return spaces();
      case 'S':
        return negated(spaces());
      case 'p':
      case 'P':
        return parse_property(from, c == 'P');
      case 't':
        return one('\t');
      case 'n':
        return one('\n');
      case 'r':
        return one('\r');
      case 'f':
        return one('\f');
      case 'v':
        return one('\v');
      case 'x':
        return one(in_.take_hex(2));
      case 'u':
        return one(in_.peek() == '{' ? braced_hex() : in_.take_hex(4));
      case 'U':
        return one(in_.take_hex(8));
      case '0':
        if (Scanner::is_digit(in_.peek())) in_.fail_at(from, "octal escapes are not done");
        return one(0);
      case 'b':
      case 'B':
        if (in_class && c == 'b') return one('\b');
        in_.fail_at(from, "word boundaries are not done");
      case 'A':
      case 'z':
      case 'Z':
      case 'G':
        in_.fail_at(from, "this anchor is not done; the expression is the whole text anyway");
      case 'k':
        in_.fail_at(from, "back references are no regular language");
      default:
        break;
    }
    if (c >= '1' && c <= '9') in_.fail_at(from, "back references are no regular language");
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter) in_.fail_at(from, "unknown escape \\", static_cast<char>(c));
    return one(c);
  }

  char32_t braced_hex() {
    in_.skip();
    int digits = 0;
    while (digits < 8 && in_.peek(static_cast<std::size_t>(digits)) != '}') ++digits;
    const char32_t value = in_.take_hex(digits);
    if (digits == 0 || !in_.take("}")) in_.fail_here("expected \\u{…} with a character's number");
    return value;
  }

  CharClass parse_property(std::size_t from, bool negative) {
    std::string name;
    if (in_.take("{")) {
      while (!in_.done() && in_.peek() != '}') name += in_.text(in_.at(), in_.at() + 1), in_.skip();
      if (!in_.take("}")) in_.fail_at(from, "this property has no }");
    } else if (!in_.done()) {
      append_utf8(name, in_.take_code_point());
    }
    const auto set = char_property(name);
    if (!set) {
      in_.fail_at(from, "unknown property \"", name,
                  "\", expected a general category (L, Lu, N, Nd, P, …) or Han");
    }
    return negative ? negated(*set) : *set;
  }

  Scanner in_;
  const RegexMatch match_;
};

}  // namespace

Expr parse_regex(std::string_view expression, const std::string& source, RegexMatch match) {
  return RegexParser(expression, source, match).parse();
}

}  // namespace llmctl::grammar
