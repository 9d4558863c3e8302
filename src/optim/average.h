// Exponential moving average of the weights (Polyak and Juditsky, 1992; as Marian's
// exponential-smoothing and fairseq's ema-decay keep it).
#pragma once

#include <memory>

#include "optim/optimizer.h"

namespace llmctl {

/// `inner` with an average beside the parameters: after update number t it moves by 1 - d towards
/// them, d = min(decay, t / (t + 9)), so that a short run is not held by where it began. The
/// average is what exchange_average() puts in the parameters' place; it begins as their values.
/// state() has one tensor more for each parameter, "weights.PARAMETER": what is not in the
/// parameters at the time. A checkpoint is written with the average in the parameters' place, and
/// load_state() takes them to be so.
std::unique_ptr<Optimizer> with_average(std::unique_ptr<Optimizer> inner,
                                        const NamedTensors& parameters, double decay);

/// Puts the average of the weights in their place for as long as it lives.
class AveragedWeights {
 public:
  explicit AveragedWeights(Optimizer& optimizer) : optimizer_(optimizer) {
    optimizer_.exchange_average();
  }
  ~AveragedWeights() { optimizer_.exchange_average(); }
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;

 private:
  Optimizer& optimizer_;
};

}  // namespace llmctl
