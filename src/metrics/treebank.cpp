#include "metrics/treebank.h"

#include <array>
#include <utility>

#include "text/unicode.h"

// The rules are a chain of rewritings, each of which sees what the one before it made; the words
// are what white space separates in the end. Each pass below is one rule, and only its order and
// what it consumes decide the result.
namespace llmctl {
namespace {

using Text = std::u32string;
using View = std::u32string_view;

bool one_of(char32_t c, View set) {
  return set.find(c) != View::npos;
}
bool is_word(char32_t c) {
  return c == U'_' || is_alphanumeric(c);
}
bool word_at(View text, std::size_t i) {
  return i < text.size() && is_word(text[i]);
}
/// Between i-1 and i one side is a word character and the other is not.
bool boundary(View text, std::size_t i) {
  return (i > 0 && is_word(text[i - 1])) != word_at(text, i);
}
bool at(View text, std::size_t i, View what) {
  return text.substr(i).starts_with(what);
}

/// What stands at a place, and what replaces it; of length 0 where nothing of the kind does.
struct Match {
  std::size_t length = 0;
  Text replacement;
};

/// Replaces every match of rule(text, place), left to right, without overlap.
template <class Rule>
Text rewrite(View text, const Rule& rule) {
  Text out;
  out.reserve(text.size() + 16);
  for (std::size_t i = 0; i < text.size();) {
    if (const Match match = rule(text, i); match.length > 0) {
      out += match.replacement;
      i += match.length;
    } else {
      out += text[i++];
    }
  }
  return out;
}

Text padded(View text) {
  return Text(U" ").append(text) + U" ";
}

/// Each character of `set` gets a space on both sides.
Text pad_characters(View text, View set) {
  return rewrite(text, [&](View t, std::size_t i) -> Match {
    if (!one_of(t[i], set)) return {};
    return Match{1, padded(t.substr(i, 1))};
  });
}

/// Each run of at least `least` times `c` gets a space on both sides.
Text pad_runs(View text, char32_t c, std::size_t least) {
  return rewrite(text, [&](View t, std::size_t i) -> Match {
    std::size_t length = 0;
    while (i + length < t.size() && t[i + length] == c) ++length;
    if (length < least) return {};
    return Match{length, padded(t.substr(i, length))};
  });
}

Text replace_all(View text, View what, View by) {
  return rewrite(text, [&](View t, std::size_t i) -> Match {
    if (!at(t, i, what)) return {};
    return Match{what.size(), Text(by)};
  });
}

Text opening_quotes(View text) {
  Text out = pad_runs(pad_characters(text, U"«“‘„"), U'`', 1);
  if (at(out, 0, U"\"")) out.replace(0, 1, U"``");
  out = replace_all(out, U"``", U" `` ");
  out = rewrite(out, [&](View t, std::size_t i) -> Match {
    if (!one_of(t[i], U" ([{<")) return {};
    const std::size_t length = at(t, i + 1, U"\"") ? 1 : at(t, i + 1, U"''") ? 2 : 0;
    if (length == 0) return {};
    return Match{1 + length, Text(1, t[i]) + U" `` "};
  });
  // An apostrophe that opens a word, unless what follows is a clitic.
  return rewrite(out, [&](View t, std::size_t i) -> Match {
    if (t[i] != U'\'' || (i > 0 && is_word(t[i - 1])) || !word_at(t, i + 1)) {
      return {};
    }
    for (View clitic : {U"re", U"ve", U"ll", U"m", U"t", U"s", U"d", U"n"}) {
      if (at(t, i + 1, clitic) && boundary(t, i + 1 + clitic.size())) return {};
    }
    return Match{1, U"' "};
  });
}

/// The full stop that ends the text, whatever closing marks follow it.
Text final_stop(View text) {
  const std::size_t stop = text.rfind(U'.');
  if (stop == View::npos || stop == 0 || text[stop - 1] == U'.') return Text(text);
  std::size_t end = stop + 1;
  while (end < text.size() && one_of(text[end], U"])}>\"'»”’ ")) ++end;
  for (std::size_t i = end; i < text.size(); ++i) {
    if (!is_space(text[i])) return Text(text);
  }
  return Text(text.substr(0, stop)) + U" . " + Text(text.substr(stop + 1, end - stop - 1)) + U" ";
}

/// Commas and colons, but not before a digit. A match takes the character behind it too.
Text commas(View text) {
  const Text out = rewrite(text, [&](View t, std::size_t i) -> Match {
    if (!one_of(t[i], U":,") || i + 1 >= t.size()) return {};
    const char32_t next = t[i + 1];
    if (is_decimal_digit(next)) return {};
    return Match{2, Text(U" ") + t[i] + U" " + next};
  });
  const std::size_t last = out.ends_with(U'\n') ? out.size() - 1 : out.size();
  if (last == 0 || !one_of(out[last - 1], U":,")) return out;
  return out.substr(0, last - 1) + padded(View(out).substr(last - 1, 1)) + out.substr(last);
}

Text punctuation(View text) {
  Text out = commas(final_stop(text));
  out = pad_runs(out, U'.', 2);
  out = pad_characters(out, U";@#$%&\u2012\u2013\u2014\u2015?!");
  out = rewrite(out, [&](View t, std::size_t i) -> Match {
    if (t[i] == U'\'' || !at(t, i + 1, U"' ")) return {};
    return Match{3, Text(1, t[i]) + U" ' "};
  });
  return replace_all(pad_characters(out, U"*][(){}<>"), U"--", U" -- ");
}

/// Cuts an ending off the word before it ("'s", "n't", …); both are followed by a space.
Text cut_endings(View text, std::initializer_list<View> endings) {
  return rewrite(text, [&](View t, std::size_t i) -> Match {
    if (one_of(t[i], U"' ")) return {};
    for (View ending : endings) {
      if (at(t, i + 1, ending) && at(t, i + 1 + ending.size(), U" ")) {
        return Match{ending.size() + 2, Text(1, t[i]) + U" " + Text(ending) + U" "};
      }
    }
    return {};
  });
}

Text closing_quotes(View text) {
  Text out = pad_characters(text, U"»”’");
  out = replace_all(replace_all(out, U"''", U" '' "), U"\"", U" '' ");
  out = rewrite(out, [&](View t, std::size_t i) -> Match {
    std::size_t length = 0;
    while (i + length < t.size() && is_space(t[i + length])) ++length;
    if (length == 0) return {};
    return Match{length, U" "};
  });
  out = cut_endings(out, {U"'s", U"'m", U"'d", U"'"});
  return cut_endings(out, {U"'ll", U"'re", U"'ve", U"n't"});
}

/// Words that are two ("cannot", "gonna").
Text contractions(View text) {
  static constexpr std::array<std::pair<View, View>, 8> kPairs = {{{U"can", U"not"},
                                                                   {U"d", U"'ye"},
                                                                   {U"gim", U"me"},
                                                                   {U"gon", U"na"},
                                                                   {U"got", U"ta"},
                                                                   {U"lem", U"me"},
                                                                   {U"more", U"'n"},
                                                                   {U"wan", U"na"}}};
  Text out(text);
  for (const auto& [first, second] : kPairs) {
    const Text whole = Text(first).append(second);
    out = rewrite(out, [&](View t, std::size_t i) -> Match {
      if (!at(t, i, whole) || !boundary(t, i)) return {};
      const std::size_t end = i + whole.size();
      const bool ends = first == U"wan" ? end < t.size() && is_space(t[end]) : boundary(t, end);
      if (!ends) return {};
      return Match{whole.size(), padded(Text(first) + U" " + Text(second))};
    });
  }
  for (View second : {View(U"is"), View(U"was")}) {  // "more'n'twas"
    const Text whole = Text(U" 't").append(second);
    out = rewrite(out, [&](View t, std::size_t i) -> Match {
      if (!at(t, i, whole) || !boundary(t, i + whole.size())) return {};
      return Match{whole.size(), padded(Text(U"'t ").append(second))};
    });
  }
  return out;
}

}  // namespace

std::vector<std::u32string> treebank_words(std::u32string_view text) {
  const Text marked = contractions(closing_quotes(padded(punctuation(opening_quotes(text)))));
  std::vector<std::u32string> words;
  Text word;
  for (char32_t c : marked) {
    if (!is_space(c)) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

}  // namespace llmctl
