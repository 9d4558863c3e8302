// The tokens of a Hugging Face tokenizer: names to ids and back.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "llmctl/tokenizer.h"

namespace llmctl {

/// Strings to ids: a hash table with open addressing, at most half full, that owns its keys.
class StringTable {
 public:
  static constexpr TokenId kNone = -1;

  /// False when the key is there already.
  bool insert(std::string_view key, TokenId id);
  TokenId find(std::string_view key) const;
  std::size_t size() const { return count_; }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t begin = 0, size = 0;
    TokenId id = kNone;
  };
  void grow();
  std::string_view key(const Slot& slot) const {
    return std::string_view(bytes_).substr(slot.begin, slot.size);
  }

  std::vector<Slot> slots_;
  std::string bytes_;
  std::size_t count_ = 0;
};

/// Names by id, ids by name. Ids that no token has are empty names.
class Vocabulary {
 public:
  static constexpr TokenId kMaxId = 1 << 24;

  /// False when the name or the id is taken by another token.
  bool add(const std::string& name, TokenId id);
  TokenId find(std::string_view name) const { return ids_.find(name); }
  /// The id must be less than size().
  const std::string& name(TokenId id) const { return names_[static_cast<std::size_t>(id)]; }
  std::int64_t size() const { return static_cast<std::int64_t>(names_.size()); }
  bool has(TokenId id) const { return id < size() && !name(id).empty(); }

 private:
  std::vector<std::string> names_;
  StringTable ids_;
};

}  // namespace llmctl
