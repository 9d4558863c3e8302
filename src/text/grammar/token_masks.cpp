#include "text/grammar/token_masks.h"

#include <algorithm>
#include <queue>
#include <utility>

#include "base/error.h"

namespace llmctl::grammar {
namespace {

constexpr std::size_t kCachedBytes = std::size_t{64} << 20;
/// States beyond this are forgotten; those in use are made again.
constexpr std::size_t kStateBytes = std::size_t{64} << 20;
/// States that are looked at for a way to the end.
constexpr int kMostLookedAt = 64;

}  // namespace

TokenMasks::TokenMasks(std::shared_ptr<const Automaton> automaton,
                       std::shared_ptr<const TokenTries> tries, std::vector<TokenId> ends)
    : automaton_(std::move(automaton)),
      tries_(std::move(tries)),
      ends_(std::move(ends)),
      spells_all_(tries_->next.covers_all_bytes() &&
                  (!tries_->first || tries_->first->covers_all_bytes())),
      states_(std::make_shared<MatcherStates>(automaton_)) {}

Place TokenMasks::start() {
  const std::lock_guard lock(mutex_);
  return {states_, states_->start()};
}

bool TokenMasks::can_start(bool at_start) {
  const std::lock_guard lock(mutex_);
  const StateId start = states_->start();
  bool possible = spells_all_ || states_->complete(start);
  if (possible) return true;
  trie(at_start).walk(*states_, start, [&](StateId state, std::span<const TokenId>) {
    possible = possible || can_end(state);
  });
  // Nothing, and then what would follow other text.
  return possible || (at_start && !tries_->silent.empty() && can_end(start));
}

/// Brings the place to the states in use.
void TokenMasks::settle(Place& place) {
  if (states_->size() > kStateBytes) {
    states_ = std::make_shared<MatcherStates>(automaton_);
    cached_.clear();
    by_key_.clear();
    can_end_.clear();
  }
  if (place.states == states_) return;
  place.id = place.id == MatcherStates::kDead ? place.id : states_->adopt(*place.states, place.id);
  place.states = states_;
}

bool TokenMasks::accept(Place& place, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  settle(place);
  for (const char byte : bytes) {
    place.id = states_->next(place.id, static_cast<std::uint8_t>(byte));
  }
  return place.id != MatcherStates::kDead;
}

bool TokenMasks::complete(const Place& place) {
  const std::lock_guard lock(mutex_);
  return place.states->complete(place.id);
}

std::shared_ptr<const TokenMask> TokenMasks::mask(Place& place, const MaskOptions& options) {
  const std::lock_guard lock(mutex_);
  settle(place);
  const bool first = options.at_start && (tries_->first || !tries_->silent.empty());
  const bool silent = first && options.silent;
  const std::uint64_t key = std::uint64_t{place.id} << 2 | (first ? 2u : 0u) | (silent ? 1u : 0u);
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) {
    cached_.splice(cached_.begin(), cached_, found->second);
  } else {
    Cached made = make(place.id, {first, silent});
    made.key = key;
    cached_.push_front(std::move(made));
    by_key_[key] = cached_.begin();
    const auto bytes = static_cast<std::size_t>(tries_->vocab_size / 8) + 128;
    while (cached_.size() > std::max<std::size_t>(kCachedBytes / bytes, 8)) {
      by_key_.erase(cached_.back().key);
      cached_.pop_back();
    }
  }
  const Cached& all = cached_.front();
  if (all.longest <= options.room) return all.mask;
  return make(place.id, {first, silent, options.room}).mask;
}

TokenMasks::Cached TokenMasks::make(StateId state, const MaskOptions& options) {
  ++made_;
  auto mask = std::make_shared<TokenMask>(tries_->vocab_size);
  std::uint32_t longest = 0;
  if (state != MatcherStates::kDead) {
    trie(options.at_start)
        .walk(*states_, state, [&](StateId next, std::span<const TokenId> tokens) {
          const std::uint32_t distance = states_->distance(next);
          if (distance > options.room || !(spells_all_ || can_end(next))) return;
          longest = std::max(longest, distance);
          for (const TokenId id : tokens) mask->add(id);
        });
    if (options.silent && (spells_all_ || can_end(state))) {
      for (const TokenId id : tries_->silent) mask->add(id);
    }
  }
  const bool ends = state == MatcherStates::kDead || states_->complete(state);
  for (const TokenId id : ends_) {
    if (ends) {
      mask->add(id);
    } else {
      mask->remove(id);
    }
  }
  return {0, std::move(mask), longest};
}

/// Whether tokens lead from the state to the end of a text; the states nearest to it first.
bool TokenMasks::can_end(StateId from) {
  const auto known = can_end_.find(from);
  if (known != can_end_.end()) return known->second;
  std::unordered_map<StateId, StateId> parent = {{from, from}};
  using Entry = std::pair<std::uint32_t, StateId>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
  open.emplace(states_->distance(from), from);
  const auto live = [&](StateId state) {
    for (; !can_end_.contains(state); state = parent[state]) can_end_[state] = true;
    return true;
  };
  if (states_->complete(from)) return live(from);
  for (int looked_at = 0; !open.empty(); ++looked_at) {
    const StateId state = open.top().second;
    open.pop();
    if (looked_at == kMostLookedAt) return live(from);
    StateId end = MatcherStates::kDead;
    tries_->next.walk(*states_, state, [&](StateId next, std::span<const TokenId>) {
      if (end != MatcherStates::kDead || !parent.emplace(next, state).second) return;
      const auto found = can_end_.find(next);
      if (found != can_end_.end() && !found->second) return;
      if (found != can_end_.end() || states_->complete(next)) {
        end = next;
      } else {
        open.emplace(states_->distance(next), next);
      }
    });
    if (end == MatcherStates::kDead) continue;
    if (can_end_.contains(end)) end = parent[end];
    return live(end);
  }
  for (const auto& [state, before] : parent) can_end_.emplace(state, false);
  return false;
}

}  // namespace llmctl::grammar
