#include "text/grammar/json_text.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"

namespace llmctl::grammar {
namespace {

constexpr int kMoreDigits = 15;

/// What a string holds as it is.
CharClass unescaped_chars() {
  return negated({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}, {0x7F, 0x7F}});
}

/// The character within a string as dump_json writes it.
std::string escaped(char32_t c) {
  std::string text;
  append_utf8(text, c);
  const std::string quoted = dump_json(Json(text));
  return quoted.substr(1, quoted.size() - 2);
}

/// One character of the set as it stands in a string.
Expr escaped_chars(const CharClass& set) {
  CharClass plain;
  std::vector<Expr> parts;
  for (CodePoints range : set) {
    // Only ASCII has characters to escape.
    for (; range.first <= std::min<char32_t>(range.last, 0x7F); ++range.first) {
      const std::string text = escaped(range.first);
      if (text.size() == 1) {
        plain.push_back({range.first, range.first});
      } else {
        parts.push_back(bytes(text));
      }
    }
    if (range.first <= range.last) plain.push_back(range);
  }
  if (!plain.empty()) parts.push_back(chars(std::move(plain)));
  return choice(std::move(parts));
}

Expr escaped_text(const Expr& text) {
  switch (text.kind) {
    case Expr::Kind::kBytes: {
      const std::string quoted = dump_json(Json(text.bytes));
      return bytes(std::string_view(quoted).substr(1, quoted.size() - 2));
    }
    case Expr::Kind::kChars:
      return escaped_chars(text.chars);
    default: {
      Expr result = text;
      for (Expr& part : result.parts) part = escaped_text(part);
      return result;
    }
  }
}

Expr of(std::vector<Expr> parts) {
  return sequence(std::move(parts));
}

Expr digit() {
  return chars({{'0', '9'}});
}

}  // namespace

Expr JsonText::rule_of(std::optional<std::size_t>& index, const char* name,
                       Expr (JsonText::*make)()) {
  if (!index) {
    index = grammar_.add(name);
    Expr expr = (this->*make)();
    grammar_.rules[*index].expr = std::move(expr);
  }
  return rule(*index);
}

Expr JsonText::space() {
  if (most_space_ == 0) return {};
  return rule_of(space_, "space", &JsonText::make_space);
}
Expr JsonText::value() {
  return rule_of(value_, "value", &JsonText::make_value);
}
Expr JsonText::object() {
  return rule_of(object_, "object", &JsonText::make_object);
}
Expr JsonText::array() {
  return rule_of(array_, "array", &JsonText::make_array);
}
Expr JsonText::string() {
  return rule_of(string_, "string", &JsonText::make_string);
}
Expr JsonText::number() {
  return rule_of(number_, "number", &JsonText::make_number);
}
Expr JsonText::string_char() {
  return rule_of(char_, "string character", &JsonText::make_string_char);
}

Expr JsonText::make_space() {
  return choice({{},
                 bytes(" "),
                 of({bytes("\n"), repeat(chars({{' ', ' '}, {'\t', '\t'}}), 0, most_space_)})});
}

Expr JsonText::make_value() {
  return choice({object(), array(), string(), number(), boolean(), bytes("null")});
}

Expr JsonText::make_object() {
  return list("{", member(string(), value()), 0, kUnbounded, "}");
}

Expr JsonText::make_array() {
  return list("[", value(), 0, kUnbounded, "]");
}

Expr JsonText::make_string() {
  return of({bytes("\""), repeat(string_char(), 0, kUnbounded), bytes("\"")});
}

Expr JsonText::make_string_char() {
  const Expr hex = chars({{'0', '9'}, {'A', 'F'}, {'a', 'f'}});
  const Expr d = chars({{'D', 'D'}, {'d', 'd'}});
  // Not one half of a pair that stands for a character above U+FFFF; both halves.
  const Expr single = choice(
      {of({chars({{'0', '9'}, {'A', 'C'}, {'E', 'F'}, {'a', 'c'}, {'e', 'f'}}), repeat(hex, 3, 3)}),
       of({d, chars({{'0', '7'}}), repeat(hex, 2, 2)})});
  const Expr pair = of({d, chars({{'8', '9'}, {'A', 'B'}, {'a', 'b'}}), repeat(hex, 2, 2),
                        bytes("\\u"), d, chars({{'C', 'F'}, {'c', 'f'}}), repeat(hex, 2, 2)});
  const std::vector<std::string> letters = {"\"", "\\", "/", "b", "f", "n", "r", "t"};
  return choice(
      {chars(unescaped_chars()),
       of({bytes("\\"), choice({one_of(letters), of({bytes("u"), choice({single, pair})})})})});
}

