#include "ops/gemm.h"

#include <ATen/Context.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>

#include "base/cpu.h"

namespace llmctl {
namespace {

/// MKL keeps AVX-512 to Intel's processors; on others oneDNN is up to three times faster in fp32.
bool prefers_onednn() {
  static const bool answer = cpu_features().avx512 && at::globalContext().hasMKLDNN() &&
                             cpu_features().model.find("Intel") == std::string::npos;
  return answer;
}

/// LibTorch offers oneDNN's product of dense fp32 matrices only as this operator of its own
/// compiler.
at::Tensor onednn_linear(const at::Tensor& a, const at::Tensor& weight, const at::Tensor& bias) {
  using Signature = at::Tensor(
      const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&, std::string_view,
      c10::List<std::optional<at::Scalar>>, std::optional<std::string_view>);
  static const auto handle = c10::Dispatcher::singleton()
                                 .findSchemaOrThrow("mkldnn::_linear_pointwise", "")
                                 .typed<Signature>();
  return handle.call(a, weight, bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt,
                     "none", c10::List<std::optional<at::Scalar>>(), "");
}

}  // namespace

at::Tensor gemm(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  // A product of few rows reads its weights once, which BLAS does without repacking them.
  if (a.is_cpu() && a.scalar_type() == at::kFloat && a.size(0) > 8 && b.numel() > 0 &&
      prefers_onednn()) {
    return onednn_linear(a, b.t(), bias);
  }
  return bias.defined() ? at::addmm(bias, a, b) : at::mm(a, b);
}

at::Tensor gemm_exact(const at::Tensor& rows, const at::Tensor& weight, at::ScalarType compute) {
  if (rows.is_cuda() && c10::elementSize(compute) < 4) {
    return at::mm(rows.to(compute), weight.to(compute).t(), at::kFloat);
  }
  const at::ScalarType exact = compute == at::kDouble ? at::kDouble : at::kFloat;
  return gemm(rows.to(exact), weight.to(exact).t());
}

void gemm_add(at::Tensor& out, const at::Tensor& a, const at::Tensor& b) {
  if (a.is_cpu() && a.scalar_type() == at::kFloat && prefers_onednn()) {
    out.add_(gemm(a, b));
  } else {
    out.addmm_(a, b);
  }
}

const char* fp32_gemm_library() {
  return prefers_onednn() ? "oneDNN" : "BLAS";
}

}  // namespace llmctl
