#include "metrics/perplexity.h"

#include <cmath>
#include <numbers>

namespace llmctl {

double perplexity(double nats, double tokens) {
  return std::exp(nats / tokens);
}

double bits_per(double nats, double units) {
  return nats / std::numbers::ln2 / units;
}

Scores loss_and_perplexity(double nats, double tokens) {
  return {loss_score(kLossName, nats / tokens, tokens),
          perplexity_score("perplexity", perplexity(nats, tokens), tokens)};
}

}  // namespace llmctl
