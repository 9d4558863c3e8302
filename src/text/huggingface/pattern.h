// "pattern" of tokenizer.json: a string that is looked for as it is, or a regular expression.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "text/huggingface/json_access.h"
#include "text/huggingface/stretch.h"

namespace llmctl {

/// Thread-safe.
class Pattern {
 public:
  virtual ~Pattern() = default;
  /// Calls found(match) from left to right; matches do not overlap.
  virtual void for_each_match(std::string_view text, TextRange range,
                              const std::function<void(TextRange)>& found) const = 0;
};

/// From {"String": …} or {"Regex": …}, or a string by itself.
std::unique_ptr<Pattern> make_pattern(const JsonAccess& json);
std::unique_ptr<Pattern> make_string_pattern(std::string text);

/// Replaces every match by `content`, whose characters stand for the match's last one.
void replace_all(Stretch& stretch, const Pattern& pattern, std::string_view content);

}  // namespace llmctl
