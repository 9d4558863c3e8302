#include "ops/paged_attention.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "base/error.h"
#include "ops/grain.h"

namespace llmctl {
namespace {

bool in_pairs(const at::Tensor& pages) {
  return pages.scalar_type() == at::kBFloat16;
}

kernels::PagedCache layout_of(const PagedKeysValues& cache, std::int64_t head_size) {
  require(!in_pairs(cache.keys) || head_size % 2 == 0, ErrorCode::kInternal, "keys of ", head_size,
          " numbers cannot lie in pairs");
  return {cache.keys.size(1), head_size, cache.keys.scalar_type() == at::kBFloat16,
          cache.keys.mutable_data_ptr(), cache.values.mutable_data_ptr()};
}

/// Neighbours in the list that share a page table, as many as the kernel computes at once.
struct Piece {
  std::int64_t begin, end, cost;  // of queries; keys read and products
};

std::vector<Piece> pieces_of(std::span<const PagedQuery> queries, std::int64_t group) {
  const std::int64_t most = std::max<std::int64_t>(1, kernels::kAttentionRows / group);
  std::vector<Piece> pieces;
  for (std::int64_t i = 0; i < std::ssize(queries); ++i) {
    const PagedQuery& query = queries[static_cast<std::size_t>(i)];
    const std::int64_t keys = std::max<std::int64_t>(0, query.end - query.begin);
    const bool joined = !pieces.empty() && i - pieces.back().begin < most &&
                        queries[static_cast<std::size_t>(pieces.back().begin)].pages == query.pages;
    if (!joined) pieces.push_back({i, i, 1 + 3 * keys});  // reading costs as much as a few products
    pieces.back().end = i + 1;
    pieces.back().cost += keys * group;
  }
  return pieces;
}

at::Tensor index_tensor(const std::vector<std::int64_t>& numbers, at::IntArrayRef shape,
                        at::Device device) {
  return at::from_blob(const_cast<std::int64_t*>(numbers.data()), shape, at::kLong)
      .to(device, at::kLong, /*non_blocking=*/false, /*copy=*/true);
}

/// Pages as kernels::PagedCache describes them, token by token: of keys [pages, 16, G, K], or the
/// last in pairs, [pages, 16, G, K / 2, 2]; of values [pages, 16, G, K] or [pages, 8, 2, G, K].
at::Tensor tokens_of_keys(const at::Tensor& all, std::int64_t size) {
  const std::int64_t pages = all.size(0), heads = all.size(1);
  if (!in_pairs(all)) return all.view({pages, heads, size, kPage}).permute({0, 3, 1, 2});
  return all.view({pages, heads, size / 2, kPage, 2}).permute({0, 3, 1, 2, 4});
}
at::Tensor tokens_of_values(const at::Tensor& all, std::int64_t size) {
  const std::int64_t pages = all.size(0), heads = all.size(1);
  if (!in_pairs(all)) return all.view({pages, heads, kPage, size}).permute({0, 2, 1, 3});
  return all.view({pages, heads, kPage / 2, size, 2}).permute({0, 2, 4, 1, 3});
}

}  // namespace

PagedSlotIndices::PagedSlotIndices(std::span<const PagedSlot> slots, at::Device device) {
  std::vector<std::int64_t> page, offset, pair, place;
  for (const PagedSlot& slot : slots) {
    page.push_back(slot.page);
    offset.push_back(slot.offset);
    pair.push_back(slot.offset / 2);
    place.push_back(slot.offset % 2);
  }
  pages = index_tensor(page, {std::ssize(slots)}, device);
  offsets = index_tensor(offset, {std::ssize(slots)}, device);
  pairs = index_tensor(pair, {std::ssize(slots)}, device);
  places = index_tensor(place, {std::ssize(slots)}, device);
}

PagedQueryIndices::PagedQueryIndices(std::span<const PagedQuery> queries, at::Device device,
                                     std::int64_t least_pages)
    : pages(least_pages) {
  std::vector<std::int64_t> firsts;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    if (i == 0 || queries[i].pages != queries[i - 1].pages) {
      firsts.push_back(static_cast<std::int64_t>(i));
    }
    length = std::max(length, static_cast<std::int64_t>(i) + 1 - firsts.back());
    if (queries[i].begin < queries[i].end) {
      pages = std::max(pages, (queries[i].end + kPage - 1) / kPage);
    }
  }
  rows = std::ssize(firsts);
  std::vector<std::int64_t> at, begins, ends, positions;
  std::vector<std::int64_t> all(static_cast<std::size_t>(rows * pages), 0);
  std::int64_t row = -1;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const PagedQuery& query = queries[i];
    const auto n = static_cast<std::int64_t>(i);
    if (row + 1 < rows && firsts[static_cast<std::size_t>(row + 1)] == n) ++row;
    at.push_back(row * length + n - firsts[static_cast<std::size_t>(row)]);
    begins.push_back(query.begin);
    ends.push_back(query.end);
    positions.push_back(query.position);
    if (query.begin >= query.end) continue;
    for (std::int64_t p = query.begin / kPage; p <= (query.end - 1) / kPage; ++p) {
      all[static_cast<std::size_t>(row * pages + p)] = query.pages[p];
    }
  }
  const std::int64_t n = std::ssize(queries), s = pages * kPage;
  places = index_tensor(at, {n}, device);
  table = index_tensor(all, {rows * pages}, device);
  // [N] of one number for each query → [B, 1, T, 1]
  const auto padded = [&](const std::vector<std::int64_t>& numbers) {
    return at::zeros({rows * length}, places.options())
        .index_copy(0, places, index_tensor(numbers, {n}, device))
        .view({rows, 1, length, 1});
  };
  const at::Tensor slots = at::arange(s, places.options());
  seen = (slots >= padded(begins)).logical_and(slots < padded(ends));
  any = seen.any(-1, /*keepdim=*/true);
  used = seen.any(2).view({rows, 1, s, 1});
  back = padded(positions) - slots;
}

