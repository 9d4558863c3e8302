#include "text/huggingface/vocabulary.h"

#include <functional>

namespace llmctl {

bool StringTable::insert(std::string_view key_text, TokenId id) {
  if (2 * (count_ + 1) > slots_.size()) grow();
  const std::uint64_t hash = std::hash<std::string_view>()(key_text);
  std::size_t at = hash & (slots_.size() - 1);
  for (; slots_[at].id != kNone; at = (at + 1) & (slots_.size() - 1)) {
    if (slots_[at].hash == hash && key(slots_[at]) == key_text) return false;
  }
  slots_[at] = {hash, static_cast<std::uint32_t>(bytes_.size()),
                static_cast<std::uint32_t>(key_text.size()), id};
  bytes_ += key_text;
  ++count_;
  return true;
}

TokenId StringTable::find(std::string_view key_text) const {
  if (slots_.empty()) return kNone;
  const std::uint64_t hash = std::hash<std::string_view>()(key_text);
  for (std::size_t at = hash & (slots_.size() - 1);; at = (at + 1) & (slots_.size() - 1)) {
    const Slot& slot = slots_[at];
    if (slot.id == kNone || (slot.hash == hash && key(slot) == key_text)) return slot.id;
  }
}

void StringTable::grow() {
  std::vector<Slot> old(std::max<std::size_t>(16, 2 * slots_.size()));
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.id == kNone) continue;
    std::size_t at = slot.hash & (slots_.size() - 1);
    while (slots_[at].id != kNone) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = slot;
  }
}

bool Vocabulary::add(const std::string& name, TokenId id) {
  if (has(id) || !ids_.insert(name, id)) return false;
  if (id >= size()) names_.resize(static_cast<std::size_t>(id) + 1);
  names_[static_cast<std::size_t>(id)] = name;
  return true;
}

}  // namespace llmctl
