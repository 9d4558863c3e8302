#include "models/average.h"

#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include "base/error.h"
#include "models/lora.h"

namespace llmctl {

void average_weights(Model& model, const std::vector<std::filesystem::path>& directories) {
  const c10::AutoGradMode no_grad(false);
  const auto parameters = model.parameters();
  std::vector<at::Tensor> sums;
  for (const auto& [name, parameter] : parameters)
    sums.push_back(at::zeros_like(parameter, parameter.options().dtype(at::kDouble)));
  for (const std::filesystem::path& directory : directories) {
    require(!is_adapter_directory(directory), ErrorCode::kUsage, directory,
            ": adapters are not averaged; export them with their base first");
    const auto other = load_model(directory, {});
    const auto values = other->parameters();
    require(values.size() == parameters.size(), ErrorCode::kData, directory,
            ": has other parameters than the models that it is averaged with");
    for (std::size_t i = 0; i < sums.size(); ++i) {
      require(values[i].first == parameters[i].first &&
                  values[i].second.sizes() == parameters[i].second.sizes(),
              ErrorCode::kData, directory, ": ", values[i].first,
              " is another parameter than those that it is averaged with");
      sums[i].add_(values[i].second);
    }
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    at::Tensor parameter = parameters[i].second;
    parameter.copy_(sums[i].div_(static_cast<double>(directories.size())));
  }
}

}  // namespace llmctl
