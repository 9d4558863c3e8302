#include "text/grammar/automaton.h"

#include <algorithm>
#include <map>
#include <queue>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "text/grammar/utf8_sequences.h"

namespace llmctl::grammar {
namespace {

constexpr std::size_t kMostPositions = 400'000;
constexpr int kDeepest = 2000;
/// A set of characters of more byte sequences becomes a rule of its own, built once.
constexpr std::size_t kSequencesInPlace = 24;
constexpr std::uint32_t kNever = std::numeric_limits<std::uint32_t>::max();

std::uint32_t sum_of(std::uint32_t a, std::uint32_t b) {
  return a >= kNever - b ? kNever : a + b;
}

/// A network in the making.
struct DraftNode {
  std::vector<Automaton::Step> steps;
  std::vector<Position> jumps;
  std::vector<std::pair<std::size_t, Position>> calls;  // rule, where it goes on
};
struct DraftRule {
  std::string name;
  Position start = 0, end = 0;
};

/// Rules as nodes, straight from the expressions.
class Drafter {
 public:
  explicit Drafter(const Grammar& grammar) {
    rules_.reserve(grammar.rules.size());
    for (const Rule& rule : grammar.rules) open_rule(rule.name);
    for (std::size_t i = 0; i < grammar.rules.size(); ++i) {
      current_ = i;
      build(without_left_recursion(grammar.rules[i].expr, i), rules_[i].start, rules_[i].end, 0);
    }
  }

  std::vector<DraftNode> nodes;
  const std::vector<DraftRule>& rules() const { return rules_; }

 private:
  std::size_t open_rule(const std::string& name) {
    rules_.push_back({name, new_node(), new_node()});
    return rules_.size() - 1;
  }

  Position new_node() {
    if (nodes.size() >= kMostPositions) {
      fail(ErrorCode::kData, "the grammar is too large: its rules have more than ", kMostPositions,
           " positions when written out, in rule \"",
           current_ < rules_.size() ? rules_[current_].name : "", "\"; lower its repetitions");
    }
    nodes.emplace_back();
    return static_cast<Position>(nodes.size() - 1);
  }

  /// a ::= a x | b as a ::= b x*, the same texts.
  static Expr without_left_recursion(const Expr& expr, std::size_t self) {
    std::vector<Expr> begun, tails;
    bool found = false;
    const auto sort = [&](const auto& again, const Expr& part) -> void {
      if (part.kind == Expr::Kind::kChoice) {
        for (const Expr& one : part.parts) again(again, one);
      } else if (part.kind == Expr::Kind::kRule && part.rule == self) {
        found = true;  // a ::= a says nothing
      } else if (part.kind == Expr::Kind::kSequence && !part.parts.empty() &&
                 part.parts[0].kind == Expr::Kind::kRule && part.parts[0].rule == self) {
        found = true;
        tails.push_back(sequence({part.parts.begin() + 1, part.parts.end()}));
      } else {
        begun.push_back(part);
      }
    };
    sort(sort, expr);
    if (!found) return expr;
    std::vector<Expr> both;
    both.push_back(choice(std::move(begun)));
    both.push_back(repeat(choice(std::move(tails)), 0, kUnbounded));
    return sequence(std::move(both));
  }

  void jump(Position from, Position to) {
    if (from != to) nodes[from].jumps.push_back(to);
  }

  // Nothing leads back to `from`: loops have a node of their own.
  void build(const Expr& expr, Position from, Position to, int depth) {
    require(depth < kDeepest, ErrorCode::kData, "rule \"", rules_[current_].name,
            "\" is nested deeper than ", kDeepest, " levels");
    switch (expr.kind) {
      case Expr::Kind::kBytes:
        return build_bytes(expr.bytes, from, to);
      case Expr::Kind::kChars:
        return build_chars(expr.chars, from, to);
      case Expr::Kind::kSequence:
        for (std::size_t i = 0; i + 1 < expr.parts.size(); ++i) {
          const Position next = new_node();
          build(expr.parts[i], from, next, depth + 1);
          from = next;
        }
        if (expr.parts.empty()) return jump(from, to);
        return build(expr.parts.back(), from, to, depth + 1);
      case Expr::Kind::kChoice:
        for (const Expr& part : expr.parts) build(part, from, to, depth + 1);
        return;
      case Expr::Kind::kRepeat:
        return build_repeat(expr, from, to, depth);
      case Expr::Kind::kRule:
        nodes[from].calls.emplace_back(expr.rule, to);
        return;
    }
  }

