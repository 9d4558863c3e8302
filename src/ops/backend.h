// LibTorch's settings and quirks in one place: devices, threads, determinism, generators, memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/safetensors.h"

namespace llmctl {

/// "auto" (CUDA when there is one, else the CPU), "cpu", "cuda", "cuda:N". kConfig when it is not
/// there.
at::Device parse_device(const std::string& text);

/// "auto", "fp32" or "bf16" for a device, decided from the CPU's features and the device's
/// capability, never by a clock. auto is bf16 on CUDA devices that have it and on CPUs with AMX;
/// fp32 elsewhere.
at::ScalarType resolve_precision(const std::string& precision, const at::Device& device);

/// Threads, allocator policy and flush-to-zero; called once at the start of a command that
/// computes.
void initialize_backend(int threads);

/// Everything that may differ between runs of one build and device is switched off
/// (train.deterministic).
void set_deterministic(bool on);

/// Seeds LibTorch's generator of the device (dropout draws from it).
void seed_generator(const at::Device& device, std::uint64_t seed);

at::ScalarType to_scalar_type(DType dtype);
DType to_dtype(at::ScalarType type);

/// A tensor over the file's own bytes, without a copy; `owner` is kept alive by it.
at::Tensor map_tensor(const TensorInfo& info, std::span<const std::byte> bytes,
                      std::shared_ptr<const void> owner);

/// Writes named tensors (made contiguous on the CPU, one at a time) to a safetensors file.
void write_tensors(const std::filesystem::path& path,
                   const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                   const std::map<std::string, std::string>& metadata = {});

/// Calls `work`; out of memory and other failures inside LibTorch become Errors of one line
/// (kInternal), out of memory with what to lower.
void translate_torch_errors(const std::function<void()>& work);

/// Facts for environment.json and doctor: LibTorch's version, BLAS, oneDNN, CUDA devices, threads.
std::vector<std::pair<std::string, std::string>> backend_facts();

}  // namespace llmctl
