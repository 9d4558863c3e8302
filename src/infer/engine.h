// Generation over token ids: requests share forward passes and a cache of keys and values. Knows
// neither text nor files: prompt/ makes requests of them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "infer/chooser.h"
#include "infer/request.h"
#include "models/model.h"
#include "nn/adapters.h"

namespace llmctl {

struct EngineOptions {
  std::int64_t batch_size = 16;  ///< rows (answers and beams) at a time
  /// Logits from this id on (beyond the tokenizer's size) are impossible; 0: none are.
  std::int64_t vocab_limit = 0;
  /// Tokens of prompts in one forward pass; while other rows wait for their next token, a quarter
  /// of it, so that they do not wait long.
  std::int64_t prefill_tokens = 1024;
  /// Tokens are chosen by tensor operations (device_choice.h) where all choosers allow, as they are
  /// on other devices than the CPU, whose own choosers are quicker.
  bool choose_on_device = false;
  /// Passes without prompts are padded to few sizes (KvCache::pad), as they are on other devices
  /// than the CPU, whose kernels take any size.
  bool static_shapes = false;
};

/// What an engine has done.
struct EngineCounts {
  std::int64_t passes = 0;     ///< forward passes of the decoder
  std::int64_t prompt = 0;     ///< tokens of prompts and sources that were computed
  std::int64_t shared = 0;     ///< tokens of prompts whose keys were there already
  std::int64_t generated = 0;  ///< tokens fed back
  std::int64_t guessed = 0;    ///< tokens of drafts
  std::int64_t accepted = 0;   ///< of them, those that came true
};

/// Refuses what an engine would refuse: kData for a prompt or source that is empty, holds an id
/// outside the vocabulary, or leaves no room (naming both numbers). `number` is that of the prompt
/// in messages.
void check_request(const ModelFacts& facts, const GenerationRequest& request, std::size_t number);

/// Requests come and go between forward passes. A pass feeds the next token of every row that is
/// under way and, up to a limit, tokens of prompts; a row that is done makes room for the next
/// request at once. Rows that begin alike (equal prompts, samples of one, turns of a conversation)
/// share what they have in common. For one thread at a time.
class Engine {
 public:
  using Id = std::uint64_t;
  struct Finished {
    Id id;
    std::vector<GeneratedTokens> answers;  ///< samples in order, or the best ones, best first
  };

  /// The model and what the context points to must outlive the engine.
  Engine(Model& model, const EngineOptions& options, const Context& context);
  ~Engine();

  /// Queues a request. kData as check_request().
  Id submit(GenerationRequest request, ChooserEvents events = {});
  /// Forgets a request, queued or under way; nothing more is told of it.
  void cancel(Id id);
  /// Whether there is nothing to do.
  bool idle() const { return waiting_.empty() && jobs_.empty(); }
  /// Requests that have not begun.
  std::size_t waiting() const { return waiting_.size(); }
  /// One forward pass, and the requests that it completed. After an error (kInternal for logits
  /// that are not finite, what the device reports) all requests are gone.
  std::vector<Finished> step();

  const EngineCounts& counts() const { return counts_; }

 private:
  /// A row and the tokens that it is to be fed.
  struct Row {
    KvCache::Row cached = 0;
    std::vector<TokenId> feed;
    std::size_t fed = 0;  // of them in this pass
  };
  struct Job {
    Id id = 0;
    GenerationRequest request;
    std::unique_ptr<Chooser> chooser;
    std::vector<Row> rows;
    KvCache::Row memory = -1;  // an encoder's text in memory_
    std::uint64_t scope = 0;   // of the cache's known pages
    bool prefilling = true;
  };
  /// What the encoder read, and with which adapters: what makes rows of memory_ alike.
  struct SourceKey {
    std::vector<TokenId> ids;
    std::vector<AdapterChoice> adapters;
    auto operator<=>(const SourceKey&) const = default;
  };
  /// Rows of memory_.
  struct Source {
    KvCache::Row row = 0;
    std::uint64_t scope = 0;
    std::int64_t users = 0;
  };

  std::vector<Finished> pass();
  void admit();
  void begin(Job& job);
  void make_caches();
  void encode_sources();
  std::vector<at::Tensor> encode(std::span<const SourceKey* const> sources);
  void plan(Job& job, Row& row, std::size_t tokens);
  bool pads() const;  // passes without prompts have static shapes
  bool pad(const std::vector<Job*>& planned);
  at::Tensor forward(const std::vector<Job*>& planned);
  void choose(const at::Tensor& logits, const std::vector<Job*>& jobs);
  std::vector<std::vector<TokenId>> chosen_on_device(const at::Tensor& logits,
                                                     const std::vector<Job*>& jobs) const;
  bool waits_for_another(const Job& job) const;
  bool go_on(Job& job);
  void add_alignments(const GenerationRequest& request, std::vector<GeneratedTokens>& answers);
  std::vector<GeneratedTokens> finish(Job& job);
  void release(Job& job);

  Model& model_;
  const EngineOptions options_;
  Context context_;
  std::unique_ptr<KvCache> cache_, memory_;
  Memory states_;                            // of the sources that this pass adds to memory_
  std::vector<AdapterUse> memory_adapters_;  // of states_
  std::map<SourceKey, Source> sources_;
  /// Keys of prompts depend on the adapters: the cache's scope of each choice of them.
  std::map<std::vector<AdapterChoice>, std::uint64_t> adapter_scopes_;
  std::vector<const SourceKey*> new_sources_;
  std::deque<Job> waiting_;
  std::vector<std::unique_ptr<Job>> jobs_;  // under way, in the order of their coming
  Id last_id_ = 0;
  std::uint64_t scopes_ = 0;
  EngineCounts counts_;
};

/// What a caller sees of the answers while they grow. `request` is its index in the call.
struct GenerationEvents {
  /// Each new token, eos tokens excepted; returning true stops the sample (stop strings).
  std::function<bool(std::size_t request, std::size_t sample, TokenId id)> token = {};
  /// The sample has all its tokens.
  std::function<void(std::size_t request, std::size_t sample, const GeneratedTokens& result)> end =
      {};
  /// Whether an answer ends with its last token: ChooserEvents::complete.
  std::function<bool(std::size_t request, std::span<const TokenId> answer)> complete = {};
};

/// All requests from the first to the last token, in the order of the requests; each begins when
/// there is room. In fp32 a row's greedy text does not depend on its companions, and draws depend
/// on nothing but (seed, stream, position). An answer ends with one of its eos tokens, when
/// events.token says so, at max_new_tokens, or where the model has no further position. kData as
/// check_request(), before anything is computed; kInternal when logits are not finite.
std::vector<std::vector<GeneratedTokens>> generate_tokens(
    Engine& engine, const ModelFacts& facts, const std::vector<GenerationRequest>& requests,
    const GenerationEvents& events = {});
/// The same with an engine of its own.
std::vector<std::vector<GeneratedTokens>> generate_tokens(
    Model& model, const std::vector<GenerationRequest>& requests, const EngineOptions& options,
    const Context& context, const GenerationEvents& events = {});

}  // namespace llmctl
