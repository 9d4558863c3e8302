// A grammar compiled to a network of byte transitions: each rule is an automaton over bytes whose
// positions may call other rules (a recursive transition network).
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "text/grammar/grammar.h"

namespace llmctl::grammar {

using Position = std::uint32_t;

/// Immutable. From each of its positions the rule can be completed: what cannot was taken out.
class Automaton {
 public:
  struct Step {
    std::uint8_t low, high;  ///< a byte from low to high leads to
    Position target;
  };
  struct Call {
    Position start;     ///< of the rule called
    Position back;      ///< where it goes on afterwards
    bool tail = false;  ///< nothing follows: the caller is done with the rule called
  };

  /// kData for a grammar that nothing completes, rules that begin with themselves (left recursion;
  /// what can be written as a repetition, a direct one, is), and grammars too large, each by the
  /// name of the rule.
  explicit Automaton(const Grammar& grammar);

  Position start() const { return start_; }
  std::span<const Step> steps(Position at) const { return part(steps_, at, &Node::steps); }
  std::span<const Position> jumps(Position at) const { return part(jumps_, at, &Node::jumps); }
  std::span<const Call> calls(Position at) const { return part(calls_, at, &Node::calls); }
  bool accepts(Position at) const { return nodes_[at].accepts; }
  /// The fewest bytes that complete the position's rule.
  std::uint32_t distance(Position at) const { return nodes_[at].distance; }

  /// Bytes of one class lead everywhere to the same.
  std::uint8_t byte_class(std::uint8_t byte) const { return classes_[byte]; }
  std::uint32_t class_count() const { return class_count_; }
  /// A byte of the class.
  std::uint8_t byte_of(std::uint32_t byte_class) const { return representatives_[byte_class]; }

 private:
  struct Node {
    std::uint32_t steps = 0, jumps = 0, calls = 0;  // where its part begins
    std::uint32_t distance = 0;
    bool accepts = false;
  };
  template <class T>
  std::span<const T> part(const std::vector<T>& all, Position at,
                          std::uint32_t Node::*begin) const {
    const std::uint32_t from = nodes_[at].*begin, to = nodes_[at + 1].*begin;
    return {all.data() + from, to - from};
  }

  std::vector<Node> nodes_;  // one more than there are
  std::vector<Step> steps_;
  std::vector<Position> jumps_;
  std::vector<Call> calls_;
  Position start_ = 0;
  std::array<std::uint8_t, 256> classes_{};
  std::vector<std::uint8_t> representatives_;
  std::uint32_t class_count_ = 1;
};

}  // namespace llmctl::grammar
