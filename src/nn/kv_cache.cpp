#include "nn/kv_cache.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>

#include "base/error.h"

namespace llmctl {
namespace {

/// What stands for "the page before" of a row's first page.
std::uint64_t beginning_of(std::uint64_t scope) {
  return scope | std::uint64_t{1} << 63;
}

}  // namespace

std::int64_t padded_size(std::int64_t n) {
  std::int64_t size = 1;
  while (size < n) size *= 2;
  return size >= 4 && size / 4 * 3 >= n ? size / 4 * 3 : size;
}

KvCache::KvCache(const KvCacheShape& shape, at::ScalarType dtype, at::Device device,
                 std::int64_t tokens)
    : shape_(shape) {
  pool_ = at::empty({shape.layers, 2, 0, shape.heads, kPageTokens, shape.head_size},
                    at::TensorOptions().dtype(dtype).device(device));
  grow(std::max<std::int64_t>((tokens + kPageTokens - 1) / kPageTokens, 1));
}

void KvCache::grow(std::int64_t pages) {
  const std::int64_t held = pool_.size(2);
  std::vector<std::int64_t> sizes = pool_.sizes().vec();
  sizes[2] = pages;
  // Not zeroed: on the CPU what no token was stored in takes no memory.
  const at::Tensor larger = at::empty(sizes, pool_.options());
  if (held > 0) larger.narrow(2, 0, held).copy_(pool_);
  pool_ = larger;
  layers_.clear();
  for (std::int64_t layer = 0; layer < shape_.layers; ++layer) {
    layers_.push_back({pool_[layer][0], pool_[layer][1]});
  }
  pages_.resize(static_cast<std::size_t>(pages));
  for (std::int64_t page = pages; page-- > held;) free_.push_back(static_cast<std::int32_t>(page));
}

KvCache::Tokens& KvCache::at(Row row) {
  return const_cast<Tokens&>(std::as_const(*this).at(row));
}

const KvCache::Tokens& KvCache::at(Row row) const {
  const auto index = static_cast<std::size_t>(row);
  require(row >= 0 && index < rows_.size() && rows_[index].open, ErrorCode::kInternal,
          "the cache has no row ", row);
  return rows_[index];
}

KvCache::Row KvCache::open() {
  if (closed_.empty()) {
    closed_.push_back(static_cast<Row>(rows_.size()));
    rows_.emplace_back();
  }
  const Row row = closed_.back();
  closed_.pop_back();
  rows_[static_cast<std::size_t>(row)].open = true;
  return row;
}

KvCache::Row KvCache::fork(Row row) {
  require(at(row).planned == 0, ErrorCode::kInternal, "row ", row, " is in a forward pass");
  const Row copy = open();
  const Tokens& from = at(row);
  Tokens& to = at(copy);
  to.length = from.length;
  to.pages = from.pages;
  for (const std::int32_t page : to.pages) use(page);
  return copy;
}

void KvCache::close(Row row) {
  Tokens& tokens = at(row);
  for (const std::int32_t page : tokens.pages) release(page);
  planned_ -= tokens.planned;
  tokens = {};
  closed_.push_back(row);
}

std::int64_t KvCache::length(Row row) const {
  return at(row).length;
}

void KvCache::truncate(Row row, std::int64_t length) {
  Tokens& tokens = at(row);
  require(length >= 0 && length <= tokens.length && tokens.planned == 0, ErrorCode::kInternal,
          "row ", row, " of ", tokens.length, " tokens cannot be cut to ", length);
  tokens.length = length;
  const auto pages = static_cast<std::size_t>((length + kPageTokens - 1) / kPageTokens);
  while (tokens.pages.size() > pages) {
    release(tokens.pages.back());
    tokens.pages.pop_back();
  }
}

std::int64_t KvCache::adopt(Row row, std::uint64_t scope, std::span<const TokenId> ids,
                            std::int64_t limit) {
  Tokens& tokens = at(row);
  require(tokens.pages.empty(), ErrorCode::kInternal, "row ", row, " is not empty");
  constexpr auto kTokens = static_cast<std::size_t>(kPageTokens);
  const std::size_t most = std::min(ids.size(), static_cast<std::size_t>(limit)) / kTokens;
  std::uint64_t before = beginning_of(scope);
  for (std::size_t i = 0; i < most; ++i) {
    const std::span<const TokenId> own = ids.subspan(i * kTokens, kTokens);
    const auto found = known_.find({before, {own.begin(), own.end()}});
    if (found == known_.end()) break;
    use(found->second);
    tokens.pages.push_back(found->second);
    before = pages_[static_cast<std::size_t>(found->second)].known;
  }
  return tokens.length = std::ssize(tokens.pages) * kPageTokens;
}

void KvCache::remember(Row row, std::uint64_t scope, std::span<const TokenId> ids) {
  const Tokens& tokens = at(row);
  constexpr auto kTokens = static_cast<std::size_t>(kPageTokens);
  const auto held = static_cast<std::size_t>(tokens.length + tokens.planned);
  std::uint64_t before = beginning_of(scope);
  for (std::size_t i = 0; (i + 1) * kTokens <= std::min(held, ids.size()); ++i) {
    Page& page = pages_[static_cast<std::size_t>(tokens.pages[i])];
    if (page.known == 0) {
      const std::span<const TokenId> own = ids.subspan(i * kTokens, kTokens);
      const auto [place, fresh] =
          known_.try_emplace({before, {own.begin(), own.end()}}, tokens.pages[i]);
      if (!fresh) return;  // two rows computed the same at once: the first one's page stands for it
      page.known = ++contents_;
      page.content = place;
    }
    before = page.known;
  }
}

std::int32_t KvCache::take_page() {
  if (free_.empty() && !kept_.empty()) {
    const std::int32_t oldest = kept_.front();
    kept_.pop_front();
    forget(oldest);
    free_.push_back(oldest);
  }
  if (free_.empty()) grow(2 * pool_.size(2));
  const std::int32_t page = free_.back();
  free_.pop_back();
  pages_[static_cast<std::size_t>(page)].users = 1;
  return page;
}

void KvCache::use(std::int32_t index) {
  Page& page = pages_[static_cast<std::size_t>(index)];
  if (page.users++ == 0) kept_.erase(page.unused);
}

void KvCache::release(std::int32_t index) {
  Page& page = pages_[static_cast<std::size_t>(index)];
  if (--page.users > 0) return;
  if (page.known == 0) {
    free_.push_back(index);
  } else {
    page.unused = kept_.insert(kept_.end(), index);
  }
}

void KvCache::forget(std::int32_t index) {
  Page& page = pages_[static_cast<std::size_t>(index)];
  known_.erase(page.content);
  page.known = 0;
}

/// The page that a row's next token goes to is the row's alone, and not what others know it as.
void KvCache::own_last_page(Tokens& tokens) {
  const std::int32_t shared = tokens.pages.back();
  const Page& page = pages_[static_cast<std::size_t>(shared)];
  if (page.users == 1 && page.known == 0) return;
  const std::int32_t copy = take_page();  // may grow the pool
  pool_.select(2, copy).copy_(pool_.select(2, shared));
  release(shared);
  tokens.pages.back() = copy;
}

void KvCache::plan(Row row, std::int64_t count) {
  fill(row, count);
  const std::int64_t first = at(row).length;
  for (std::int64_t i = 0; i < count; ++i) looks_.push_back({row, first + i, first + i + 1});
}

void KvCache::fill(Row row, std::int64_t count) {
  Tokens& tokens = at(row);
  require(count > 0 && tokens.planned == 0, ErrorCode::kInternal, "row ", row, " cannot have ",
          count, " tokens planned");
  if (tokens.length % kPageTokens != 0) own_last_page(tokens);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t position = tokens.length + i;
    if (position % kPageTokens == 0) tokens.pages.push_back(take_page());
    slots_.push_back({tokens.pages.back(), static_cast<std::int32_t>(position % kPageTokens)});
  }
  tokens.planned = count;
  planned_ += count;
}

