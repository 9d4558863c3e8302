#include "text/grammar/utf8_sequences.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/utf8.h"

namespace llmctl::grammar {
namespace {

/// Cuts [first, last] until it is a product of byte ranges: the ends have equally many bytes, and
/// from the first byte in which they differ on, all continuation bytes are there.
void put_sequences(char32_t first, char32_t last, std::vector<ByteSequence>& out) {
  for (const char32_t limit : {U'\x7F', U'\x7FF', U'\xFFFF'}) {
    if (first <= limit && last > limit) {
      put_sequences(first, limit, out);
      return put_sequences(limit + 1, last, out);
    }
  }
  if (last > 0x7F) {
    for (int bytes = 1; bytes < 4; ++bytes) {
      const char32_t below = (char32_t{1} << (6 * bytes)) - 1;
      if ((first & ~below) == (last & ~below)) break;
      if ((first & below) != 0) {
        put_sequences(first, first | below, out);
        return put_sequences((first | below) + 1, last, out);
      }
      if ((last & below) != below) {
        put_sequences(first, (last & ~below) - 1, out);
        return put_sequences(last & ~below, last, out);
      }
    }
  }
  std::string low, high;
  append_utf8(low, first);
  append_utf8(high, last);
  ByteSequence bytes;
  for (std::size_t i = 0; i < low.size(); ++i) {
    bytes.push_back({static_cast<std::uint8_t>(low[i]), static_cast<std::uint8_t>(high[i])});
  }
  out.push_back(std::move(bytes));
}

}  // namespace

std::vector<ByteSequence> utf8_sequences(const CharClass& set) {
  std::vector<ByteSequence> sequences;
  for (const CodePoints range : set) put_sequences(range.first, range.last, sequences);
  return sequences;
}

}  // namespace llmctl::grammar
