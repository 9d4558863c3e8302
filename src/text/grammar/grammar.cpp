#include "text/grammar/grammar.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"

namespace llmctl::grammar {
namespace {

constexpr char32_t kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF, kLastCodePoint = 0x10FFFF;

/// Of sorted texts that share their first `at` bytes.
Expr one_of_sorted(std::span<const std::string> texts, std::size_t at) {
  std::vector<Expr> parts;
  while (!texts.empty() && texts.front().size() == at) {
    if (parts.empty()) parts.push_back({});
    texts = texts.subspan(1);
  }
  while (!texts.empty()) {
    const char first = texts.front()[at];
    std::size_t count = 1;
    while (count < texts.size() && texts[count][at] == first) ++count;
    // As long as they go together: sorted, so the first and the last decide.
    const std::string &low = texts.front(), &high = texts[count - 1];
    const auto end = std::mismatch(low.begin(), low.end(), high.begin(), high.end()).first;
    const auto common = static_cast<std::size_t>(end - low.begin());
    std::vector<Expr> both;
    both.push_back(bytes(std::string_view(low).substr(at, common - at)));
    if (count > 1) both.push_back(one_of_sorted(texts.first(count), common));
    parts.push_back(sequence(std::move(both)));
    texts = texts.subspan(count);
  }
  return choice(std::move(parts));
}

}  // namespace

CharClass normalized(CharClass chars) {
  CharClass split;
  for (CodePoints range : chars) {
    range.last = std::min(range.last, kLastCodePoint);
    if (range.first > range.last) continue;
    if (range.first < kFirstSurrogate) {
      split.push_back({range.first, std::min<char32_t>(range.last, kFirstSurrogate - 1)});
    }
    if (range.last > kLastSurrogate) {
      split.push_back({std::max<char32_t>(range.first, kLastSurrogate + 1), range.last});
    }
  }
  std::sort(split.begin(), split.end(),
            [](const CodePoints& a, const CodePoints& b) { return a.first < b.first; });
  CharClass merged;
  for (const CodePoints range : split) {
    if (!merged.empty() && range.first <= merged.back().last + 1) {
      merged.back().last = std::max(merged.back().last, range.last);
    } else {
      merged.push_back(range);
    }
  }
  return merged;
}

CharClass negated(const CharClass& chars) {
  CharClass rest;
  char32_t next = 0;
  for (const CodePoints range : normalized(chars)) {
    if (range.first > next) rest.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLastCodePoint) rest.push_back({next, kLastCodePoint});
  return normalized(std::move(rest));
}

CharClass any_char() {
  return negated({});
}

Expr bytes(std::string_view text) {
  if (text.empty()) return {};
  return {.kind = Expr::Kind::kBytes, .bytes = std::string(text)};
}

Expr chars(CharClass set) {
  CharClass sorted = normalized(std::move(set));
  if (sorted.empty()) return never();
  return {.kind = Expr::Kind::kChars, .chars = std::move(sorted)};
}

Expr sequence(std::vector<Expr> parts) {
  if (parts.size() == 1) return std::move(parts.front());
  return {.kind = Expr::Kind::kSequence, .parts = std::move(parts)};
}

Expr choice(std::vector<Expr> parts) {
  if (parts.size() == 1) return std::move(parts.front());
  return {.kind = Expr::Kind::kChoice, .parts = std::move(parts)};
}

Expr repeat(Expr part, int least, int most) {
  Expr repeated{.kind = Expr::Kind::kRepeat, .least = least, .most = most};
  repeated.parts.push_back(std::move(part));
  return repeated;
}

Expr optional(Expr part) {
  return repeat(std::move(part), 0, 1);
}

Expr rule(std::size_t index) {
  return {.kind = Expr::Kind::kRule, .rule = index};
}

Expr never() {
  return {.kind = Expr::Kind::kChoice};
}

Expr one_of(std::span<const std::string> texts) {
  std::vector<std::string> sorted(texts.begin(), texts.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  return one_of_sorted(sorted, 0);
}

std::size_t Grammar::add(std::string name, Expr expr) {
  rules.push_back({std::move(name), std::move(expr)});
  return rules.size() - 1;
}

Grammar parse_choices(std::span<const std::string> texts) {
  require(!texts.empty(), ErrorCode::kData, "no choices, expected at least one text");
  for (const std::string& text : texts) {
    if (const auto bad = find_invalid_utf8(text)) {
      fail(ErrorCode::kData, "choice \"", replace_invalid_utf8(text),
           "\" is not valid UTF-8 at byte ", *bad);
    }
  }
  Grammar grammar;
  grammar.add("root", one_of(texts));
  return grammar;
}

}  // namespace llmctl::grammar
