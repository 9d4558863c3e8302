#include "infer/chooser.h"

#include <algorithm>
#include <utility>

#include "infer/beam_chooser.h"
#include "infer/sampling_chooser.h"

namespace llmctl {

SamplingOptions within(SamplingOptions options, std::int64_t room) {
  options.max_new_tokens = std::min(options.max_new_tokens, room);
  return options;
}

std::unique_ptr<Chooser> make_chooser(const GenerationRequest& request, std::int64_t positions,
                                      ChooserEvents events) {
  const BeamOptions& beams = request.options.beams;
  if (beams.num_beams > 1 || !beams.force_words_ids.empty()) {
    return std::make_unique<BeamChooser>(request, positions, std::move(events));
  }
  return std::make_unique<SamplingChooser>(request, positions, std::move(events));
}

}  // namespace llmctl
