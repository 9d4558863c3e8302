// LibTorch's settings and quirks in one place: devices, threads, determinism, generators, memory.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace llmctl {

/// "auto" (CUDA when there is one, else the CPU), "cpu", "cuda", "cuda:N". kConfig when it is not
/// there.
at::Device parse_device(const std::string& text);

/// What a model computes for.
enum class Purpose { kTraining, kAnswers };

/// "auto", "fp32" or "bf16" for a device, decided from the CPU's features and the device's
/// capability, never by a clock. auto is bf16 on CUDA devices that have it, on CPUs with AMX and,
/// for training, on CPUs with AVX-512's products of bf16, which are twice as fast as fp32's; fp32
/// elsewhere: answers of a model whose files have fp32 are worth its own precision there.
at::ScalarType resolve_precision(const std::string& precision, const at::Device& device,
                                 Purpose purpose);

/// Threads, allocator policy and flush-to-zero; called once at the start of a command that
/// computes.
void initialize_backend(int threads);

/// Everything that may differ between runs of one build and device is switched off
/// (train.deterministic); an operation without a deterministic form is then an error that
/// translate_torch_errors() names.
void set_deterministic(bool on);
bool is_deterministic();

/// Seeds LibTorch's generator of the device (dropout draws from it).
void seed_generator(const at::Device& device, std::uint64_t seed);

/// Calls `work`; out of memory and other failures inside LibTorch become Errors of one line
/// (kInternal), out of memory with what to lower.
void translate_torch_errors(const std::function<void()>& work);

/// Facts for environment.json and doctor: LibTorch's version, BLAS, oneDNN, CUDA devices, threads.
std::vector<std::pair<std::string, std::string>> backend_facts();

}  // namespace llmctl