  void build_bytes(const std::string& bytes, Position from, Position to) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const Position next = i + 1 < bytes.size() ? new_node() : to;
      const auto byte = static_cast<std::uint8_t>(bytes[i]);
      nodes[from].steps.push_back({byte, byte, next});
      from = next;
    }
    if (bytes.empty()) jump(from, to);
  }

  void build_chars(const CharClass& set, Position from, Position to) {
    const std::vector<ByteSequence> all = utf8_sequences(set);
    if (all.size() <= kSequencesInPlace) return put_sequences(all, from, to);
    std::vector<std::pair<char32_t, char32_t>> key;
    for (const CodePoints range : set) key.emplace_back(range.first, range.last);
    const auto [found, is_new] = classes_.emplace(std::move(key), rules_.size());
    if (is_new) {
      const std::size_t own = open_rule("character class");
      put_sequences(all, rules_[own].start, rules_[own].end);
    }
    nodes[from].calls.emplace_back(found->second, to);
  }

  /// Sequences with the same rest share its nodes.
  void put_sequences(const std::vector<ByteSequence>& all, Position from, Position to) {
    std::map<std::vector<ByteSequence>, Position> known;
    const auto put = [&](const auto& again, const std::vector<ByteSequence>& list,
                         Position at) -> void {
      for (std::size_t i = 0; i < list.size();) {
        const ByteRange range = list[i].front();
        std::vector<ByteSequence> rests;
        for (; i < list.size() && list[i].front() == range; ++i) {
          if (list[i].size() > 1) rests.emplace_back(list[i].begin() + 1, list[i].end());
        }
        Position next = to;
        if (!rests.empty()) {
          const auto found = known.find(rests);
          if (found != known.end()) {
            next = found->second;
          } else {
            next = new_node();
            again(again, rests, next);
            known.emplace(std::move(rests), next);
          }
        }
        nodes[at].steps.push_back({range.low, range.high, next});
      }
    };
    put(put, all, from);
  }

  void build_repeat(const Expr& expr, Position from, Position to, int depth) {
    const Expr& part = expr.parts[0];
    const bool unbounded = expr.most == kUnbounded;
    for (int i = unbounded ? 1 : 0; i < expr.least; ++i) {
      const bool last = !unbounded && i + 1 == expr.least && expr.most == expr.least;
      const Position next = last ? to : new_node();
      build(part, from, next, depth + 1);
      from = next;
      if (last) return;
    }
    if (unbounded) {
      const Position loop = new_node();
      jump(from, loop);
      if (expr.least == 0) {
        build(part, loop, loop, depth + 1);
        return jump(loop, to);
      }
      const Position behind = new_node();
      build(part, loop, behind, depth + 1);
      jump(behind, loop);
      return jump(behind, to);
    }
    for (int i = std::max(expr.least, 0); i < expr.most; ++i) {
      jump(from, to);
      const Position next = i + 1 < expr.most ? new_node() : to;
      build(part, from, next, depth + 1);
      from = next;
    }
    if (expr.most == expr.least) jump(from, to);
  }

  std::vector<DraftRule> rules_;
  std::size_t current_ = 0;
  std::map<std::vector<std::pair<char32_t, char32_t>>, std::size_t> classes_;
};

