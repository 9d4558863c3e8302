// Regular expressions of tokenizers by PCRE2, with a bound on the work of one match.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "text/huggingface/stretch.h"

namespace llmctl {

/// A compiled expression over UTF-8 with Unicode classes. Thread-safe.
class Regex {
 public:
  /// kData, starting with `place`, for what is not an expression.
  Regex(const std::string& expression, const std::string& place);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  /// Calls found(match) for the matches within [range.begin, range.end) from left to right; what
  /// stands outside is not seen. kData when a match needs more than the bounded number of steps.
  void for_each_match(std::string_view text, TextRange range,
                      const std::function<void(TextRange)>& found) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string place_, expression_;
};

/// The expression that matches exactly `text`.
std::string escape_regex(std::string_view text);

}  // namespace llmctl
