// Results that come in any order, handed on in the order of their numbers.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <utility>

namespace llmctl {

template <class Result>
class InOrder {
 public:
  /// `out` gets the result of number `first`, then the next one's, and so on.
  InOrder(std::size_t first, std::function<void(std::size_t number, Result result)> out)
      : next_(first), out_(std::move(out)) {}

  void give(std::size_t number, Result result) {
    waiting_.emplace(number, std::move(result));
    while (!waiting_.empty() && waiting_.begin()->first == next_) {
      auto node = waiting_.extract(waiting_.begin());
      out_(next_++, std::move(node.mapped()));
    }
  }

 private:
  std::size_t next_;
  std::function<void(std::size_t, Result)> out_;
  std::map<std::size_t, Result> waiting_;
};

}  // namespace llmctl
