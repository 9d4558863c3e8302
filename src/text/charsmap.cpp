#include "text/charsmap.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"

namespace llmctl {
namespace {

constexpr std::size_t kMaxBytes = 8u << 20;  // SentencePiece's own tables take 240 kB
constexpr std::size_t kMaxReplacement = 1000;
constexpr int kMaxKey = 1000;
constexpr int kMaxMatches = 32;  // the library keeps the matches at one place in an array of 32

// One unit of darts-clone's double array.
std::uint32_t label(std::uint32_t unit) {
  return unit & (0x80000000u | 0xFFu);
}
bool has_leaf(std::uint32_t unit) {
  return (unit >> 8 & 1) != 0;
}
std::uint32_t child_offset(std::uint32_t unit) {
  return unit >> 10 << ((unit & 1u << 9) >> 6);
}
bool is_value(std::uint32_t unit) {
  return unit >> 31 != 0;
}

class CharsmapCheck {
 public:
  CharsmapCheck(std::string_view charsmap, std::string_view place) : place_(place) {
    if (charsmap.size() > kMaxBytes) {
      refuse(concat(charsmap.size(), " bytes, at most ", kMaxBytes, " are read"));
    }
    std::uint32_t size = 0;
    if (charsmap.size() < sizeof size) refuse(concat("only ", charsmap.size(), " bytes"));
    std::memcpy(&size, charsmap.data(), sizeof size);
    charsmap.remove_prefix(sizeof size);
    if (size > charsmap.size()) {
      refuse(concat("its trie takes ", size, " bytes where ", charsmap.size(), " are left"));
    }
    if (size == 0 || size % 4 != 0) refuse(concat("its trie has a size of ", size, " bytes"));
    units_.resize(size / 4);
    std::memcpy(units_.data(), charsmap.data(), size);
    texts_ = charsmap.substr(size);
    if (texts_.empty() || texts_.back() != '\0') refuse("its last replacement has no end");
  }

  void run() {
    for (std::size_t i = 0; i < units_.size(); ++i) {
      if (i == 0 || !is_value(units_[i])) check_unit(i);
    }
    matches_.assign(units_.size(), kUnknown);
    const int most = longest_chain(child_offset(units_[0]), 0);
    if (most > kMaxMatches) refuse(concat("its trie has ", most, " keys inside one another"));
  }

 private:
  static constexpr std::int16_t kUnknown = -1, kOpen = -2;

  [[noreturn]] void refuse(const std::string& what) const {
    fail(ErrorCode::kData, place_, ": ", what);
  }

  /// The children of unit i fill the block of 256 around i ^ offset; a leaf's value is in there.
  void check_unit(std::size_t i) {
    const std::size_t children = i ^ child_offset(units_[i]);
    if ((children | 0xFF) >= units_.size()) {
      refuse(concat("unit ", i, " of its trie points outside its ", units_.size(), " units"));
    }
    if (!has_leaf(units_[i])) return;
    const std::size_t begin = units_[children] & 0x7FFFFFFFu;
    if (begin >= texts_.size()) {
      refuse(concat("unit ", i, " of its trie names byte ", begin, " of ", texts_.size(),
                    " bytes of replacements"));
    }
    std::string_view text = texts_.substr(begin, kMaxReplacement + 1);
    if (text.find('\0') == text.npos) {
      refuse(concat("the replacement at byte ", begin, " is longer than ", kMaxReplacement));
    }
    text = text.substr(0, text.find('\0'));
    if (find_invalid_utf8(text)) refuse(concat("the replacement at byte ", begin, " is not UTF-8"));
  }

  /// The largest number of keys that end on one way down from the node whose children are in the
  /// block of `node`. Darts shares subtrees, so the results are kept.
  int longest_chain(std::size_t node, int depth) {
    if (matches_[node] == kOpen || depth > kMaxKey) refuse("its trie has an endless key");
    if (matches_[node] != kUnknown) return matches_[node];
    matches_[node] = kOpen;
    int most = 0;
    for (std::uint32_t c = 0; c < 256; ++c) {
      const std::size_t i = node ^ c;
      const std::uint32_t unit = units_[i];
      if (label(unit) != c) continue;
      const std::size_t child = i ^ child_offset(unit);
      // An unused unit (all zero) looks like a step by NUL that leads nowhere new.
      if (child == node && !has_leaf(unit)) continue;
      const int below = longest_chain(child, depth + 1) + (has_leaf(unit) ? 1 : 0);
      if (below > most) most = below;
    }
    matches_[node] = static_cast<std::int16_t>(most);
    return most;
  }

  std::string_view place_, texts_;
  std::vector<std::uint32_t> units_;
  std::vector<std::int16_t> matches_;
};

}  // namespace

void check_charsmap(std::string_view charsmap, std::string_view place) {
  CharsmapCheck(charsmap, place).run();
}

}  // namespace llmctl