/// The fewest bytes from each node to its rule's end, kNever where there is no way (Knuth, 1977).
std::vector<std::uint32_t> distances(const std::vector<DraftNode>& nodes,
                                     const std::vector<DraftRule>& rules) {
  struct Back {
    Position from;
    std::uint32_t cost;
    Position other;  // of a call, the other of start and back; else kNever
  };
  std::vector<std::vector<Back>> back(nodes.size());
  for (Position at = 0; at < nodes.size(); ++at) {
    for (const auto& step : nodes[at].steps) back[step.target].push_back({at, 1, kNever});
    for (const Position target : nodes[at].jumps) back[target].push_back({at, 0, kNever});
    for (const auto& [rule, then] : nodes[at].calls) {
      back[rules[rule].start].push_back({at, 0, then});
      back[then].push_back({at, 0, rules[rule].start});
    }
  }
  std::vector<std::uint32_t> distance(nodes.size(), kNever);
  using Entry = std::pair<std::uint32_t, Position>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
  for (const DraftRule& rule : rules) queue.emplace(0, rule.end);
  while (!queue.empty()) {
    const auto [value, at] = queue.top();
    queue.pop();
    if (distance[at] != kNever) continue;
    distance[at] = std::min(value, kNever - 1);
    for (const Back& edge : back[at]) {
      if (distance[edge.from] != kNever) continue;
      if (edge.other != kNever && distance[edge.other] == kNever) continue;
      const std::uint32_t other = edge.other == kNever ? edge.cost : distance[edge.other];
      queue.emplace(std::min(sum_of(distance[at], other), kNever - 1), edge.from);
    }
  }
  return distance;
}

/// Takes out what leads to no end.
void prune(std::vector<DraftNode>& nodes, const std::vector<DraftRule>& rules,
           const std::vector<std::uint32_t>& distance) {
  for (DraftNode& node : nodes) {
    std::erase_if(node.steps, [&](const auto& step) { return distance[step.target] == kNever; });
    std::erase_if(node.jumps, [&](Position target) { return distance[target] == kNever; });
    std::erase_if(node.calls, [&](const auto& call) {
      return distance[rules[call.first].start] == kNever || distance[call.second] == kNever;
    });
  }
}

/// kData for a rule that may call itself before a byte is taken.
class LeftRecursionCheck {
 public:
  LeftRecursionCheck(const std::vector<DraftNode>& nodes, const std::vector<DraftRule>& rules,
                     const std::vector<std::uint32_t>& distance)
      : nodes_(nodes),
        rules_(rules),
        distance_(distance),
        begins_(rules.size()),
        seen_(nodes.size()) {
    for (std::size_t i = 0; i < rules.size(); ++i) begins_[i] = first_calls(rules[i].start);
    std::vector<char> colour(rules.size(), 0);  // 1: on the way, 2: done
    for (std::size_t i = 0; i < rules.size(); ++i) {
      if (colour[i] == 0) walk(i, colour);
    }
  }

 private:
  /// Rules that are called from here before any byte.
  std::vector<std::size_t> first_calls(Position start) {
    std::vector<std::size_t> found;
    std::vector<Position> open;
    ++round_;
    const auto visit = [&](Position at) {
      if (std::exchange(seen_[at], round_) != round_) open.push_back(at);
    };
    visit(start);
    while (!open.empty()) {
      const DraftNode& node = nodes_[open.back()];
      open.pop_back();
      for (const Position target : node.jumps) visit(target);
      for (const auto& [rule, then] : node.calls) {
        if (std::find(found.begin(), found.end(), rule) == found.end()) found.push_back(rule);
        if (distance_[rules_[rule].start] == 0) visit(then);
      }
    }
    return found;
  }

  void walk(std::size_t root, std::vector<char>& colour) const {
    std::vector<std::pair<std::size_t, std::size_t>> path = {{root, 0}};  // rule, next of its calls
    colour[root] = 1;
    while (!path.empty()) {
      auto& [rule, next] = path.back();
      if (next == begins_[rule].size()) {
        colour[rule] = 2;
        path.pop_back();
        continue;
      }
      const std::size_t called = begins_[rule][next++];
      if (colour[called] == 1) refuse(path, called);
      if (colour[called] == 0) {
        colour[called] = 1;
        path.emplace_back(called, 0);
      }
    }
  }

