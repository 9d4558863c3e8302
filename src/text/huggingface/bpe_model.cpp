#include <algorithm>
#include <bit>
#include <limits>
#include <optional>
#include <span>
#include <utility>

#include "base/hash.h"
#include "text/characters.h"
#include "text/huggingface/byte_fallback.h"
#include "text/huggingface/models.h"

namespace llmctl {
namespace {

/// Two tokens and what they become.
struct MergeRule {
  TokenId left, right, result;
};

/// Merges by their pair, with their rank: the place in the list.
class MergeTable {
 public:
  struct Found {
    std::uint32_t rank = kNoRank;
    TokenId result = -1;
  };
  static constexpr std::uint32_t kNoRank = std::numeric_limits<std::uint32_t>::max();

  explicit MergeTable(const std::vector<MergeRule>& rules)
      : slots_(std::bit_ceil(2 * rules.size() + 2)) {
    for (std::size_t rank = 0; rank < rules.size(); ++rank) {
      const std::uint64_t key = key_of(rules[rank].left, rules[rank].right);
      std::size_t at = slot(key);
      while (slots_[at].found.rank != kNoRank && slots_[at].key != key) at = next(at);
      // Of a merge that is listed twice the last counts, as in a map that is filled in order.
      slots_[at] = {key, {static_cast<std::uint32_t>(rank), rules[rank].result}};
    }
  }

  Found find(TokenId left, TokenId right) const {
    const std::uint64_t key = key_of(left, right);
    for (std::size_t at = slot(key);; at = next(at)) {
      const Slot& slot = slots_[at];
      if (slot.found.rank == kNoRank || slot.key == key) return slot.found;
    }
  }

 private:
  struct Slot {
    std::uint64_t key = 0;
    Found found;
  };
  static std::uint64_t key_of(TokenId left, TokenId right) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
           static_cast<std::uint32_t>(right);
  }
  std::size_t slot(std::uint64_t key) const { return mix64(key) & (slots_.size() - 1); }
  std::size_t next(std::size_t at) const { return (at + 1) & (slots_.size() - 1); }

  std::vector<Slot> slots_;
};

struct BpeRules {
  std::vector<MergeRule> merges;
  TokenId unknown = -1;
  std::string continuing, end_of_word;
  bool byte_level = false, byte_fallback = false, fuse_unknown = false, ignore_merges = false;
};

class BpeModel : public Segmenter {
 public:
  BpeModel(const Vocabulary& vocabulary, BpeRules rules)
      : vocabulary_(vocabulary), rules_(std::move(rules)), merges_(rules_.merges) {
    rules_.merges.clear();
    rules_.merges.shrink_to_fit();
    bytes_.fill(-1);
    if (rules_.byte_fallback) fallback_ = ByteFallback(vocabulary);
    if (!rules_.byte_level) return;
    for (std::size_t byte = 0; byte < 256; ++byte) {
      bytes_[byte] = vocabulary.find(byte_spellings()[byte]);
    }
    if (!rules_.ignore_merges) return;
    for (TokenId id = 0; id < vocabulary.size(); ++id) {
      const std::string& name = vocabulary.name(id);
      if (!name.empty() && spells_bytes(name)) whole_.insert(bytes_of_spelling(name), id);
    }
  }

  void segment(std::string_view word, std::vector<Segment>& out) const override {
    if (rules_.ignore_merges) {
      const TokenId id = rules_.byte_level ? whole_.find(word) : vocabulary_.find(word);
      if (id >= 0) {
        out.push_back({0, word.size(), id});
        return;
      }
    }
    const std::size_t first = out.size();
    put_symbols(word, out);
    const std::size_t count = out.size() - first;
    if (count < 2) return;
    constexpr std::size_t kShort = 48;  // up to here looking through all pairs beats a heap
    if (count <= kShort) {
      std::array<MergeTable::Found, kShort> pairs;
      merge_short(std::span(out).subspan(first), pairs, out, first);
    } else {
      merge_long(out, first);
    }
  }

