#include "models/body.h"

#include <ATen/ops/arange.h>

#include <string_view>

#include "base/error.h"

namespace llmctl {

at::Tensor Body::encode(const Sequence&, const Context&) const {
  fail(ErrorCode::kInternal, "the model has no encoder beside its decoder");
}

at::Tensor positions_of(const Sequence& input) {
  if (input.positions.defined()) return input.positions;
  return at::arange(input.length(), input.ids.options());
}

void check_ids(const at::Tensor& ids, std::int64_t limit, const char* what) {
  if (!ids.is_cpu()) return;  // looking would stop the GPU's queue
  const at::Tensor contiguous = ids.contiguous();
  const std::int64_t* const values = contiguous.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < contiguous.numel(); ++i) {
    require(values[i] >= 0 && values[i] < limit, ErrorCode::kData, what, " ", values[i],
            " is outside the model's range of 0 to ", limit - 1,
            std::string_view(what) == "token"
                ? " (added tokens need a model whose embeddings were resized for them)"
                : "");
  }
}

void tap_hidden(const Context& context, std::int64_t index, const at::Tensor& value) {
  if (context.tap) (*context.tap)(concat(context.tap_prefix, "hidden_states.", index), value);
}

}  // namespace llmctl