Expr JsonText::make_plain_char() {
  return escaped_chars(any_char());
}

Expr JsonText::make_number() {
  return of({optional(bytes("-")),
             choice({bytes("0"), of({chars({{'1', '9'}}), repeat(digit(), 0, kMoreDigits)})}),
             optional(of({bytes("."), repeat(digit(), 1, kMoreDigits + 1)})),
             optional(of({chars({{'e', 'e'}, {'E', 'E'}}),
                          optional(chars({{'+', '+'}, {'-', '-'}})), repeat(digit(), 1, 2)}))});
}

Expr JsonText::integer() {
  return choice({bytes("0"),
                 of({optional(bytes("-")), chars({{'1', '9'}}), repeat(digit(), 0, kMoreDigits)})});
}

Expr JsonText::boolean() {
  return choice({bytes("true"), bytes("false")});
}

Expr JsonText::value_of(const Json& value) {
  if (!value.is_structured() || value.empty()) return bytes(dump_json(value));
  std::vector<Expr> parts = {bytes(value.is_object() ? "{" : "["), space()};
  bool first = true;
  for (const auto& [key, item] : value.items()) {
    if (!std::exchange(first, false)) parts.push_back(comma());
    Expr expr = value_of(item);
    parts.push_back(value.is_object() ? member(bytes(dump_json(Json(key))), std::move(expr))
                                      : std::move(expr));
  }
  parts.push_back(space());
  parts.push_back(bytes(value.is_object() ? "}" : "]"));
  return sequence(std::move(parts));
}

Expr JsonText::string_of(const Expr& text) {
  return of({bytes("\""), escaped_text(text), bytes("\"")});
}

Expr JsonText::string_except(std::span<const std::string> texts) {
  std::vector<std::u32string> sorted;
  for (const std::string& text : texts) {
    const std::vector<char32_t> points = code_points(text);
    sorted.emplace_back(points.begin(), points.end());
  }
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  return of({bytes("\""), except(sorted, 0), bytes("\"")});
}

/// The rest of a string that begins with the first `at` characters of these sorted texts and is
/// none of them.
Expr JsonText::except(std::span<const std::u32string> texts, std::size_t at) {
  const Expr plain = rule_of(plain_char_, "plain character", &JsonText::make_plain_char);
  std::vector<Expr> parts;
  if (!texts.empty() && texts.front().size() == at) {
    texts = texts.subspan(1);
  } else {
    parts.push_back({});
  }
  CharClass taken;
  while (!texts.empty()) {
    const char32_t next = texts.front()[at];
    std::size_t count = 1;
    while (count < texts.size() && texts[count][at] == next) ++count;
    taken.push_back({next, next});
    parts.push_back(of({bytes(escaped(next)), except(texts.first(count), at + 1)}));
    texts = texts.subspan(count);
  }
  parts.push_back(
      of({taken.empty() ? plain : escaped_chars(negated(taken)), repeat(plain, 0, kUnbounded)}));
  return choice(std::move(parts));
}

Expr JsonText::member(Expr key, Expr value) {
  return of({std::move(key), bytes(":"), space(), std::move(value)});
}

Expr JsonText::comma() {
  return of({bytes(","), space()});
}

Expr JsonText::list(const char* open, Expr item, int least, int most, const char* close) {
  std::vector<Expr> parts = {bytes(open), space()};
  if (most != 0) {
    const int more = most == kUnbounded ? kUnbounded : most - 1;
    Expr rest = repeat(of({comma(), item}), std::max(least - 1, 0), more);
    Expr items = of({std::move(item), std::move(rest), space()});
    parts.push_back(least == 0 ? optional(std::move(items)) : std::move(items));
  } else if (least > 0) {
    return never();
  }
  parts.push_back(bytes(close));
  return sequence(std::move(parts));
}

}  // namespace llmctl::grammar
