// How inputs are told that lost tokens.
#pragma once

#include <cstdint>
#include <string>

namespace llmctl {

/// Inputs of a kind ("text") that have too many tokens.
struct Shortened {
  std::size_t count = 0, of = 0;  ///< so many of so many
  std::int64_t most = 0;          ///< tokens that one may have
};

/// "3 of 500 texts have more than 64 tokens and lose their end (KEY)"; empty where none does.
std::string shortened_note(const Shortened& shortened, const std::string& kind,
                           const std::string& lost, const std::string& key);

}  // namespace llmctl
