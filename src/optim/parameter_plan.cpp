#include "optim/parameter_plan.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "config/fields.h"

namespace llmctl {
namespace {

std::optional<std::int64_t> first_number(const std::string& name) {
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    std::int64_t number = 0;
    const auto [stop, error] = std::from_chars(name.data() + begin, name.data() + end, number);
    if (error == std::errc() && stop == name.data() + end) return number;
    begin = end + 1;
  }
  return std::nullopt;
}

/// word_embeddings, embed_tokens, wte and wpe (GPT-2), shared (Marian, T5), and the norm behind
/// BERT's.
bool is_embedding(const std::string& name) {
  constexpr std::array<std::string_view, 4> kParts = {"embed", "wte.", "wpe.", "shared."};
  return std::any_of(kParts.begin(), kParts.end(),
                     [&](std::string_view part) { return name.find(part) != name.npos; });
}

bool matches(const std::string& pattern, const std::string& name) {
  return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

}  // namespace

std::vector<std::int64_t> layer_depths(const std::vector<std::string>& names) {
  std::int64_t blocks = 0;
  for (const std::string& name : names)
    blocks = std::max(blocks, first_number(name).value_or(-1) + 1);
  std::vector<std::int64_t> depths;
  for (const std::string& name : names) {
    const auto block = first_number(name);
    depths.push_back(block ? *block + 1 : is_embedding(name) ? 0 : blocks + 1);
  }
  return depths;
}

std::vector<ParameterPlan> plan_parameters(const OptimConfig& config,
                                           const std::vector<std::string>& names,
                                           const std::vector<bool>& decayed) {
  for (std::size_t i = 0; i < config.freeze.size(); ++i) {
    const std::string& pattern = config.freeze[i];
    const bool used = std::any_of(names.begin(), names.end(),
                                  [&](const std::string& name) { return matches(pattern, name); });
    require(used, ErrorCode::kConfig, "optim.freeze[", i, "]: no parameter matches '", pattern,
            "'; names are such as ", names.empty() ? "none" : names[names.size() / 2],
            " (llmctl inspect -m DIR --all lists them), and * stands for anything");
  }
  const std::vector<std::int64_t> depths = layer_depths(names);
  const std::int64_t top = depths.empty() ? 0 : *std::max_element(depths.begin(), depths.end());
  std::vector<ParameterPlan> plans;
  bool any = false;
  for (std::size_t i = 0; i < names.size(); ++i) {
    ParameterPlan& plan = plans.emplace_back();
    plan.decay = decayed[i];
    plan.frozen =
        std::any_of(config.freeze.begin(), config.freeze.end(),
                    [&](const std::string& pattern) { return matches(pattern, names[i]); });
    const std::int64_t below = top - depths[i];
    plan.rate = std::pow(config.layer_decay, static_cast<double>(below));
    plan.first_step = below * config.unfreeze_steps;
    any = any || !plan.frozen;
  }
  require(any, ErrorCode::kConfig, "optim.freeze: nothing is left to train");
  return plans;
}

}  // namespace llmctl
