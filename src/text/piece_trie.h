// Pieces by their beginnings: all pieces that a text begins with, in one walk.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace llmctl {

/// A byte trie whose children stand side by side, sorted.
class PieceTrie {
 public:
  using Entries = std::vector<std::pair<std::string_view, std::int32_t>>;

  PieceTrie() : PieceTrie(Entries()) {}
  /// From pieces and their values (not negative); the pieces are distinct and not empty.
  explicit PieceTrie(Entries pieces);

  bool empty() const { return nodes_.empty(); }

  /// Length of the longest piece that the text begins with; 0: none.
  std::size_t longest_prefix(std::string_view text) const {
    std::size_t longest = 0;
    for_each_prefix(text, [&](std::size_t length, std::int32_t) { longest = length; });
    return longest;
  }

  /// Calls found(length in bytes, value) for each piece that the text begins with, shortest first.
  template <class Found>
  void for_each_prefix(std::string_view text, Found&& found) const {
    if (text.empty()) return;
    std::uint32_t node = roots_[static_cast<unsigned char>(text[0])];
    for (std::size_t i = 1; node != kNone; node = child(node, text[i++])) {
      if (nodes_[node].value >= 0) found(i, nodes_[node].value);
      if (i == text.size()) return;
    }
  }

 private:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  struct Node {
    std::uint32_t children = 0;  // index of the first
    std::int32_t value = -1;
    std::uint16_t count = 0;
    unsigned char label = 0;
  };

  std::uint32_t child(std::uint32_t node, char label) const;

  std::vector<Node> nodes_;
  std::array<std::uint32_t, 256> roots_;  // by the first byte
};

}  // namespace llmctl
