// What a model is fed, on its way to the model's device.
#pragma once

#include "data/batch.h"
#include "models/model.h"

namespace llmctl {

/// The batch on the model's device. Ids and labels are looked at here, on the host, where it is
/// free: on a GPU one outside the vocabulary would end the process. kData.
Batch to_model(const Batch& batch, const Model& model);
Sequence to_model(const Sequence& sequence, const Model& model);
/// The same of what an encoder-decoder's encoder reads.
Sequence source_to_model(const Sequence& sequence, const Model& model);

}  // namespace llmctl
