#include "text/grammar/matcher.h"

#include <algorithm>

#include "base/error.h"

namespace llmctl::grammar {
namespace {

/// Ways of one state; texts of grammars in use have a few dozen.
constexpr std::size_t kMostWays = 20'000;
/// Memory of all states: what a grammar without bounds may take.
constexpr std::size_t kMostBytes = std::size_t{1} << 30;

std::uint64_t pair_key(std::uint32_t a, std::uint32_t b) {
  return std::uint64_t{a} << 32 | b;
}

std::uint32_t longer(std::uint32_t a, std::uint32_t b) {
  const std::uint64_t sum = std::uint64_t{a} + b;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(sum, ~std::uint32_t{0}));
}

}  // namespace

MatcherStates::MatcherStates(std::shared_ptr<const Automaton> automaton)
    : automaton_(std::move(automaton)), classes_(automaton_->class_count()) {
  frames_.push_back({0, 0, 0});
  intern();  // the dead one
  std::fill(next_.begin(), next_.end(), kDead);
  enter({automaton_->start(), 0});
  start_ = intern();
}

MatcherStates::StackId MatcherStates::push(Position back, StackId below) {
  const auto [found, is_new] =
      stacks_.emplace(pair_key(back, below), static_cast<StackId>(frames_.size()));
  if (is_new) {
    frames_.push_back({back, below, longer(automaton_->distance(back), frames_[below].distance)});
  }
  return found->second;
}

/// Adds the way, and all that it leads to without a byte, to the state in the making.
void MatcherStates::enter(Way first) {
  const auto visit = [this](Way way) {
    if (!seen_.emplace(pair_key(way.at, way.stack), true).second) return;
    if (seen_.size() > kMostWays) {
      begin_anew();
      fail(ErrorCode::kData, "the grammar is too ambiguous: the text may go on in more than ",
           kMostWays, " ways");
    }
    open_.push_back(way);
  };
  visit(first);
  while (!open_.empty()) {
    const auto [at, stack] = open_.back();
    open_.pop_back();
    if (!automaton_->steps(at).empty()) made_.push_back({at, stack});
    for (const Position target : automaton_->jumps(at)) visit({target, stack});
    for (const Automaton::Call& call : automaton_->calls(at)) {
      visit({call.start, call.tail ? stack : push(call.back, stack)});
    }
    if (!automaton_->accepts(at)) continue;
    if (stack == 0) {
      made_complete_ = true;
    } else {
      visit({frames_[stack].back, frames_[stack].below});
    }
  }
}

void MatcherStates::begin_anew() {
  open_.clear();
  made_.clear();
  seen_.clear();
  made_complete_ = false;
}

/// The id of the state in the making, which begins anew.
StateId MatcherStates::intern() {
  std::sort(made_.begin(), made_.end());
  std::uint64_t hash = made_complete_;
  for (const Way way : made_) {
    hash = (hash ^ pair_key(way.at, way.stack)) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  const auto give = [&](StateId id) {
    begin_anew();
    return id;
  };
  const auto [begin, end] = by_hash_.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    const State& state = states_[it->second];
    if (state.complete == made_complete_ &&
        std::equal(made_.begin(), made_.end(), ways_.begin() + state.begin,
                   ways_.begin() + state.end)) {
      return give(it->second);
    }
  }
  if (size() > kMostBytes) {
    begin_anew();
    fail(ErrorCode::kData, "the grammar is too ambiguous: following it takes more than ",
         kMostBytes >> 20, " MiB");
  }
  std::uint32_t distance = made_complete_ ? 0 : ~std::uint32_t{0};
  for (const Way way : made_) {
    distance =
        std::min(distance, longer(automaton_->distance(way.at), frames_[way.stack].distance));
  }
  const auto from = static_cast<std::uint32_t>(ways_.size());
  ways_.insert(ways_.end(), made_.begin(), made_.end());
  states_.push_back({from, static_cast<std::uint32_t>(ways_.size()), distance, made_complete_});
  next_.resize(next_.size() + classes_, kUnknown);
  const auto id = static_cast<StateId>(states_.size() - 1);
  by_hash_.emplace(hash, id);
  return give(id);
}

StateId MatcherStates::make_next(StateId state, std::uint8_t byte_class) {
  const std::uint8_t byte = automaton_->byte_of(byte_class);
  const auto [begin, end] = std::pair(states_[state].begin, states_[state].end);
  for (std::uint32_t i = begin; i < end; ++i) {
    const Way way = ways_[i];
    for (const Automaton::Step& step : automaton_->steps(way.at)) {
      if (step.low <= byte && byte <= step.high) enter({step.target, way.stack});
    }
  }
  const StateId made = intern();
  return next_[std::size_t{state} * classes_ + byte_class] = made;
}

const MatcherStates::ByteSet& MatcherStates::loops(StateId state) {
  if (states_[state].loops < 0) {
    ByteSet set;
    for (unsigned byte = 0; byte < 256; ++byte) {
      if (next(state, static_cast<std::uint8_t>(byte)) == state) {
        set.add(static_cast<std::uint8_t>(byte));
      }
    }
    states_[state].loops = static_cast<std::int32_t>(loops_.size());
    loops_.push_back(set);
  }
  return loops_[static_cast<std::size_t>(states_[state].loops)];
}

StateId MatcherStates::adopt(const MatcherStates& other, StateId state) {
  std::unordered_map<StackId, StackId> known = {{0, 0}};
  std::vector<StackId> path;
  const State& source = other.states_[state];
  for (std::uint32_t i = source.begin; i < source.end; ++i) {
    const Way way = other.ways_[i];
    StackId stack = way.stack;
    for (; !known.contains(stack); stack = other.frames_[stack].below) path.push_back(stack);
    StackId own = known[stack];
    for (; !path.empty(); path.pop_back()) {
      own = push(other.frames_[path.back()].back, own);
      known[path.back()] = own;
    }
    made_.push_back({way.at, own});
  }
  made_complete_ = source.complete;
  return intern();
}

std::size_t MatcherStates::size() const {
  return states_.size() * (sizeof(State) + 40 + classes_ * sizeof(StateId)) +
         ways_.size() * sizeof(Way) + frames_.size() * (sizeof(Frame) + 40) +
         loops_.size() * sizeof(ByteSet);
}

Matcher::Matcher(const Grammar& grammar)
    : states_(std::make_shared<MatcherStates>(std::make_shared<const Automaton>(grammar))),
      state_(states_->start()) {}

bool Matcher::accept(std::string_view bytes) {
  StateId state = state_;
  for (const char byte : bytes) {
    state = states_->next(state, static_cast<std::uint8_t>(byte));
    if (state == MatcherStates::kDead) return false;
  }
  state_ = state;
  return true;
}

std::string Matcher::shortest_completion() const {
  std::string text;
  StateId state = state_;
  const Automaton& automaton = *states_->automaton();
  while (states_->distance(state) > 0) {
    // Some byte of some class brings the end nearer by one.
    for (std::uint32_t i = 0; i < automaton.class_count(); ++i) {
      const StateId next = states_->next(state, automaton.byte_of(i));
      if (next == MatcherStates::kDead || states_->distance(next) >= states_->distance(state)) {
        continue;
      }
      text += static_cast<char>(automaton.byte_of(i));
      state = next;
      break;
    }
  }
  return text;
}

}  // namespace llmctl::grammar
