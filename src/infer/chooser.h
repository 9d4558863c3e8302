// How a request goes on, given logits: which rows, with which tokens. Choosers know nothing of the
// model and its cache; the engine knows nothing of samples and beams.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "infer/device_choice.h"
#include "infer/request.h"

namespace llmctl {

/// The logits of one row: those that follow each of the tokens fed to it last (the token of its
/// Branch and the draft behind it), or of the first step's row the prompt's last token alone.
struct RowLogits {
  const float* values = nullptr;  ///< [count, size] on the CPU
  std::size_t count = 1, size = 0;
  std::size_t stride = 0;  ///< from one position's logits to the next one's
  /// Instead of values: the ids chosen for those of Chooser::choices() that are about this row, in
  /// their order; -1 where there was none to choose.
  const TokenId* chosen = nullptr;

  std::span<const float> at(std::size_t position) const {
    return {values + position * stride, size};
  }
};

/// A row of the next step: what row `parent` of this one has, then `token`, then the tokens that
/// are likely to follow and are fed with it, so that one pass may bring several tokens.
struct Branch {
  std::size_t parent = 0;
  TokenId token = 0;
  std::span<const TokenId> draft = {};  ///< valid until the next choose()
};

struct Step {
  /// The next step's rows, in order; none: the request is done. Parents never decrease.
  std::vector<Branch> branches;
  /// How many of the tokens last fed to each row of this step stay, at least one; the others were
  /// wrong guesses, to be dropped before the row is a parent. Empty where no row had a draft.
  std::vector<std::size_t> kept;
};

/// What a caller sees of a request's answers while they grow. Called by advance() alone.
struct ChooserEvents {
  /// Each new token of a sample, eos tokens excepted; true ends the sample (stop strings). Beam
  /// search, whose texts change until the end, calls it when it is done.
  std::function<bool(std::size_t sample, TokenId id)> token = {};
  /// The sample has all its tokens.
  std::function<void(std::size_t sample, const GeneratedTokens& result)> end = {};
  /// Whether an answer ends with its last token (stop strings in beam search). Called by choose(),
  /// on any thread; absent: only eos tokens and lengths end one.
  std::function<bool(std::span<const TokenId> answer)> complete = {};
};

/// One request from its first logits to its last token: choose() and advance() in turn until there
/// are no branches. The first step has one row, the prompt's.
class Chooser {
 public:
  virtual ~Chooser() = default;

  /// What the coming step has to choose, in the order of its rows, whose positions are counted
  /// through from 0; nothing where it takes more than that and needs the logits.
  virtual std::optional<std::vector<DeviceChoice>> choices() const { return std::nullopt; }
  /// Decides; touches nothing but this chooser, so those of many requests may run side by side.
  /// kInternal when logits are not finite.
  virtual void choose(std::span<const RowLogits> rows) = 0;
  /// Takes what choose() decided, in the caller's thread, and tells the events. The result is valid
  /// until the next choose().
  virtual const Step& advance() = 0;
  /// When done: an answer for each sample in order, or the best answers, best first.
  virtual std::vector<GeneratedTokens> results() = 0;
  /// Rows that a step may have at most.
  virtual std::size_t most_rows() const = 0;
};

/// The options with max_new_tokens at most `room`.
SamplingOptions within(SamplingOptions options, std::int64_t room);

/// A chooser for the request, whose options say which kind. `positions`: how many tokens the model
/// takes, prompt and answer together.
std::unique_ptr<Chooser> make_chooser(const GenerationRequest& request, std::int64_t positions,
                                      ChooserEvents events = {});

}  // namespace llmctl
