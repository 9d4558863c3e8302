// Whether a text follows a grammar, byte by byte.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/grammar/automaton.h"

namespace llmctl::grammar {

using StateId = std::uint32_t;

/// All that may follow a text, each once and made when it is first needed: a state is a set of
/// positions, each with the calls that it returns to. Not thread-safe.
class MatcherStates {
 public:
  static constexpr StateId kDead = 0;  ///< no text of the grammar begins so

  explicit MatcherStates(std::shared_ptr<const Automaton> automaton);

  StateId start() const { return start_; }
  /// kData where the grammar is so ambiguous that a state has too many ways to go on.
  StateId next(StateId state, std::uint8_t byte) {
    const std::size_t at = std::size_t{state} * classes_ + automaton_->byte_class(byte);
    const StateId known = next_[at];
    return known != kUnknown ? known : make_next(state, automaton_->byte_class(byte));
  }
  /// The text may end here.
  bool complete(StateId state) const { return states_[state].complete; }
  /// The fewest bytes that complete the text.
  std::uint32_t distance(StateId state) const { return states_[state].distance; }

  /// Bytes that leave the state as it is, a bit for each.
  struct ByteSet {
    std::uint64_t words[4] = {};
    bool has(std::uint8_t byte) const { return words[byte >> 6] >> (byte & 63) & 1; }
    void add(std::uint8_t byte) { words[byte >> 6] |= std::uint64_t{1} << (byte & 63); }
    bool contains(const ByteSet& other) const {
      for (int i = 0; i < 4; ++i) {
        if ((other.words[i] & ~words[i]) != 0) return false;
      }
      return true;
    }
  };
  const ByteSet& loops(StateId state);

  /// The same state as one of these; `other` has the same automaton.
  StateId adopt(const MatcherStates& other, StateId state);

  /// Bytes of memory, about.
  std::size_t size() const;
  const std::shared_ptr<const Automaton>& automaton() const { return automaton_; }

 private:
  static constexpr StateId kUnknown = ~StateId{0};
  using StackId = std::uint32_t;  // 0: the root rule was not called
  struct Frame {
    Position back;
    StackId below;
    std::uint32_t distance;  // the fewest bytes that it and those below need
  };
  struct Way {
    Position at;
    StackId stack;
    bool operator==(const Way&) const = default;
    auto operator<=>(const Way&) const = default;
  };
  struct State {
    std::uint32_t begin, end;  // in ways_
    std::uint32_t distance;
    bool complete;
    std::int32_t loops = -1;  // in loops_
  };

  StateId make_next(StateId state, std::uint8_t byte_class);
  StackId push(Position back, StackId below);
  void enter(Way way);
  StateId intern();
  void begin_anew();

  std::shared_ptr<const Automaton> automaton_;
  std::size_t classes_;
  StateId start_ = kDead;
  std::vector<State> states_;
  std::vector<StateId> next_;  // [state, byte class]
  std::vector<Way> ways_;
  std::vector<Frame> frames_;
  std::vector<ByteSet> loops_;
  std::unordered_map<std::uint64_t, StackId> stacks_;
  std::unordered_multimap<std::uint64_t, StateId> by_hash_;
  // Of the state in the making.
  std::vector<Way> open_, made_;
  std::unordered_map<std::uint64_t, bool> seen_;
  bool made_complete_ = false;
};

/// A text under way. Copies are cheap and go on independently of each other (but share what they
/// find out: one thread at a time).
class Matcher {
 public:
  explicit Matcher(const Grammar& grammar);

  /// Appends to the text; false, and the text stays as it was, when no text of the grammar begins
  /// so.
  bool accept(std::string_view bytes);
  /// The text may end here.
  bool complete() const { return states_->complete(state_); }
  /// What completes the text in the fewest bytes.
  std::string shortest_completion() const;

 private:
  std::shared_ptr<MatcherStates> states_;
  StateId state_;
};

}  // namespace llmctl::grammar
