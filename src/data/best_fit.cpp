#include "data/best_fit.h"

#include <algorithm>
#include <bit>

namespace llmctl {
namespace {

/// Rows with room left, by how much: the tightest that still fits is found by bits.
class OpenRows {
 public:
  explicit OpenRows(std::size_t capacity) : rows_(capacity + 1), bits_(capacity / 64 + 1) {}

  /// Puts `row`, with `room` left, among the open ones.
  void add(std::uint32_t row, std::size_t room) {
    if (room == 0) return;
    rows_[room].push_back(row);
    bits_[room / 64] |= std::uint64_t{1} << (room % 64);
  }

  /// Takes out the row with the least room that is at least `size`; false when there is none.
  bool take(std::size_t size, std::uint32_t& row, std::size_t& room) {
    std::size_t word = size / 64;
    std::uint64_t bits = bits_[word] & (~std::uint64_t{0} << (size % 64));
    while (bits == 0) {
      if (++word == bits_.size()) return false;
      bits = bits_[word];
    }
    room = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
    row = rows_[room].back();
    rows_[room].pop_back();
    if (rows_[room].empty()) bits_[word] &= ~(std::uint64_t{1} << (room % 64));
    return true;
  }

 private:
  std::vector<std::vector<std::uint32_t>> rows_;  // by room
  std::vector<std::uint64_t> bits_;               // which of them are not empty
};

}  // namespace

Packed best_fit(std::span<const std::uint32_t> lengths, std::size_t capacity,
                std::size_t overhead) {
  std::vector<std::uint32_t> order(lengths.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return lengths[a] > lengths[b]; });
  Packed packed{std::vector<std::uint32_t>(lengths.size()), 0};
  OpenRows open(capacity);
  for (const std::uint32_t piece : order) {
    const std::size_t size = lengths[piece] + overhead;
    std::uint32_t row = 0;
    std::size_t room = capacity;
    if (!open.take(size, row, room)) row = packed.rows++;
    packed.row_of[piece] = row;
    open.add(row, room - size);
  }
  return packed;
}

}  // namespace llmctl