at::Tensor paged_attention_by_tensors(const at::Tensor& q, const PagedKeysValues& cache,
                                      const PagedQueryIndices& queries,
                                      const PagedAttentionOptions& options) {
  const std::int64_t heads = q.size(1), size = q.size(2), kv_heads = cache.keys.size(1);
  const std::int64_t b = queries.rows, t = queries.length, s = queries.pages * kPage;
  // [B, H, S, K], what nobody sees as 0
  const auto padded_rows = [&](const at::Tensor& all, bool transposed) {
    const at::Tensor x = (transposed ? tokens_of_keys(all, size) : tokens_of_values(all, size))
                             .index_select(0, queries.table)
                             .reshape({b, s, kv_heads, size})
                             .transpose(1, 2)
                             .to(at::kFloat);
    return at::where(queries.used, x, at::zeros({}, x.options()))
        .repeat_interleave(heads / kv_heads, /*dim=*/1);
  };
  const at::Tensor rows = at::zeros({b * t, heads, size}, q.options().dtype(at::kFloat))
                              .index_copy(0, queries.places, q.to(at::kFloat))
                              .view({b, t, heads, size})
                              .transpose(1, 2);  // [B, H, T, K]
  at::Tensor bias = at::zeros({}, rows.options());
  if (options.distance_bias.defined()) {
    const at::Tensor back = queries.back.clamp(0, options.distance_bias.size(1) - 1);
    bias = options.distance_bias.to(q.device())
               .index_select(1, back.flatten())
               .view({heads, b, t, s})
               .transpose(0, 1);
  }
  const at::Tensor nothing = at::full({}, -std::numeric_limits<float>::infinity(), rows.options());
  const at::Tensor mask =
      at::where(queries.seen.logical_or(queries.any.logical_not()), bias, nothing);
  at::Tensor out = at::scaled_dot_product_attention(
      rows, padded_rows(cache.keys, true), padded_rows(cache.values, false),
      mask.expand({b, heads, t, s}), 0.0, false, options.scale);
  out = at::where(queries.any, out, at::zeros({}, out.options()));
  return out.transpose(1, 2)
      .reshape({b * t, heads, size})
      .index_select(0, queries.places)
      .to(q.scalar_type());
}

