#include "text/grammar/gbnf.h"

#include <algorithm>
#include <map>

#include "config/fields.h"
#include "text/grammar/scanner.h"

namespace llmctl::grammar {
namespace {

constexpr int kDeepestGroup = 100;
constexpr int kMostRepetitions = 100'000;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

class GbnfParser {
 public:
  GbnfParser(std::string_view text, const std::string& source) : in_(text, source) {}

  Grammar parse() {
    skip_space();
    while (!in_.done()) parse_rule();
    for (const auto& [name, rule] : rules_) {
      if (rule.defined) continue;
      in_.fail_at(rule.at, "rule \"", name, "\" is not defined", did_you_mean(name, defined()));
    }
    const auto root = rules_.find("root");
    if (root == rules_.end()) in_.fail_at(0, "there is no rule \"root\", which a text follows");
    grammar_.root = root->second.index;
    return std::move(grammar_);
  }

 private:
  struct Named {
    std::size_t index;
    std::size_t at;  // first mentioned
    bool defined = false;
  };

  /// White space, line breaks and comments.
  void skip_space() {
    while (true) {
      const char c = in_.peek();
      if (c == '#') {
        while (!in_.done() && in_.peek() != '\n' && in_.peek() != '\r') in_.skip();
      } else if (!in_.done() && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
        in_.skip();
      } else {
        return;
      }
    }
  }

  std::string take_name() {
    const std::size_t from = in_.at();
    while (is_name_char(in_.peek())) in_.skip();
    if (in_.at() == from) in_.fail_here("expected the name of a rule");
    return std::string(in_.text(from, in_.at()));
  }

  /// Whether a new rule begins here.
  bool at_rule() {
    const std::size_t from = in_.at();
    while (is_name_char(in_.peek())) in_.skip();
    const bool named = in_.at() > from;
    skip_space();
    const bool found = named && in_.next_is("::=");
    in_.go_to(from);
    return found;
  }

  Named& named(const std::string& name, std::size_t at) {
    const auto found = rules_.find(name);
    if (found != rules_.end()) return found->second;
    return rules_.emplace(name, Named{grammar_.add(name), at}).first->second;
  }

  void parse_rule() {
    const std::size_t from = in_.at();
    const std::string name = take_name();
    skip_space();
    if (!in_.take("::=")) in_.fail_here("expected ::= behind the rule's name");
    skip_space();
    Named& rule = named(name, from);
    if (rule.defined) in_.fail_at(from, "rule \"", name, "\" is defined twice");
    rule.defined = true;
    const std::size_t index = rule.index;
    Expr expr = parse_choice(0);
    if (!in_.done() && !at_rule()) in_.fail_here("expected the end of the rule");
    grammar_.rules[index].expr = std::move(expr);
  }

  Expr parse_choice(int depth) {
    if (depth > kDeepestGroup) in_.fail_here("groups are nested deeper than ", kDeepestGroup);
    std::vector<Expr> parts;
    do {
      skip_space();
      parts.push_back(parse_sequence(depth));
    } while (in_.take("|"));
    return choice(std::move(parts));
  }

  Expr parse_sequence(int depth) {
    std::vector<Expr> parts;
    while (true) {
      skip_space();
      if (in_.done() || in_.peek() == '|' || in_.peek() == ')' || at_rule()) break;
      Expr item = parse_item(depth);
      skip_space();
      while (true) {
        const std::size_t from = in_.at();
        const auto [least, most] = parse_repetition();
        if (in_.at() == from) break;
        item = repeat(std::move(item), least, most);
        skip_space();
      }
      parts.push_back(std::move(item));
    }
    return sequence(std::move(parts));
  }

  std::pair<int, int> parse_repetition() {
    if (in_.take("*")) return {0, kUnbounded};
    if (in_.take("+")) return {1, kUnbounded};
    if (in_.take("?")) return {0, 1};
    if (!in_.take("{")) return {1, 1};
    skip_space();
    if (!in_.at_number() && in_.peek() != ',') in_.fail_here("expected a number behind {");
    const int least = in_.at_number() ? in_.take_number(kMostRepetitions) : 0;
    int most = least;
    skip_space();
    if (in_.take(",")) {
      skip_space();
      most = in_.at_number() ? in_.take_number(kMostRepetitions) : kUnbounded;
      skip_space();
    }
    if (!in_.take("}")) in_.fail_here("expected } behind the repetitions");
    if (most != kUnbounded && most < least) {
      in_.fail_here("at most ", most, " repetitions are fewer than at least ", least);
    }
    return {least, most};
  }

  Expr parse_item(int depth) {
    const std::size_t from = in_.at();
    if (in_.take("\"")) return parse_literal(from);
    if (in_.take("[")) return parse_class(from);
    if (in_.take(".")) return chars(any_char());
    if (in_.take("(")) {
      Expr group = parse_choice(depth + 1);
      skip_space();
      if (!in_.take(")")) in_.fail_at(from, "this group has no )");
      return group;
    }
    if (in_.peek() == '<' || in_.peek() == '!') {
      in_.fail_here("tokens (<…>) in grammars are not done; write their text");
    }
    if (is_name_char(in_.peek())) {
      const std::string name = take_name();
      return rule(named(name, from).index);
    }
    in_.fail_here("expected a literal, a class, a group or a rule's name, got \"", next_char(),
                  "\"");
  }

  std::string next_char() {
    std::string text;
    append_utf8(text, in_.take_code_point());
    return text;
  }

  Expr parse_literal(std::size_t from) {
    std::string text;
    while (!in_.take("\"")) {
      if (in_.done()) in_.fail_at(from, "this literal has no closing \"");
      append_utf8(text, take_char());
    }
    return bytes(text);
  }

  Expr parse_class(std::size_t from) {
    const bool negative = in_.take("^");
    CharClass set;
    while (!in_.take("]")) {
      if (in_.done()) in_.fail_at(from, "this class has no ]");
      const std::size_t begin = in_.at();
      CodePoints range{take_char(), 0};
      range.last = range.first;
      if (in_.peek() == '-' && in_.peek(1) != ']') {
        in_.skip();
        if (in_.done()) in_.fail_at(from, "this class has no ]");
        range.last = take_char();
        if (range.last < range.first) in_.fail_at(begin, "this range ends before it begins");
      }
      set.push_back(range);
    }
    return chars(negative ? negated(set) : set);
  }

  char32_t take_char() {
    if (!in_.take("\\")) return in_.take_code_point();
    switch (in_.peek()) {
      case 'x':
        in_.skip();
        return in_.take_hex(2);
      case 'u':
        in_.skip();
        return in_.take_hex(4);
      case 'U':
        in_.skip();
        return in_.take_hex(8);
      case 'n':
        in_.skip();
        return '\n';
      case 'r':
        in_.skip();
        return '\r';
      case 't':
        in_.skip();
        return '\t';
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return in_.take_code_point();
      default:
        in_.fail_here(
            "unknown escape, expected \\x, \\u, \\U, \\n, \\r, \\t, \\\\, \\\", \\[ or "
            "\\]");
    }
  }

  std::vector<std::string> defined() const {
    std::vector<std::string> names;
    for (const auto& [name, rule] : rules_) {
      if (rule.defined) names.push_back(name);
    }
    return names;
  }

  Scanner in_;
  Grammar grammar_;
  std::map<std::string, Named> rules_;
};

}  // namespace

Grammar parse_gbnf(std::string_view text, const std::string& source) {
  return GbnfParser(text, source).parse();
}

}  // namespace llmctl::grammar
