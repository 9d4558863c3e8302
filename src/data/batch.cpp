#include "data/batch.h"

namespace llmctl {

namespace {

at::Tensor move(const at::Tensor& tensor, const at::Device& device) {
  if (!tensor.defined() || tensor.device() == device) return tensor;
  const bool pin = device.is_cuda() && tensor.device().is_cpu();
  return (pin ? tensor.pin_memory() : tensor).to(device, tensor.scalar_type(), pin);
}

Sequence move(const Sequence& sequence, const at::Device& device) {
  return {move(sequence.ids, device), move(sequence.positions, device),
          move(sequence.token_types, device), move(sequence.documents, device)};
}

}  // namespace

Batch to_device(const Batch& batch, const at::Device& device) {
  Batch moved{move(batch.input, device),
              move(batch.target, device),
              move(batch.labels, device),
              move(batch.weights, device),
              {}};
  for (const auto& [name, tensor] : batch.extras) moved.extras[name] = move(tensor, device);
  return moved;
}

}  // namespace llmctl
