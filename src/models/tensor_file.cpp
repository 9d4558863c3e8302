#include "models/tensor_file.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "config/json.h"

namespace llmctl {

at::ScalarType to_scalar_type(DType dtype) {
  switch (dtype) {
    case DType::kF64:
      return at::kDouble;
    case DType::kF32:
      return at::kFloat;
    case DType::kF16:
      return at::kHalf;
    case DType::kBF16:
      return at::kBFloat16;
    case DType::kI64:
      return at::kLong;
    case DType::kI32:
      return at::kInt;
    case DType::kI16:
      return at::kShort;
    case DType::kI8:
      return at::kChar;
    case DType::kU8:
      return at::kByte;
    case DType::kBool:
      return at::kBool;
  }
  fail(ErrorCode::kInternal, "a dtype without a name");
}

DType to_dtype(at::ScalarType type) {
  switch (type) {
    case at::kDouble:
      return DType::kF64;
    case at::kFloat:
      return DType::kF32;
    case at::kHalf:
      return DType::kF16;
    case at::kBFloat16:
      return DType::kBF16;
    case at::kLong:
      return DType::kI64;
    case at::kInt:
      return DType::kI32;
    case at::kShort:
      return DType::kI16;
    case at::kChar:
      return DType::kI8;
    case at::kByte:
      return DType::kU8;
    case at::kBool:
      return DType::kBool;
    default:
      fail(ErrorCode::kInternal, "safetensors has no dtype for ", at::toString(type));
  }
}

std::string shape_text(at::IntArrayRef shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(shape[i]);
  }
  return text + "]";
}

at::Tensor map_tensor(const TensorInfo& info, std::span<const std::byte> bytes,
                      std::shared_ptr<const void> owner) {
  // from_blob asks for mutable bytes; nobody writes to what it returns.
  void* const data = const_cast<std::byte*>(bytes.data());
  return at::from_blob(
      data, info.shape, [owner = std::move(owner)](void*) {},
      at::TensorOptions().dtype(to_scalar_type(info.dtype)));
}

at::Tensor map_tensor(const StridedTensor& tensor, std::shared_ptr<const void> owner) {
  void* const data = const_cast<std::byte*>(tensor.data());
  return at::from_blob(
      data, tensor.shape, tensor.strides, [owner = std::move(owner)](void*) {},
      at::TensorOptions().dtype(to_scalar_type(tensor.dtype)));
}

std::uint64_t bytes_of(const TensorSource& tensor) {
  std::uint64_t bytes = c10::elementSize(tensor.dtype);
  for (const std::int64_t size : tensor.shape) bytes *= static_cast<std::uint64_t>(size);
  return bytes;
}

namespace {

/// Finite values that became infinite because their tensor's dtype in the file has no such numbers.
struct Overflow {
  std::int64_t values = 0;
  double largest = 0;
  std::string tensor;  // the first with such values
  at::ScalarType dtype = at::kFloat;

  void look(const TensorSource& source, const at::Tensor& before, const at::Tensor& after) {
    if (static_cast<std::int64_t>(c10::elementSize(source.dtype)) >= before.element_size() &&
        source.dtype != at::kHalf) {
      return;
    }
    const at::Tensor lost = before.isfinite().logical_and(after.isfinite().logical_not());
    const auto count = lost.sum().item<std::int64_t>();
    if (count == 0) return;
    if (values == 0) {
      tensor = source.name;
      dtype = source.dtype;
    }
    values += count;
    largest = std::max(largest, before.masked_select(lost).abs().max().item<double>());
  }

  void refuse() const {
    require(values == 0, ErrorCode::kData, tensor, ": ", values,
            values == 1 ? " value is" : " values (of all tensors) are", " beyond ",
            at::toString(dtype), ", the largest is ", largest, "; write them as bf16 or fp32");
  }
};

/// The tensor as it stands in the file.
at::Tensor made_for_file(const TensorSource& source, Overflow& overflow) {
  const c10::AutoGradMode no_grad(false);
  const at::Tensor made = source.make().detach().to(at::kCPU);
  at::Tensor written = made.to(source.dtype).contiguous();
  overflow.look(source, made, written);
  return written;
}

void write_one_file(const std::filesystem::path& path, std::span<const TensorSource> tensors,
                    Overflow& overflow) {
  std::vector<TensorSpec> specs;
  for (const TensorSource& tensor : tensors) {
    specs.push_back({tensor.name, to_dtype(tensor.dtype), tensor.shape});
  }
  at::Tensor held;
  write_safetensors(path, specs, [&](std::size_t i) -> const void* {
    held = made_for_file(tensors[i], overflow);
    return held.numel() == 0 ? nullptr : held.const_data_ptr();
  });
}

std::string shard_name(std::size_t shard, std::size_t shards) {
  char name[64];
  std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", shard + 1, shards);
  return name;
}

}  // namespace

void write_model_files(const std::filesystem::path& directory,
                       const std::vector<TensorSource>& tensors, std::uint64_t max_shard_bytes) {
  std::vector<std::size_t> begins{0};  // of the shards, in `tensors`
  std::uint64_t total = 0, in_shard = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::uint64_t bytes = bytes_of(tensors[i]);
    if (in_shard > 0 && in_shard + bytes > max_shard_bytes) {
      begins.push_back(i);
      in_shard = 0;
    }
    in_shard += bytes;
    total += bytes;
  }
  begins.push_back(tensors.size());
  const std::size_t shards = begins.size() - 1;
  constexpr const char* kSingle = "model.safetensors";
  constexpr const char* kIndex = "model.safetensors.index.json";
  std::set<std::string> written{shards == 1 ? kSingle : kIndex};
  Json places = Json::object();
  Overflow overflow;
  for (std::size_t shard = 0; shard < shards; ++shard) {
    const std::string name = shards == 1 ? kSingle : shard_name(shard, shards);
    const auto part = std::span(tensors).subspan(begins[shard], begins[shard + 1] - begins[shard]);
    write_one_file(directory / name, part, overflow);
    for (const TensorSource& tensor : part) places[tensor.name] = name;
    written.insert(name);
  }
  overflow.refuse();
  if (shards > 1) {
    const Json index = {{"metadata", {{"total_size", total}}}, {"weight_map", places}};
    write_file(directory / kIndex, dump_json(index, 2) + "\n");
  }
  // What an earlier model left here would be read before, or beside, these files.
  std::vector<std::filesystem::path> stale;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    const bool ours = name == kSingle || name == kIndex ||
                      (name.starts_with("model-") && name.ends_with(".safetensors"));
    if (ours && !written.contains(name)) stale.push_back(entry.path());
  }
  for (const auto& path : stale) std::filesystem::remove(path);
}

void check_model_files(const std::vector<TensorSource>& tensors) {
  Overflow overflow;
  for (const TensorSource& tensor : tensors) made_for_file(tensor, overflow);
  overflow.refuse();
}

void write_tensors(const std::filesystem::path& path,
                   const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                   const std::map<std::string, std::string>& metadata) {
  const c10::AutoGradMode no_grad(false);
  std::vector<TensorSpec> specs;
  for (const auto& [name, tensor] : tensors) {
    specs.push_back({name, to_dtype(tensor.scalar_type()), tensor.sizes().vec()});
  }
  at::Tensor held;
  write_safetensors(
      path, specs,
      [&](std::size_t i) -> const void* {
        held = tensors[i].second.detach().to(at::kCPU).contiguous();
        return held.numel() == 0 ? nullptr : held.const_data_ptr();
      },
      metadata);
}

}  // namespace llmctl
