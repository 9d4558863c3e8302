// How fast products with weights in each form are (src/ops/weight.h): with few rows against reading
// the weights' bytes, with many rows against LibTorch's products of dense matrices. The least of
// many times, taken in turn. Prints tables; not a test.
//   cmake --build build/release --target products_benchmark &&
//   build/release/bin/products_benchmark [THREADS [sse4|avx2]]
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sum.h>
#include <c10/core/GradMode.h>
#include <hwy/targets.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "ops/backend.h"
#include "ops/gemm.h"
#include "ops/weight.h"

namespace llmctl {
namespace {

/// The least seconds of each work, the works in turn.
std::vector<double> seconds_of(const std::vector<std::function<void()>>& works, int times) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> least(works.size(), 1e9);
  for (int i = 0; i < times; ++i) {
    for (std::size_t k = 0; k < works.size(); ++k) {
      const auto begin = Clock::now();
      works[k]();
      least[k] = std::min(least[k], std::chrono::duration<double>(Clock::now() - begin).count());
    }
  }
  return least;
}

/// The sum of a tensor's bytes as numbers of 64 bits, by all threads: at the speed of memory.
std::int64_t read_bytes(const at::Tensor& tensor) {
  const auto* const words = static_cast<const std::int64_t*>(tensor.const_data_ptr());
  const auto count = static_cast<std::int64_t>(tensor.nbytes() / 8);
  return at::parallel_reduce(
      std::int64_t{0}, count, count / at::get_num_threads() + 1, std::int64_t{0},
      [&](std::int64_t begin, std::int64_t end, std::int64_t) {
        std::int64_t a = 0, b = 0, c = 0, d = 0;
        for (std::int64_t i = begin; i + 32 <= end; i += 32) {
          for (std::int64_t k = 0; k < 8; ++k) {
            a ^= words[i + k];
            b ^= words[i + 8 + k];
            c ^= words[i + 16 + k];
            d ^= words[i + 24 + k];
          }
        }
        return a ^ b ^ c ^ d;
      },
      [](std::int64_t a, std::int64_t b) { return a ^ b; });
}

const std::vector<WeightForm> kForms = {WeightForm::kFp32, WeightForm::kBf16, WeightForm::kInt8,
                                        WeightForm::kInt4};

Weight in_form(const at::Tensor& dense, WeightForm form) {
  if (form == WeightForm::kFp32) return dense_weight(dense);
  if (form == WeightForm::kBf16) return dense_weight(dense.to(at::kBFloat16));
  return quantize_weight(dense, form);
}

/// Many different weights, more than the caches hold, multiplied one after another.
void few_rows(std::int64_t outputs, std::int64_t inputs) {
  const at::Tensor dense = at::randn({outputs, inputs});
  for (const WeightForm form : kForms) {
    std::vector<Weight> weights;
    std::size_t bytes = 0;
    for (; bytes < (96U << 20); bytes += weights.back().values.nbytes()) {
      weights.push_back(in_form(dense, form));
      weights.back().values = weights.back().values.clone();
    }
    for (const std::int64_t rows : {1, 2, 4, 8}) {
      const at::Tensor x = at::randn({rows, inputs});
      std::int64_t sink = 0;
      const std::vector<double> seconds = seconds_of({[&] {
                                                        for (const Weight& weight : weights)
                                                          multiply(x, weight);
                                                      },
                                                      [&] {
                                                        for (const Weight& weight : weights)
                                                          sink ^= read_bytes(weight.values);
                                                      }},
                                                     7);
      const double size = static_cast<double>(bytes);
      std::printf("%6s %5ld x %4ld x %5ld %8.1f GB/s, reading %6.1f, %5.2f of it%s\n",
                  weight_form_name(form), static_cast<long>(rows), static_cast<long>(inputs),
                  static_cast<long>(outputs), size / seconds[0] * 1e-9, size / seconds[1] * 1e-9,
                  seconds[1] / seconds[0], sink == 1 ? " " : "");
    }
  }
}

void many_rows(std::int64_t rows, std::int64_t inputs, std::int64_t outputs) {
  const at::Tensor dense = at::randn({outputs, inputs}), x = at::randn({rows, inputs});
  const at::Tensor half_x = x.to(at::kBFloat16), half = dense.to(at::kBFloat16);
  std::vector<Weight> weights;
  std::vector<std::function<void()>> works = {[&] { gemm(x, dense.t()); },
                                              [&] { at::mm(half_x, half.t()); }};
  for (const WeightForm form : kForms) weights.push_back(in_form(dense, form));
  for (const Weight& weight : weights) works.emplace_back([&] { multiply(x, weight); });
  const std::vector<double> seconds = seconds_of(works, 9);
  const double work = 2e-9 * static_cast<double>(rows * inputs * outputs);
  std::printf("%5ld x %4ld x %5ld GFLOP/s: LibTorch fp32 %5.0f, bf16 %5.0f;",
              static_cast<long>(rows), static_cast<long>(inputs), static_cast<long>(outputs),
              work / seconds[0], work / seconds[1]);
  for (std::size_t i = 0; i < kForms.size(); ++i) {
    std::printf(" %s %5.0f", weight_form_name(kForms[i]), work / seconds[2 + i]);
  }
  std::printf("\n");
}

}  // namespace
}  // namespace llmctl

int main(int count, char** arguments) {
  using namespace llmctl;
  initialize_backend(count > 1 ? std::atoi(arguments[1]) : 0);
  if (count > 2) {
    const std::string set = arguments[2];
    hwy::SetSupportedTargetsForTest(set == "avx2" ? HWY_AVX2 : HWY_SSE4);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  const c10::AutoGradMode no_grad(false);
  few_rows(768, 768);
  few_rows(2048, 768);
  few_rows(768, 2048);
  for (const std::int64_t rows : {16, 32, 64, 128, 512}) {
    many_rows(rows, 768, 2048);
    many_rows(rows, 2048, 768);
  }
  many_rows(32, 768, 32000);
}
