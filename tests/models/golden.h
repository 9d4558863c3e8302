// Golden tensors of one case, and comparisons that say where values differ.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "io/safetensors.h"
#include "models/tensor_file.h"

namespace llmctl::test {

class Golden {
 public:
  explicit Golden(const std::filesystem::path& file)
      : file_(std::make_shared<const SafetensorsFile>(file)) {}
  bool has(const std::string& name) const { return file_->contains(name); }
  at::Tensor operator[](const std::string& name) const {
    return map_tensor(file_->info(name), file_->bytes(name), file_);
  }
  const SafetensorsFile& file() const { return *file_; }

 private:
  std::shared_ptr<const SafetensorsFile> file_;
};

/// Expects |got - wanted| ≤ absolute everywhere (NaN differs from everything).
inline void expect_close(const at::Tensor& got, const at::Tensor& wanted, double absolute,
                         const std::string& what) {
  ASSERT_EQ(got.sizes(), wanted.sizes()) << what;
  if (got.numel() == 0) return;
  const at::Tensor difference =
      (got.detach().to(at::kCPU).to(at::kDouble) - wanted.detach().to(at::kCPU).to(at::kDouble))
          .abs()
          .reshape({-1});
  const auto worst = difference.argmax().item<std::int64_t>();
  const auto largest = difference[worst].item<double>();
  EXPECT_TRUE(largest <= absolute)
      << what << ": element " << worst << " differs by " << largest << ", allowed " << absolute;
}

inline double largest(const at::Tensor& tensor) {
  return tensor.numel() == 0 ? 0 : tensor.abs().max().item<double>();
}

}  // namespace llmctl::test