  [[noreturn]] void refuse(const std::vector<std::pair<std::size_t, std::size_t>>& path,
                           std::size_t called) const {
    std::string way;
    bool on = false;
    for (const auto& [rule, next] : path) {
      on = on || rule == called;
      if (on) way += rules_[rule].name + " → ";
    }
    fail(ErrorCode::kData, "rule \"", rules_[called].name, "\" begins with itself (", way,
         rules_[called].name, "); write the repetition with * or +");
  }

  const std::vector<DraftNode>& nodes_;
  const std::vector<DraftRule>& rules_;
  const std::vector<std::uint32_t>& distance_;
  std::vector<std::vector<std::size_t>> begins_;
  std::vector<std::size_t> seen_;  // by round
  std::size_t round_ = 0;
};

/// Whether from here there is nothing but the rule's end.
bool is_done(const std::vector<DraftNode>& nodes, Position at, Position end) {
  for (int i = 0; i < 8 && at != end; ++i) {
    const DraftNode& node = nodes[at];
    if (!node.steps.empty() || !node.calls.empty() || node.jumps.size() != 1) return false;
    at = node.jumps[0];
  }
  return at == end && nodes[at].jumps.empty() && nodes[at].steps.empty() && nodes[at].calls.empty();
}

}  // namespace

Automaton::Automaton(const Grammar& grammar) {
  Drafter draft(grammar);
  std::vector<DraftNode>& nodes = draft.nodes;
  const std::vector<DraftRule>& rules = draft.rules();
  const std::vector<std::uint32_t> distance = distances(nodes, rules);
  const DraftRule& root = rules[grammar.root];
  require(distance[root.start] != kNever, ErrorCode::kData, "no text completes rule \"", root.name,
          "\"");
  prune(nodes, rules, distance);
  const LeftRecursionCheck check(nodes, rules, distance);

  // What is reached, in that order; each node with the end of its rule.
  std::vector<std::uint32_t> number(nodes.size(), kNever);
  std::vector<std::pair<Position, Position>> order;
  const auto reach = [&](Position at, Position end) {
    if (number[at] == kNever) {
      number[at] = static_cast<std::uint32_t>(order.size());
      order.emplace_back(at, end);
    }
    return number[at];
  };
  start_ = reach(root.start, root.end);
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto [at, end] = order[i];
    nodes_.push_back({static_cast<std::uint32_t>(steps_.size()),
                      static_cast<std::uint32_t>(jumps_.size()),
                      static_cast<std::uint32_t>(calls_.size()), distance[at], at == end});
    for (const Step& step : nodes[at].steps) {
      steps_.push_back({step.low, step.high, reach(step.target, end)});
    }
    for (const Position target : nodes[at].jumps) jumps_.push_back(reach(target, end));
    for (const auto& [rule, back] : nodes[at].calls) {
      const Position called = reach(rules[rule].start, rules[rule].end);
      calls_.push_back({called, reach(back, end), is_done(nodes, back, end)});
    }
  }
  nodes_.push_back({static_cast<std::uint32_t>(steps_.size()),
                    static_cast<std::uint32_t>(jumps_.size()),
                    static_cast<std::uint32_t>(calls_.size())});

  std::array<bool, 257> begins{};
  for (const Step& step : steps_) begins[step.low] = begins[step.high + 1u] = true;
  representatives_ = {0};
  for (unsigned byte = 1; byte < 256; ++byte) {
    if (begins[byte]) representatives_.push_back(static_cast<std::uint8_t>(byte));
    classes_[byte] = static_cast<std::uint8_t>(representatives_.size() - 1);
  }
  class_count_ = static_cast<std::uint32_t>(representatives_.size());
}

}  // namespace llmctl::grammar