void KvCache::look(Row row) {
  const Tokens& tokens = at(row);
  const std::int64_t end = tokens.length + tokens.planned;
  looks_.push_back({row, end - 1, end});
}

void KvCache::pad(std::int64_t tokens) {
  require(tokens >= planned_, ErrorCode::kInternal, "a pass of ", planned_,
          " tokens cannot be padded to ", tokens);
  if (padding_page_ < 0) padding_page_ = take_page();
  for (; planned_ < tokens; ++planned_) slots_.push_back({padding_page_, 0});
  pad_looks(tokens);
}

void KvCache::pad_looks(std::int64_t tokens) {
  looks_.resize(static_cast<std::size_t>(tokens), {-1, 0, 0});
  padding_.resize(looks_.size());
  padded_ = true;
}

void KvCache::store(std::int64_t layer, const at::Tensor& k, const at::Tensor& v) {
  require(k.size(0) == planned_ && v.size(0) == planned_, ErrorCode::kInternal,
          "the cache expects ", planned_, " tokens, got ", k.size(0));
  if (planned_ == 0) return;
  const PagedKeysValues& own = layers_[static_cast<std::size_t>(layer)];
  if (pool_.is_cpu()) return store_paged(own, k, v, slots_);
  if (!slot_indices_) slot_indices_.emplace(slots_, pool_.device());
  store_paged_by_tensors(own, k, v, *slot_indices_);
}

