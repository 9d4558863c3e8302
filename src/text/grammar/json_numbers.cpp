#include "text/grammar/json_numbers.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace llmctl::grammar {
namespace {

constexpr std::int64_t kFar = 9'999'999'999'999'999;  // 16 digits
constexpr std::int64_t kGreatest = std::numeric_limits<std::int64_t>::max();
/// Few enough that a double still tells a number from an excluded bound.
constexpr int kMostDecimals = 6;

Expr digits(int least, int most) {
  return repeat(chars({{'0', '9'}}), least, most);
}

/// Texts from low to high, which have equally many digits.
Expr between_digits(const std::string& low, const std::string& high) {
  if (low.empty()) return {};
  const int rest = static_cast<int>(low.size()) - 1;
  const auto from = static_cast<char32_t>(low[0]), to = static_cast<char32_t>(high[0]);
  const std::string zeros(low.size() - 1, '0'), nines(low.size() - 1, '9');
  const auto with = [](char32_t first, Expr others) {
    std::vector<Expr> both;
    both.push_back(chars({{first, first}}));
    both.push_back(std::move(others));
    return sequence(std::move(both));
  };
  if (from == to) return with(from, between_digits(low.substr(1), high.substr(1)));
  std::vector<Expr> parts;
  char32_t first = from, last = to;
  if (low.substr(1) != zeros) {
    parts.push_back(with(from, between_digits(low.substr(1), nines)));
    ++first;
  }
  if (high.substr(1) != nines) {
    parts.push_back(with(to, between_digits(zeros, high.substr(1))));
    --last;
  }
  if (first <= last) {
    std::vector<Expr> both;
    both.push_back(chars({{first, last}}));
    both.push_back(digits(rest, rest));
    parts.push_back(sequence(std::move(both)));
  }
  return choice(std::move(parts));
}

/// Integers from low to high; 0 <= low.
Expr naturals(std::int64_t low, std::int64_t high) {
  std::vector<Expr> parts;
  while (low <= high) {
    const std::string from = std::to_string(low);
    std::string to = std::to_string(high);
    if (to.size() > from.size()) to = std::string(from.size(), '9');
    parts.push_back(between_digits(from, to));
    const std::int64_t last = std::stoll(to);
    if (last == kGreatest) break;
    low = last + 1;
  }
  return choice(std::move(parts));
}

Expr behind_minus(Expr expr) {
  std::vector<Expr> both;
  both.push_back(bytes("-"));
  both.push_back(std::move(expr));
  return sequence(std::move(both));
}

/// ".5", with a digit that is not 0 where the fraction must be more than nothing.
Expr fraction(bool more_than_zero) {
  std::vector<Expr> ways;
  for (int zeros = 0; more_than_zero && zeros < kMostDecimals; ++zeros) {
    ways.push_back(sequence({bytes("." + std::string(static_cast<std::size_t>(zeros), '0')),
                             chars({{'1', '9'}}), digits(0, kMostDecimals - 1 - zeros)}));
  }
  if (!more_than_zero) ways.push_back(sequence({bytes("."), digits(1, kMostDecimals)}));
  return choice(std::move(ways));
}

/// Decimal numbers from low to high, 0 <= low; `above`, `below`: without the bound.
Expr positive_decimals(std::int64_t low, std::int64_t high, bool above, bool below) {
  std::vector<Expr> parts;
  if (low > high) return never();
  const auto add = [&](Expr whole, Expr behind) {
    std::vector<Expr> both;
    both.push_back(std::move(whole));
    both.push_back(std::move(behind));
    parts.push_back(sequence(std::move(both)));
  };
  if (low < high) {
    // From low up to, but not, low + 1; then all others below high.
    const Expr own = naturals(low, low);
    add(own, above ? fraction(true) : optional(fraction(false)));
    if (low + 1 < high) add(naturals(low + 1, high - 1), optional(fraction(false)));
  }
  if (!below && !(low == high && above)) {
    std::vector<Expr> zeros = {bytes("."), repeat(bytes("0"), 1, kMostDecimals)};
    add(naturals(high, high), optional(sequence(std::move(zeros))));
  }
  return choice(std::move(parts));
}

}  // namespace

Expr integers_within(NumberBounds bounds) {
  if (bounds.least && bounds.above_least) {
    if (*bounds.least == kGreatest) return never();
    ++*bounds.least;
  }
  if (bounds.most && bounds.below_most) {
    if (*bounds.most == -kGreatest) return never();
    --*bounds.most;
  }
  const std::int64_t low = bounds.least.value_or(std::min(-kFar, bounds.most.value_or(0)));
  const std::int64_t high = bounds.most.value_or(std::max(kFar, bounds.least.value_or(0)));
  std::vector<Expr> parts;
  if (low < 0 && low <= high) {
    parts.push_back(behind_minus(naturals(std::max<std::int64_t>(1, -high), -low)));
  }
  if (high >= 0 && low <= high) parts.push_back(naturals(std::max<std::int64_t>(low, 0), high));
  return choice(std::move(parts));
}

Expr decimals_within(const NumberBounds& bounds) {
  const std::int64_t low = bounds.least.value_or(std::min(-kFar, bounds.most.value_or(0)));
  const std::int64_t high = bounds.most.value_or(std::max(kFar, bounds.least.value_or(0)));
  std::vector<Expr> parts;
  if (low > high) return never();
  if (low < 0) {
    // -0 is no number to write: what is below zero begins above it.
    const bool to_zero = high >= 0;
    parts.push_back(behind_minus(positive_decimals(
        to_zero ? 0 : -high, -low, to_zero || bounds.below_most, bounds.above_least)));
  }
  if (high >= 0) {
    parts.push_back(positive_decimals(std::max<std::int64_t>(low, 0), high,
                                      low >= 0 && bounds.above_least, bounds.below_most));
  }
  return choice(std::move(parts));
}

}  // namespace llmctl::grammar
