#include "runs/bench_roofs.h"

#include <ATen/ops/_int_mm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sum.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>

#include "base/cpu.h"
#include "ops/gemm.h"

namespace llmctl {
namespace {

constexpr double kGiga = 1e9;

/// Seconds of the quickest call, of at least three.
double quickest(double seconds, const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  double best = std::numeric_limits<double>::infinity();
  const auto begin = Clock::now();
  for (int i = 0; i < 3 || since(begin) < seconds; ++i) {
    const auto start = Clock::now();
    work();
    best = std::min(best, since(start));
  }
  return best;
}

/// Bytes/s: the better of a sum and a product with a vector over far more than the caches hold.
double read_rate(double seconds) {
  constexpr std::int64_t columns = 4096, rows = 1 << 15;
  const at::Tensor x = at::ones({rows, columns}), vector = at::ones({columns});
  const double sum = quickest(seconds / 2, [&] { at::sum(x); });
  const double product = quickest(seconds / 2, [&] { at::mv(x, vector); });
  return static_cast<double>(x.nbytes()) / std::min(sum, product);
}

double product_rate(at::ScalarType type, double seconds) {
  double best = 0;
  for (const std::int64_t n : {1024, 2048}) {
    const at::Tensor a = at::ones({n, n}, type), b = at::ones({n, n}, type);
    const auto work = [&] { type == at::kChar ? at::_int_mm(a, b) : at::mm(a, b); };
    work();  // LibTorch makes its kernel
    double least = quickest(seconds / 2, work);
    // In fp32 the faster of two libraries.
    if (type == at::kFloat) least = std::min(least, quickest(seconds / 2, [&] { gemm(a, b); }));
    best = std::max(best, 2.0 * static_cast<double>(n * n * n) / least);
  }
  return best;
}

}  // namespace

Json Roofs::to_json() const {
  const auto giga = [](const std::optional<double>& rate) {
    return rate ? Json(*rate / kGiga) : Json();
  };
  return {{"read_gb_s", read / kGiga},
          {"fp32_gflop_s", fp32 / kGiga},
          {"bf16_gflop_s", giga(bf16)},
          {"int8_gop_s", giga(int8)}};
}

Roofs measure_roofs(double seconds) {
  Roofs roofs;
  roofs.read = read_rate(seconds);
  roofs.fp32 = product_rate(at::kFloat, seconds);
  const CpuFeatures& cpu = cpu_features();
  if (!lacks_bf16_products(cpu)) roofs.bf16 = product_rate(at::kBFloat16, seconds);
  if (cpu.avx512_vnni || cpu.amx_int8) roofs.int8 = product_rate(at::kChar, seconds);
  return roofs;
}

Roofs best_of(const Roofs& a, const Roofs& b) {
  const auto better = [](const std::optional<double>& x, const std::optional<double>& y) {
    return x && y ? std::max(x, y) : std::nullopt;
  };
  return {std::max(a.read, b.read), std::max(a.fp32, b.fp32), better(a.bf16, b.bf16),
          better(a.int8, b.int8)};
}

double drift(const Roofs& a, const Roofs& b) {
  const auto change = [](const std::optional<double>& x, const std::optional<double>& y) {
    return x && y ? std::abs(*x - *y) / std::max(*x, *y) : 0;
  };
  return std::max({change(a.read, b.read), change(a.fp32, b.fp32), change(a.bf16, b.bf16),
                   change(a.int8, b.int8)});
}

}  // namespace llmctl
