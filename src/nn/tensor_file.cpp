#include "nn/tensor_file.h"

#include <ATen/ops/from_blob.h>
#include <c10/core/GradMode.h>

#include "base/error.h"

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

at::Tensor map_tensor(const TensorInfo& info, std::span<const std::byte> bytes,
                      std::shared_ptr<const void> owner) {
  // from_blob asks for mutable bytes; nobody writes to what it returns.
  void* const data = const_cast<std::byte*>(bytes.data());
  return at::from_blob(
      data, info.shape, [owner = std::move(owner)](void*) {},
      at::TensorOptions().dtype(to_scalar_type(info.dtype)));
}

void write_tensors(const std::filesystem::path& path,
                   const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                   const std::map<std::string, std::string>& metadata) {
  const c10::AutoGradMode no_grad(false);
  std::vector<at::Tensor> held;  // contiguous copies on the CPU; no copy where that is so already
  std::vector<TensorBytes> entries;
  for (const auto& [name, tensor] : tensors) {
    held.push_back(tensor.detach().to(at::kCPU).contiguous());
    const at::Tensor& bytes = held.back();
    entries.push_back({name, to_dtype(bytes.scalar_type()), bytes.sizes().vec(),
                       bytes.numel() == 0 ? nullptr : bytes.const_data_ptr()});
  }
  write_safetensors(path, entries, metadata);
}

}  // namespace llmctl