 private:
  /// What there is before any merge: bytes, or characters.
  void put_symbols(std::string_view word, std::vector<Segment>& out) const {
    const std::size_t first = out.size();
    if (rules_.byte_level) {
      for (std::size_t i = 0; i < word.size(); ++i) {
        put_symbol({i, i + 1, bytes_[static_cast<unsigned char>(word[i])]}, word, out, first);
      }
      return;
    }
    std::string name;
    for (std::size_t begin = 0; begin < word.size();) {
      const std::size_t end = begin + character_at(word, begin).length;
      std::string_view symbol = word.substr(begin, end - begin);
      const bool prefix = begin > 0 && !rules_.continuing.empty();
      const bool suffix = end == word.size() && !rules_.end_of_word.empty();
      if (prefix || suffix) {
        name.clear();
        if (prefix) name += rules_.continuing;
        name += symbol;
        if (suffix) name += rules_.end_of_word;
        symbol = name;
      }
      put_symbol({begin, end, vocabulary_.find(symbol)}, word, out, first);
      begin = end;
    }
  }

  void put_symbol(Segment symbol, std::string_view word, std::vector<Segment>& out,
                  std::size_t first) const {
    if (symbol.id >= 0) {
      out.push_back(symbol);
      return;
    }
    if (rules_.byte_fallback && fallback_.put(word, symbol, out)) return;
    if (rules_.unknown < 0) return;
    symbol.id = rules_.unknown;
    if (rules_.fuse_unknown && out.size() > first && out.back().id == rules_.unknown &&
        out.back().end == symbol.begin) {
      out.back().end = symbol.end;
    } else {
      out.push_back(symbol);
    }
  }

  /// Merges the pair of the lowest rank, the leftmost of equals, until there is none.
  void merge_short(std::span<Segment> symbols, std::span<MergeTable::Found> pairs,
                   std::vector<Segment>& out, std::size_t first) const {
    std::size_t count = symbols.size();
    for (std::size_t i = 0; i + 1 < count; ++i) {
      pairs[i] = merges_.find(symbols[i].id, symbols[i + 1].id);
    }
    while (count > 1) {
      std::size_t best = 0;
      for (std::size_t i = 1; i + 1 < count; ++i) {
        if (pairs[i].rank < pairs[best].rank) best = i;
      }
      if (pairs[best].rank == MergeTable::kNoRank) break;
      symbols[best] = {symbols[best].begin, symbols[best + 1].end, pairs[best].result};
      --count;
      for (std::size_t i = best + 1; i < count; ++i) {
        symbols[i] = symbols[i + 1];
        pairs[i - 1] = pairs[i];
      }
      if (best > 0) pairs[best - 1] = merges_.find(symbols[best - 1].id, symbols[best].id);
      if (best + 1 < count) pairs[best] = merges_.find(symbols[best].id, symbols[best + 1].id);
    }
    out.resize(first + count);
  }

  struct Link {
    std::int32_t previous, next;
  };
  struct Candidate {
    std::uint32_t rank;
    std::int32_t left;
    TokenId left_id, right_id, result;  // the ids tell whether either has changed since

    /// The better candidate comes last in a heap's order.
    bool operator<(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };

  /// The same with a heap over linked symbols, for words of any length.
  void merge_long(std::vector<Segment>& out, std::size_t first) const {
    const std::span<Segment> symbols = std::span(out).subspan(first);
    const auto at = [&](std::int32_t i) -> Segment& {
      return symbols[static_cast<std::size_t>(i)];
    };
    const auto count = static_cast<std::int32_t>(symbols.size());
    std::vector<Link> links(symbols.size());
    for (std::int32_t i = 0; i < count; ++i) {
      links[static_cast<std::size_t>(i)] = {i - 1, i + 1 < count ? i + 1 : -1};
    }
    const auto link = [&](std::int32_t i) -> Link& { return links[static_cast<std::size_t>(i)]; };
    std::vector<Candidate> heap;
    const auto offer = [&](std::int32_t left) {
      const std::int32_t right = link(left).next;
      if (right < 0) return;
      const auto found = merges_.find(at(left).id, at(right).id);
      if (found.rank == MergeTable::kNoRank) return;
      heap.push_back({found.rank, left, at(left).id, at(right).id, found.result});
      std::push_heap(heap.begin(), heap.end());
    };
    for (std::int32_t i = 0; i + 1 < count; ++i) offer(i);
    constexpr TokenId kGone = -1;
    while (!heap.empty()) {
      const Candidate best = heap.front();
      std::pop_heap(heap.begin(), heap.end());
      heap.pop_back();
      const std::int32_t right = at(best.left).id == kGone ? -1 : link(best.left).next;
      if (right < 0 || at(best.left).id != best.left_id || at(right).id != best.right_id) continue;
      at(best.left) = {at(best.left).begin, at(right).end, best.result};
      at(right).id = kGone;
      link(best.left).next = link(right).next;
      if (link(right).next >= 0) link(link(right).next).previous = best.left;
      if (link(best.left).previous >= 0) offer(link(best.left).previous);
      offer(best.left);
    }
    const auto gone = std::remove_if(symbols.begin(), symbols.end(),
                                     [](const Segment& segment) { return segment.id == kGone; });
    out.resize(first + static_cast<std::size_t>(gone - symbols.begin()));
  }

