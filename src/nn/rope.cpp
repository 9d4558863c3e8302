#include "nn/rope.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numbers>

#include "ops/rotary.h"

namespace llmctl {
namespace {

/// Positions that a wave of `turns` turns over the original length takes, as a dimension (Peng et
/// al., 2023, YaRN).
double yarn_dimension(const RopeConfig& config, double head_size, double turns) {
  return head_size *
         std::log(static_cast<double>(config.original_max_positions) /
                  (turns * 2 * std::numbers::pi)) /
         (2 * std::log(config.theta));
}

void apply_yarn(const RopeConfig& config, std::int64_t head_size,
                std::vector<double>& frequencies) {
  const auto size = static_cast<double>(head_size);
  double low = yarn_dimension(config, size, config.beta_fast);
  double high = yarn_dimension(config, size, config.beta_slow);
  if (config.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, size - 1);
  if (low == high) high += 0.001;
  for (std::size_t j = 0; j < frequencies.size(); ++j) {
    const double ramp = std::clamp((static_cast<double>(j) - low) / (high - low), 0.0, 1.0);
    frequencies[j] *= ramp / config.factor + (1 - ramp);
  }
}

/// Short waves stay, long ones are stretched, between them a blend (Llama 3.1).
void apply_llama3(const RopeConfig& config, std::vector<double>& frequencies) {
  const auto original = static_cast<double>(config.original_max_positions);
  for (double& frequency : frequencies) {
    const double waves = original * frequency / (2 * std::numbers::pi);
    const double blend = std::clamp(
        (waves - config.low_freq_factor) / (config.high_freq_factor - config.low_freq_factor), 0.0,
        1.0);
    frequency *= blend + (1 - blend) / config.factor;
  }
}

}  // namespace

std::vector<double> inverse_frequencies(const RopeConfig& config, std::int64_t head_size,
                                        std::int64_t length) {
  const auto size = static_cast<double>(head_size);
  double theta = config.theta;
  if (config.kind == RopeKind::kDynamic) {
    const double stretch = static_cast<double>(std::max(length, config.max_positions)) /
                           static_cast<double>(config.max_positions);
    theta *= std::pow(config.factor * stretch - (config.factor - 1), size / (size - 2));
  }
  std::vector<double> frequencies(static_cast<std::size_t>(head_size / 2));
  for (std::size_t j = 0; j < frequencies.size(); ++j) {
    frequencies[j] = std::pow(theta, -2 * static_cast<double>(j) / size);
    if (config.kind == RopeKind::kLinear) frequencies[j] /= config.factor;
  }
  if (config.kind == RopeKind::kYarn) apply_yarn(config, head_size, frequencies);
  if (config.kind == RopeKind::kLlama3) apply_llama3(config, frequencies);
  return frequencies;
}

namespace {

/// Frequencies in single precision [K/2].
at::Tensor frequency_row(const RopeConfig& config, std::int64_t head_size, std::int64_t length) {
  const std::vector<double> values = inverse_frequencies(config, head_size, length);
  at::Tensor row = at::empty({static_cast<std::int64_t>(values.size())}, at::kFloat);
  std::transform(values.begin(), values.end(), row.mutable_data_ptr<float>(),
                 [](double value) { return static_cast<float>(value); });
  return row;
}

}  // namespace

RotaryEmbedding::RotaryEmbedding(const RopeConfig& config, std::int64_t head_size)
    : config_(config),
      head_size_(head_size),
      frequencies_([config, head_size] { return frequency_row(config, head_size, 0); }) {}

at::Tensor RotaryEmbedding::stretched(const at::Tensor& positions,
                                      const at::Tensor& documents) const {
  const at::Tensor host = positions.to(at::kCPU).contiguous();
  const auto* const position = host.const_data_ptr<std::int64_t>();
  const std::int64_t count = host.numel(), row = host.size(-1);
  const at::Tensor texts =
      documents.defined() ? documents.to(at::kCPU).expand_as(host).contiguous() : at::Tensor();
  const auto* const text = texts.defined() ? texts.const_data_ptr<std::int64_t>() : nullptr;
  const auto goes_on = [&](std::int64_t at) {
    return at % row != 0 && position[at - 1] <= position[at] && (!text || text[at - 1] == text[at]);
  };
  std::vector<std::int64_t> lengths(static_cast<std::size_t>(count));
  std::int64_t longest = 0;
  for (std::int64_t end = count; end > 0;) {
    // Backwards: the text that ends here began where positions last fell, or with its row.
    std::int64_t begin = end - 1;
    while (goes_on(begin)) --begin;
    const std::int64_t length = position[end - 1] + 1;
    std::fill(lengths.begin() + begin, lengths.begin() + end, length);
    longest = std::max(longest, length);
    end = begin;
  }
  if (longest <= config_.max_positions) return {};
  std::map<std::int64_t, at::Tensor> rows;
  std::vector<at::Tensor> all;
  for (const std::int64_t length : lengths) {
    at::Tensor& known = rows[std::max(length, config_.max_positions)];
    if (!known.defined()) known = frequency_row(config_, head_size_, length);
    all.push_back(known);
  }
  std::vector<std::int64_t> shape = positions.sizes().vec();
  shape.push_back(head_size_ / 2);
  return at::stack(all).view(shape);  // [B, T, K/2]
}

std::pair<at::Tensor, at::Tensor> RotaryEmbedding::looked_up(const at::Tensor& positions) const {
  constexpr std::uint64_t kLeast = 1024;
  const auto needed = static_cast<std::uint64_t>(positions.max().item<std::int64_t>()) + 1;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!table_.first.defined() || static_cast<std::uint64_t>(table_.first.size(0)) < needed) {
    const auto rows = static_cast<std::int64_t>(std::bit_ceil(std::max(needed, kLeast)));
    table_ = rotary_angles(at::arange(rows, at::kLong), frequencies_.on(at::kCPU),
                           config_.attention_factor);
  }
  std::vector<std::int64_t> shape = positions.sizes().vec();
  shape.push_back(head_size_ / 2);
  const at::Tensor rows = positions.reshape({-1});
  return {table_.first.index_select(0, rows).view(shape),    // [B·T, K/2] → [B, T, K/2]
          table_.second.index_select(0, rows).view(shape)};  // likewise
}

std::pair<at::Tensor, at::Tensor> RotaryEmbedding::angles(const at::Tensor& positions,
                                                          const at::Tensor& documents) const {
  at::Tensor frequencies;
  if (config_.kind == RopeKind::kDynamic && positions.numel() > 0) {
    frequencies = stretched(positions, documents);
  }
  if (!frequencies.defined() && positions.is_cpu() && positions.numel() > 0) {
    return looked_up(positions);
  }
  frequencies = frequencies.defined() ? frequencies.to(positions.device())
                                      : frequencies_.on(positions.device());
  return rotary_angles(positions, frequencies, config_.attention_factor);
}

}  // namespace llmctl