at::Tensor KvCache::attend(std::int64_t layer, const at::Tensor& q,
                           const CacheAttention& how) const {
  require(static_cast<std::size_t>(q.size(0)) == looks_.size(), ErrorCode::kInternal,
          "the cache expects ", looks_.size(), " queries, got ", q.size(0));
  const PagedKeysValues& own = layers_[static_cast<std::size_t>(layer)];
  const PagedAttentionOptions options = {how.scale, how.distance_bias};
  if (pool_.is_cpu()) return paged_attention(q, own, queries(how.window), options);
  auto known = query_indices_.find(how.window);
  if (known == query_indices_.end()) {
    const std::int64_t least = padded_ ? reach() / kPageTokens : 1;
    known = query_indices_
                .emplace(how.window, PagedQueryIndices(queries(how.window), pool_.device(), least))
                .first;
  }
  return paged_attention_by_tensors(q, own, known->second, options);
}

std::vector<PagedQuery> KvCache::queries(std::int64_t window) const {
  std::vector<PagedQuery> queries;
  queries.reserve(looks_.size());
  for (std::size_t i = 0; i < looks_.size(); ++i) {
    const Look& look = looks_[i];
    if (look.row < 0) {  // each a row of its own
      queries.push_back({padding_.data() + i, 0, 0, 0});
      continue;
    }
    const std::int64_t first = window > 0 ? std::max<std::int64_t>(0, look.end - window) : 0;
    const Tokens& tokens = rows_[static_cast<std::size_t>(look.row)];
    queries.push_back({tokens.pages.data(), look.position, first, look.end});
  }
  return queries;
}

std::int64_t KvCache::reach() const {
  std::int64_t most = 0;
  for (const Look& look : looks_) most = std::max(most, look.end);
  if (padded_) most = padded_size((most + kPageTokens - 1) / kPageTokens) * kPageTokens;
  return most;
}

void KvCache::end() {
  for (Tokens& tokens : rows_) {
    tokens.length += tokens.planned;
    tokens.planned = 0;
  }
  planned_ = 0;
  slots_.clear();
  looks_.clear();
  padded_ = false;
  slot_indices_.reset();
  query_indices_.clear();
}

std::int64_t KvCache::rows() const {
  return std::ssize(rows_) - std::ssize(closed_);
}

std::int64_t KvCache::bytes() const {
  return static_cast<std::int64_t>(pool_.nbytes());
}

std::int64_t KvCache::pages_in_use() const {
  return std::count_if(pages_.begin(), pages_.end(),
                       [](const Page& page) { return page.users > 0; });
}

}  // namespace llmctl
