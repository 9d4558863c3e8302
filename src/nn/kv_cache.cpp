#include "nn/kv_cache.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "base/error.h"

namespace llmctl {

KvCache::KvCache(const KvCacheShape& shape, at::ScalarType dtype, at::Device device)
    : slots_(std::max<std::int64_t>(shape.slots, 1)),
      lengths_(static_cast<std::size_t>(shape.rows), 0) {
  // Zeros, because what a mask hides is still multiplied by a weight of zero.
  const auto options = at::TensorOptions().dtype(dtype).device(device);
  for (std::int64_t layer = 0; layer < shape.layers; ++layer) {
    keys_.push_back(at::zeros({shape.rows, shape.heads, slots_, shape.head_size}, options));
    values_.push_back(at::zeros({shape.rows, shape.heads, slots_, shape.head_size}, options));
  }
  memory_keys_.resize(keys_.size());
  memory_values_.resize(keys_.size());
}

std::int64_t KvCache::rows() const {
  return static_cast<std::int64_t>(lengths_.size());
}

std::int64_t KvCache::used() const {
  return lengths_.empty() ? 0 : *std::max_element(lengths_.begin(), lengths_.end()) + new_tokens_;
}

void KvCache::begin(std::int64_t new_tokens) {
  new_tokens_ = new_tokens;
  if (used() > slots_) grow(std::max(used(), 2 * slots_));
  equal_ = std::all_of(lengths_.begin(), lengths_.end(),
                       [&](std::int64_t length) { return length == lengths_.front(); });
  if (equal_) return;
  slots_of_new_ = slots_of_new().to(keys_.front().device());
}

void KvCache::grow(std::int64_t slots) {
  for (auto* tensors : {&keys_, &values_}) {
    for (auto& tensor : *tensors) {
      at::Tensor larger =
          at::zeros({tensor.size(0), tensor.size(1), slots, tensor.size(3)}, tensor.options());
      // [B, G, S, K] into the first S of more slots
      larger.narrow(2, 0, slots_).copy_(tensor);
      tensor = larger;
    }
  }
  slots_ = slots;
}

std::pair<at::Tensor, at::Tensor> KvCache::append(std::int64_t layer, const at::Tensor& keys,
                                                  const at::Tensor& values) {
  const c10::AutoGradMode no_grad(false);
  const auto index = static_cast<std::size_t>(layer);
  const auto store = [&](at::Tensor& cache, const at::Tensor& fresh) {
    require(fresh.size(0) == rows() && fresh.size(2) == new_tokens_, ErrorCode::kInternal,
            "the cache expects ", rows(), " rows of ", new_tokens_, " new tokens, got ",
            fresh.size(0), " of ", fresh.size(2));
    if (equal_) {
      cache.narrow(2, lengths_.empty() ? 0 : lengths_.front(), new_tokens_).copy_(fresh);
    } else {
      const at::Tensor slots =  // [B, T] → [B, G, T, K]
          slots_of_new_.view({fresh.size(0), 1, fresh.size(2), 1}).expand(fresh.sizes());
      cache.scatter_(2, slots, fresh.to(cache.scalar_type()));
    }
    return cache.narrow(2, 0, used());  // [B, G, S', K]
  };
  return {store(keys_[index], keys), store(values_[index], values)};
}

void KvCache::end(const std::vector<std::int64_t>& kept) {
  require(kept.size() == lengths_.size(), ErrorCode::kInternal, "the cache has ", rows(),
          " rows, got ", kept.size());
  for (std::size_t row = 0; row < kept.size(); ++row) {
    require(kept[row] >= 0 && kept[row] <= new_tokens_, ErrorCode::kInternal, "row ", row, " of ",
            new_tokens_, " new tokens cannot keep ", kept[row]);
    lengths_[row] += kept[row];
  }
  new_tokens_ = 0;
}

void KvCache::select(const std::vector<std::int64_t>& index) {
  std::vector<std::int64_t> lengths;
  bool same = index.size() == lengths_.size();
  for (std::size_t i = 0; i < index.size(); ++i) {
    lengths.push_back(lengths_.at(static_cast<std::size_t>(index[i])));
    same = same && index[i] == static_cast<std::int64_t>(i);
  }
  if (same) return;
  const at::Tensor rows = at::tensor(index, at::kLong).to(keys_.front().device());
  for (auto* tensors : {&keys_, &values_, &memory_keys_, &memory_values_}) {
    for (auto& tensor : *tensors) {
      if (tensor.defined()) tensor = tensor.index_select(0, rows);
    }
  }
  lengths_ = std::move(lengths);
}

std::pair<at::Tensor, at::Tensor> KvCache::memory(std::int64_t layer) const {
  const auto index = static_cast<std::size_t>(layer);
  return {memory_keys_[index], memory_values_[index]};
}

void KvCache::keep_memory(std::int64_t layer, const at::Tensor& keys, const at::Tensor& values) {
  const auto index = static_cast<std::size_t>(layer);
  memory_keys_[index] = keys;
  memory_values_[index] = values;
}

at::Tensor KvCache::slots_of_new() const {
  // [B, 1] + [T] → [B, T]
  return at::tensor(lengths_, at::kLong).unsqueeze(1) + at::arange(new_tokens_, at::kLong);
}

at::Tensor KvCache::mask(std::int64_t window) const {
  const at::Tensor last = slots_of_new().unsqueeze(1).unsqueeze(3);  // [B, 1, T, 1]
  const at::Tensor slots = at::arange(used(), at::kLong);            // [S']
  const at::Tensor seen = slots.le(last);                            // [B, 1, T, S']
  return window > 0 ? seen.logical_and(slots.gt(last - window)) : seen;
}

}  // namespace llmctl
