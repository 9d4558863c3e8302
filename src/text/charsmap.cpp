#include "text/charsmap.h"

#include <cstring>

#include "base/error.h"
#include "base/utf8.h"

namespace llmctl {
namespace {

constexpr std::size_t kMaxTableBytes = 8u << 20;  // SentencePiece's own tables take 240 kB
constexpr std::size_t kMaxReplacement = 1000;
constexpr int kMaxKey = 1000;

// One unit of the double array.
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
std::uint32_t value(std::uint32_t unit) {
  return unit & 0x7FFFFFFFu;
}

/// What is wrong with a table, if anything.
class Check {
 public:
  Check(const std::vector<std::uint32_t>& units, std::string_view texts, std::string_view place)
      : units_(units), texts_(texts), place_(place) {}

  void run() {
    for (std::size_t i = 0; i < units_.size(); ++i) {
      if (i == 0 || !is_value(units_[i])) check_unit(i);
    }
    state_.assign(units_.size(), kUnknown);
    check_keys(child_offset(units_[0]), 0);
  }

  [[noreturn]] void refuse(const std::string& what) const {
    fail(ErrorCode::kData, place_, ": ", what);
  }

 private:
  enum State : char { kUnknown, kOpen, kDone };

  /// The children of unit i fill the block of 256 around i ^ offset; a leaf's value is in there.
  void check_unit(std::size_t i) const {
    const std::size_t children = i ^ child_offset(units_[i]);
    if ((children | 0xFF) >= units_.size()) {
      refuse(concat("unit ", i, " of its trie points outside its ", units_.size(), " units"));
    }
    if (!has_leaf(units_[i])) return;
    const std::size_t begin = value(units_[children]);
    if (begin >= texts_.size()) {
      refuse(concat("unit ", i, " of its trie names byte ", begin, " of ", texts_.size(),
                    " bytes of replacements"));
    }
    const std::string_view window = texts_.substr(begin, kMaxReplacement + 1);
    const std::size_t length = window.find('\0');
    if (length == window.npos) {
      refuse(concat("the replacement at byte ", begin, " is longer than ", kMaxReplacement));
    }
    if (find_invalid_utf8(window.substr(0, length))) {
      refuse(concat("the replacement at byte ", begin, " is not UTF-8"));
    }
  }

  /// Every way down from the node whose children are in the block of `node` ends. Darts shares
  /// subtrees: each is walked once.
  void check_keys(std::size_t node, int depth) {
    if (state_[node] == kOpen || depth > kMaxKey) refuse("a key of its trie does not end");
    if (state_[node] == kDone) return;
    state_[node] = kOpen;
    for (std::uint32_t c = 0; c < 256; ++c) {
      const std::size_t i = node ^ c;
      if (label(units_[i]) != c) continue;
      const std::size_t child = i ^ child_offset(units_[i]);
      // An unused unit (all zero) looks like a step by NUL that leads nowhere new.
      if (child != node || has_leaf(units_[i])) check_keys(child, depth + 1);
    }
    state_[node] = kDone;
  }

  const std::vector<std::uint32_t>& units_;
  std::string_view texts_, place_;
  std::vector<State> state_;
};

}  // namespace

Charsmap::Charsmap(std::string_view bytes, std::string_view place) {
  if (bytes.empty()) return;
  Check check(units_, {}, place);
  if (bytes.size() > kMaxTableBytes) {
    check.refuse(concat(bytes.size(), " bytes, at most ", kMaxTableBytes, " are read"));
  }
  std::uint32_t size = 0;
  if (bytes.size() < sizeof size) check.refuse(concat("only ", bytes.size(), " bytes"));
  std::memcpy(&size, bytes.data(), sizeof size);
  bytes.remove_prefix(sizeof size);
  if (size > bytes.size()) {
    check.refuse(concat("its trie takes ", size, " bytes where ", bytes.size(), " are left"));
  }
  if (size == 0 || size % 4 != 0) check.refuse(concat("its trie has a size of ", size, " bytes"));
  units_.resize(size / 4);
  std::memcpy(units_.data(), bytes.data(), size);
  texts_ = bytes.substr(size);
  if (texts_.empty() || texts_.back() != '\0') check.refuse("its last replacement has no end");
  Check(units_, texts_, place).run();
}

std::optional<Charsmap::Match> Charsmap::match(std::string_view text, bool shortest) const {
  std::optional<Match> found;
  if (empty()) return found;
  std::size_t node = child_offset(units_[0]);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    node ^= c;
    const std::uint32_t unit = units_[node];
    if (label(unit) != c) break;
    node ^= child_offset(unit);
    // The step by NUL out of an unused unit stays where it is: no key has a NUL.
    if (c == 0 && !has_leaf(unit)) break;
    if (!has_leaf(unit)) continue;
    found = Match{i + 1, texts_.data() + value(units_[node])};
    if (shortest) break;
  }
  return found;
}

}  // namespace llmctl
