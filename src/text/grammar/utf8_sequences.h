// Sets of characters as sequences of byte ranges: what an automaton over bytes takes for them.
#pragma once

#include <cstdint>
#include <vector>

#include "text/grammar/grammar.h"

namespace llmctl::grammar {

struct ByteRange {
  std::uint8_t low, high;
  auto operator<=>(const ByteRange&) const = default;
};
using ByteSequence = std::vector<ByteRange>;

/// The UTF-8 of the characters: each is in exactly one sequence. First ranges of two sequences are
/// equal or apart. `set` is normalized.
std::vector<ByteSequence> utf8_sequences(const CharClass& set);

}  // namespace llmctl::grammar
