// Whether texts follow a grammar.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "support/expect_error.h"
#include "text/grammar/matcher.h"

namespace llmctl::grammar::test {

inline bool matches(const Grammar& grammar, std::string_view text) {
  Matcher matcher(grammar);
  return matcher.accept(text) && matcher.complete();
}

inline void expect_matches(const Grammar& grammar, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) EXPECT_TRUE(matches(grammar, text)) << text;
}

inline void expect_no_matches(const Grammar& grammar, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) EXPECT_FALSE(matches(grammar, text)) << text;
}

/// kData, with `part` in its message.
template <class Action>
void expect_refused(Action&& action, const std::string& part) {
  llmctl::test::expect_error(ErrorCode::kData, std::vector<std::string>{part}, action);
}

/// A text of the grammar, byte by byte at random; after `length` bytes by the shortest way.
inline std::string random_text(const Grammar& grammar, Random& random, std::size_t length) {
  Matcher matcher(grammar);
  std::string text;
  while (text.size() < length) {
    if (matcher.complete() && random.below(8) == 0) return text;
    std::string possible;
    for (unsigned byte = 0; byte < 256; ++byte) {
      Matcher next = matcher;
      const char c = static_cast<char>(byte);
      if (next.accept({&c, 1})) possible += c;
    }
    if (possible.empty()) {
      EXPECT_TRUE(matcher.complete()) << "a dead end behind " << text;
      return text;
    }
    text += possible[random.below(possible.size())];
    EXPECT_TRUE(matcher.accept(std::string_view(text).substr(text.size() - 1)));
  }
  return text + matcher.shortest_completion();
}

}  // namespace llmctl::grammar::test
