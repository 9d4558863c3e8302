// Random grammars, regular expressions and schemas, and a judge of texts beside the matcher.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/utf8.h"
#include "config/json.h"
#include "text/grammar/grammar.h"

namespace llmctl::test {

/// Recognises by trying everything: where a match of the expression that begins at `from` may end.
class Recogniser {
 public:
  Recogniser(const grammar::Grammar& grammar, const std::string& text)
      : grammar_(grammar), text_(text) {}

  bool matches() { return rule(grammar_.root, 0).contains(text_.size()); }

 private:
  using Ends = std::set<std::size_t>;
  using Expr = grammar::Expr;

  const Ends& rule(std::size_t index, std::size_t from) {
    const auto found = known_.find({index, from});
    if (found != known_.end()) return found->second;
    Ends ends = expr(grammar_.rules[index].expr, from);
    return known_[{index, from}] = std::move(ends);
  }

  Ends expr(const Expr& expr_, std::size_t from) {
    switch (expr_.kind) {
      case Expr::Kind::kBytes:
        if (text_.compare(from, expr_.bytes.size(), expr_.bytes) != 0) return {};
        return {from + expr_.bytes.size()};
      case Expr::Kind::kChars: {
        if (from == text_.size()) return {};
        std::size_t end = from;
        const char32_t c = next_code_point(text_, end);
        for (const auto range : expr_.chars) {
          if (range.first <= c && c <= range.last) return {end};
        }
        return {};
      }
      case Expr::Kind::kSequence: {
        Ends ends = {from};
        for (const Expr& part : expr_.parts) ends = behind(part, ends);
        return ends;
      }
      case Expr::Kind::kChoice: {
        Ends ends;
        for (const Expr& part : expr_.parts) ends.merge(expr(part, from));
        return ends;
      }
      case Expr::Kind::kRepeat: {
        Ends ends = {from}, all;
        if (expr_.least == 0) all = ends;
        for (int n = 1; expr_.most == grammar::kUnbounded || n <= expr_.most; ++n) {
          ends = behind(expr_.parts[0], ends);
          const std::size_t before = all.size();
          if (n >= expr_.least) all.insert(ends.begin(), ends.end());
          if (ends.empty() || (n > expr_.least && all.size() == before)) break;
        }
        return all;
      }
      case Expr::Kind::kRule:
        return rule(expr_.rule, from);
    }
    return {};
  }

  Ends behind(const Expr& part, const Ends& froms) {
    Ends ends;
    for (const std::size_t from : froms) ends.merge(expr(part, from));
    return ends;
  }

  const grammar::Grammar& grammar_;
  const std::string& text_;
  std::map<std::pair<std::size_t, std::size_t>, Ends> known_;
};

/// Writes grammars, regular expressions and schemas by chance.
class GrammarWriter {
 public:
  explicit GrammarWriter(Random& random) : random_(random) {}

  /// Rules that call one another; a call stands behind a literal, so that none begins with itself.
  std::string gbnf() {
    const auto rules = 1 + random_.below(4);
    std::string text;
    for (std::uint64_t i = 0; i < rules; ++i) {
      text += (i == 0 ? "root" : "r" + std::to_string(i)) + " ::= ";
      text += gbnf_choice(2, rules) + "\n";
    }
    return text;
  }

  std::string regex(int depth = 3) {
    std::string text;
    for (auto n = 1 + random_.below(3); n > 0; --n) {
      std::string atom = pick({"a", "b", "xy", "[a-c]", "[^a-z0-9]", "\\d", "\\w", " ", "\\."});
      if (depth > 0 && random_.below(3) == 0) {
        atom = (random_.below(2) ? "(" : "(?:") + regex(depth - 1) + "|" + regex(depth - 1) + ")";
      } else if (atom == "xy") {
        atom = "(xy)";
      }
      text += atom + pick({"", "", "", "?", "*", "+", "{2}", "{1,3}", "*?"});
    }
    return text;
  }

  Json schema(int depth = 2) {
    const auto kind = random_.below(depth > 0 ? 11 : 7);
    const auto small = [&] { return static_cast<std::int64_t>(random_.below(30)) - 10; };
    if (kind == 0) return {{"type", pick({"null", "boolean", "integer", "number", "string"})}};
    if (kind == 1) {
      const std::int64_t least = small();
      return {{"type", random_.below(2) ? "integer" : "number"},
              {"minimum", least},
              {"maximum", least + static_cast<std::int64_t>(random_.below(40))}};
    }
    if (kind == 2) return {{"type", "string"}, {"minLength", random_.below(3)}, {"maxLength", 3}};
    if (kind == 3) return {{"enum", {pick({"好", "a\"b"}), small(), nullptr, "x"}}};
    if (kind == 4) return {{"type", "string"}, {"pattern", pick({"^[a-z]{1,3}$", "^\\d+-\\d+$"})}};
    if (kind == 5) return {{"type", {"string", "integer"}}};
    if (kind == 6) return {{"const", pick({"中文", "yes"})}};
    if (kind == 7) {
      return {{"type", "array"},
              {"items", schema(depth - 1)},
              {"minItems", random_.below(2)},
              {"maxItems", 1 + random_.below(3)}};
    }
    if (kind == 8) return {{"anyOf", {schema(depth - 1), schema(depth - 1)}}};
    if (kind == 9 && random_.below(3) == 0) return Json::object();
    Json properties = Json::object(), required = Json::array();
    for (const char* name : {"a", "名", "c d"}) {
      if (random_.below(3) == 0) continue;
      properties[name] = schema(depth - 1);
      if (random_.below(2)) required.push_back(name);
    }
    Json object = {{"type", "object"}, {"properties", properties}, {"required", required}};
    if (random_.below(4) == 0) object["additionalProperties"] = schema(0);
    return object;
  }

 private:
  std::string pick(const std::vector<std::string>& of) { return of[random_.below(of.size())]; }

  std::string gbnf_choice(int depth, std::uint64_t rules) {
    std::string text = gbnf_sequence(depth, rules);
    for (auto n = random_.below(3); n > 0; --n) text += " | " + gbnf_sequence(depth, rules);
    return text;
  }

  std::string gbnf_sequence(int depth, std::uint64_t rules) {
    std::string text = pick({"\"a\"", "\"我\"", "[a-c]", "[我们一-三]", "\"(\"", "[^a-z\\n]"});
    for (auto n = random_.below(3); n > 0; --n) {
      const auto kind = random_.below(4);
      std::string item = pick({"\"b\"", "\"天 \"", "[x-z😀]", "\"\\\")\""});
      if (kind == 0 && depth > 0) item = "(" + gbnf_choice(depth - 1, rules) + ")";
      if (kind == 1) {
        const auto rule = random_.below(rules);
        item = rule == 0 ? "root" : "r" + std::to_string(rule);
      }
      text += " " + item + pick({"", "", "", "?", "*", "+", "{2}", "{0,2}", "{1,}"});
    }
    return text;
  }

  Random& random_;
};

}  // namespace llmctl::test
