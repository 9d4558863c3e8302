#include "text/piece_trie.h"

#include <algorithm>

namespace llmctl {

PieceTrie::PieceTrie(Entries pieces) {
  roots_.fill(kNone);
  std::sort(pieces.begin(), pieces.end());
  // The pieces [begin, end) share their first `depth` bytes and hang below `parent`. Breadth first:
  // the children of a node are made in one go.
  struct Range {
    std::size_t begin, end, depth;
    std::uint32_t parent;
  };
  std::vector<Range> queue = {{0, pieces.size(), 0, kNone}};
  for (std::size_t next = 0; next < queue.size(); ++next) {
    auto [begin, end, depth, parent] = queue[next];
    if (begin < end && pieces[begin].first.size() == depth) {
      nodes_[parent].value = pieces[begin].second;
      ++begin;
    }
    if (parent != kNone) nodes_[parent].children = static_cast<std::uint32_t>(nodes_.size());
    while (begin < end) {
      const auto label = static_cast<unsigned char>(pieces[begin].first[depth]);
      std::size_t stop = begin + 1;
      while (stop < end && static_cast<unsigned char>(pieces[stop].first[depth]) == label) ++stop;
      const auto node = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({0, -1, 0, label});
      if (parent == kNone) {
        roots_[label] = node;
      } else {
        ++nodes_[parent].count;
      }
      queue.push_back({begin, stop, depth + 1, node});
      begin = stop;
    }
  }
}

std::uint32_t PieceTrie::child(std::uint32_t node, char label) const {
  const auto wanted = static_cast<unsigned char>(label);
  const auto first = nodes_.begin() + nodes_[node].children;
  const auto last = first + nodes_[node].count;
  const auto found = std::lower_bound(first, last, wanted,
                                      [](const Node& a, unsigned char b) { return a.label < b; });
  if (found == last || found->label != wanted) return kNone;
  return static_cast<std::uint32_t>(found - nodes_.begin());
}

}  // namespace llmctl
