// The sampler of a thread: its buffers have the size of the vocabulary, too much for each request.
#pragma once

#include "infer/sampler.h"

namespace llmctl {

inline Sampler& own_sampler() {
  thread_local Sampler sampler;
  return sampler;
}

}  // namespace llmctl