void store_paged_by_tensors(const PagedKeysValues& cache, const at::Tensor& keys,
                            const at::Tensor& values, const PagedSlotIndices& slots) {
  const std::int64_t n = keys.size(0), size = keys.size(2);
  const at::Tensor all_keys = tokens_of_keys(cache.keys, size);
  std::vector<std::int64_t> shape = {n};
  for (std::int64_t i = 2; i < all_keys.dim(); ++i) shape.push_back(all_keys.size(i));
  all_keys.index_put_({slots.pages, slots.offsets},
                      keys.to(cache.keys.scalar_type()).reshape(shape));
  const at::Tensor all_values = tokens_of_values(cache.values, size);
  const at::Tensor rounded = values.to(cache.values.scalar_type());
  if (in_pairs(cache.values)) {
    all_values.index_put_({slots.pages, slots.pairs, slots.places}, rounded);
  } else {
    all_values.index_put_({slots.pages, slots.offsets}, rounded);
  }
}

void store_paged(const PagedKeysValues& cache, const at::Tensor& keys, const at::Tensor& values,
                 std::span<const PagedSlot> slots) {
  if (slots.empty()) return;
  const at::Tensor k = keys.to(at::kFloat).contiguous(), v = values.to(at::kFloat).contiguous();
  const kernels::PagedCache layout = layout_of(cache, k.size(2));
  const std::int64_t n = std::ssize(slots);
  at::parallel_for(0, layout.kv_heads, row_grain(n * layout.head_size),
                   [&](std::int64_t begin, std::int64_t end) {
                     kernels::store_paged(layout, k.const_data_ptr<float>(),
                                          v.const_data_ptr<float>(), slots.data(), n, begin, end);
                   });
}

at::Tensor paged_attention(const at::Tensor& q, const PagedKeysValues& cache,
                           std::span<const PagedQuery> queries,
                           const PagedAttentionOptions& options) {
  if (queries.empty()) return at::empty_like(q);
  const at::Tensor input = q.to(at::kFloat).contiguous();
  const at::Tensor output = at::empty_like(input);
  const at::Tensor bias =
      options.distance_bias.defined() ? options.distance_bias.contiguous() : at::Tensor();
  kernels::PagedAttention args;
  args.cache = layout_of(cache, q.size(2));
  args.heads = q.size(1);
  args.scale = static_cast<float>(options.scale);
  if (bias.defined()) {
    args.distance_bias = bias.const_data_ptr<float>();
    args.distances = bias.size(1);
  }
  // Work in the order (key head, piece), cut where the costs before are equal parts of their sum.
  const std::int64_t group = args.heads / args.cache.kv_heads;
  const std::vector<Piece> pieces = pieces_of(queries, group);
  const std::int64_t count = std::ssize(pieces);
  std::int64_t per_head = 0;
  for (const Piece& piece : pieces) per_head += piece.cost;
  const std::int64_t total = per_head * args.cache.kv_heads;
  const float* const in = input.const_data_ptr<float>();
  float* const out = output.mutable_data_ptr<float>();
  const std::int64_t row = args.heads * args.cache.head_size;
  const auto work = [&](std::int64_t first_cost, std::int64_t last_cost) {
    for (std::int64_t head = first_cost / per_head; head < args.cache.kv_heads; ++head) {
      std::int64_t cost = head * per_head, begin = -1, end = -1;
      if (cost >= last_cost) break;
      for (std::int64_t i = 0; i < count; cost += pieces[static_cast<std::size_t>(i++)].cost) {
        if (cost < first_cost || cost >= last_cost) continue;
        if (begin < 0) begin = pieces[static_cast<std::size_t>(i)].begin;
        end = pieces[static_cast<std::size_t>(i)].end;
      }
      if (begin < 0) continue;
      kernels::paged_attention(args, in + begin * row, queries.data() + begin, end - begin, head,
                               head + 1, out + begin * row);
    }
  };
  at::parallel_for(0, total, kGrain / std::max<std::int64_t>(1, args.cache.head_size), work);
  return output.to(q.scalar_type());
}

}  // namespace llmctl
