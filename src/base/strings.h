// Small functions of strings that many messages need.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llmctl {

/// "a, b, c" of strings of any kind; empty for none.
template <class Strings = std::vector<std::string>>
std::string join(const Strings& parts, std::string_view separator = ", ") {
  std::string text;
  bool first = true;
  for (const auto& part : parts) {
    if (!first) text += separator;
    text += part;
    first = false;
  }
  return text;
}

/// True where the two differ in nothing but the case of ASCII letters.
bool equal_ignoring_case(std::string_view a, std::string_view b);

/// A number as text, all of it; nothing for what is none.
std::optional<double> parse_number(std::string_view text);

/// The time now in UTC as ISO 8601 has it: "2026-03-01T09:30:00Z".
std::string utc_now();

}  // namespace llmctl