  const Vocabulary& vocabulary_;
  BpeRules rules_;
  MergeTable merges_;
  std::array<TokenId, 256> bytes_;  // by byte, where words are bytes
  StringTable whole_;               // tokens as bytes, for ignore_merges
  ByteFallback fallback_;
};

/// The two sides of a merge: "a b", or ["a", "b"]; nothing for anything else.
std::optional<std::pair<std::string_view, std::string_view>> sides_of(const Json& merge) {
  const auto text = [](const Json& json) -> std::string_view {
    return *json.get_ptr<const std::string*>();
  };
  if (merge.is_array()) {
    if (merge.size() != 2 || !merge[0].is_string() || !merge[1].is_string()) return std::nullopt;
    return std::pair(text(merge[0]), text(merge[1]));
  }
  if (!merge.is_string()) return std::nullopt;
  const std::string_view line = text(merge);
  const std::size_t space = line.find(' ');
  if (space == line.npos || line.find(' ', space + 1) != line.npos) return std::nullopt;
  return std::pair(line.substr(0, space), line.substr(space + 1));
}

std::vector<MergeRule> read_merges(const JsonAccess& json, const std::string& continuing,
                                   const Vocabulary& vocabulary) {
  std::vector<MergeRule> rules;
  rules.reserve(json.size());
  std::string joined;
  for (std::size_t i = 0; i < json.json().size(); ++i) {
    const auto sides = sides_of(json.json()[i]);
    if (!sides) json[i].fail("expected two tokens, as \"a b\" or [\"a\", \"b\"]");
    const auto token = [&](std::string_view name) {
      const TokenId id = vocabulary.find(name);
      if (id < 0) json[i].fail("\"", name, "\" is not in the vocabulary");
      return id;
    };
    const auto [left, right] = *sides;
    const bool continues = !continuing.empty() && right.starts_with(continuing);
    joined = left;
    joined += continues ? right.substr(continuing.size()) : right;
    rules.push_back({token(left), token(right), token(joined)});
  }
  return rules;
}

}  // namespace

SubwordModel make_bpe_model(const JsonAccess& json, bool byte_level, const Vocabulary& vocabulary) {
  BpeRules rules;
  rules.byte_level = byte_level;
  rules.continuing = json.string_or("continuing_subword_prefix", "");
  rules.end_of_word = json.string_or("end_of_word_suffix", "");
  if (byte_level && !(rules.continuing.empty() && rules.end_of_word.empty())) {
    json.fail("a prefix or suffix of words together with ByteLevel is not supported");
  }
  rules.byte_fallback = json.boolean_or("byte_fallback", false);
  rules.fuse_unknown = json.boolean_or("fuse_unk", false);
  rules.ignore_merges = json.boolean_or("ignore_merges", false);
  if (json.has("dropout") && json["dropout"].number() != 0) {
    json["dropout"].fail("merges left out at random are not supported, set it to null");
  }
  if (json.has("unk_token")) {
    rules.unknown = vocabulary.find(json["unk_token"].string());
    if (rules.unknown < 0) {
      json["unk_token"].fail("\"", json["unk_token"].string(), "\" is not in the vocabulary");
    }
  }
  rules.merges = read_merges(json["merges"], rules.continuing, vocabulary);
  SubwordModel model;
  model.kind = "BPE";
  model.unknown = rules.unknown;
  model.continuing = rules.continuing;
  model.byte_fallback = rules.byte_fallback;
  model.segmenter = std::make_unique<BpeModel>(vocabulary, std::move(rules));
  return model;
}

}  // namespace llmctl
