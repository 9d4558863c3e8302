// The table of a SentencePiece normaliser: a Darts double-array trie (Aoe, 1989; the layout of
// darts-clone) from byte strings to replacements.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llmctl {

/// Layout of the bytes: the trie's size in bytes (uint32 little-endian), the trie's uint32 units,
/// the replacements, each ended by NUL.
class Charsmap {
 public:
  struct Match {
    std::size_t length = 0;        ///< bytes of the text that are replaced
    std::string_view replacement;  ///< lives as long as the map
  };

  Charsmap() = default;  ///< replaces nothing
  /// Empty bytes are the empty map. Refuses (kData, starting with `place`) a table that leads
  /// outside itself: a unit whose children lie outside the array, a replacement outside the text or
  /// without its end, a way through the trie that never ends.
  Charsmap(std::string_view bytes, std::string_view place);

  bool empty() const { return units_.empty(); }
  /// The longest key that the text begins with.
  std::optional<Match> longest_match(std::string_view text) const { return match(text, false); }
  /// The shortest one.
  std::optional<Match> shortest_match(std::string_view text) const { return match(text, true); }

 private:
  std::optional<Match> match(std::string_view text, bool shortest) const;

  std::vector<std::uint32_t> units_;
  std::string texts_;
};

}  // namespace llmctl
