// From sums of negative log-probabilities to what is read.
#pragma once

#include "metrics/score.h"

namespace llmctl {

/// exp of the mean loss in nats; infinite where that overflows, NaN for no tokens.
double perplexity(double nats, double tokens);
/// Mean loss in bits per unit (token, character, byte).
double bits_per(double nats, double units);

/// "loss" (nats per token) and "perplexity".
Scores loss_and_perplexity(double nats, double tokens);

}  // namespace llmctl
