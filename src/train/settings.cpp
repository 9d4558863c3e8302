#include "train/settings.h"

#include <string>

#include "base/error.h"

namespace llmctl {

std::string best_score_of(const CheckpointConfig& checkpoint, const std::string& own) {
  const std::string& named = checkpoint.keep_best;
  if (named.empty()) return own;
  require(named.starts_with(kValidPrefix), ErrorCode::kConfig, "checkpoint.keep_best: '", named,
          "' is no validation score, expected a name such as \"valid/loss\"");
  return named.substr(std::char_traits<char>::length(kValidPrefix));
}

void TrainConfig::validate(const ConfigNode& node) const {
  if (steps && epochs) node.fail("epochs", "steps is given too, expected exactly one of them");
  if (!steps && !epochs) node.fail("", "expected one of steps and epochs, got neither");
  if (batch_tokens > 0) {
    // A resolved configuration has every key, with its default.
    const bool sized = batch_size != TrainConfig().batch_size;
    if (sized || micro_batch_size > 0) {
      node.fail(sized ? "batch_size" : "micro_batch_size",
                "batch_tokens is given too, expected one of them");
    }
  } else if (micro_batch_tokens > 0) {
    node.fail("micro_batch_tokens", "without batch_tokens it divides nothing");
  }
  if (micro_batch_size > 0 && batch_size % micro_batch_size != 0) {
    node.fail("micro_batch_size",
              concat("does not divide batch_size ", batch_size, ", got ", micro_batch_size));
  }
}

}  // namespace llmctl
