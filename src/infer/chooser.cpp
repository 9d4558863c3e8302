#include "infer/chooser.h"

#include <utility>

#include "infer/sampling_chooser.h"

namespace llmctl {

std::unique_ptr<Chooser> make_chooser(const GenerationRequest& request, std::int64_t positions,
                                      ChooserEvents events) {
  return std::make_unique<SamplingChooser>(request, positions, std::move(events));
}

}  // namespace llmctl
