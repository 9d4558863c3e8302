// Numbers that a layer computes once and never changes, on whatever device it runs.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <mutex>

namespace llmctl {

/// Made at the first use and kept, moved when another device asks. Several threads may ask at once.
class ConstantTable {
 public:
  /// `make` gives the table on the CPU.
  explicit ConstantTable(std::function<at::Tensor()> make) : make_(std::move(make)) {}

  at::Tensor on(const at::Device& device) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!table_.defined()) table_ = make_();
    if (table_.device() != device) table_ = table_.to(device);
    return table_;
  }

 private:
  std::function<at::Tensor()> make_;
  mutable std::mutex mutex_;
  mutable at::Tensor table_;
};

}  // namespace llmctl
