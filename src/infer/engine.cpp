#include "infer/engine.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/index.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/fault.h"
#include "base/random.h"
#include "base/signals.h"
#include "infer/sampler.h"
#include "models/inputs.h"
#include "nn/kv_cache.h"
#include "ops/backend.h"

namespace llmctl {
namespace {

/// The cache starts with room for this many new tokens and doubles from there.
constexpr std::int64_t kFirstSlots = 128;

/// A request at work.
struct Row {
  std::size_t request = 0;  // index of it
  std::size_t number = 0;
  std::uint64_t stream = 0;
  std::vector<TokenId> seen;  // prompt and answer
  std::int64_t prompt_length = 0;
  SamplingOptions options;     // max_new_tokens at most what the positions allow
  bool short_of_room = false;  // they allow less than the request
  std::span<const TokenId> source = {};
  Sampler sampler = {};

  std::int64_t new_tokens() const { return std::ssize(seen) - prompt_length; }
};

std::size_t number_of(const GenerationRequest& request, std::size_t index) {
  return request.number > 0 ? request.number : index + 1;
}

void check_ids(const ModelFacts& facts, const std::vector<TokenId>& ids, std::size_t number) {
  require(!ids.empty(), ErrorCode::kData, "prompt ", number,
          " has no tokens, expected at least one");
  for (const TokenId id : ids) {
    require(id >= 0 && id < facts.vocab_size, ErrorCode::kData, "prompt ", number,
            " holds token id ", id, ", the model's vocabulary has ", facts.vocab_size,
            "; tokenizer and model do not belong together");
  }
}

/// One batch of requests from prefill to the last row's end.
class BatchDecoder {
 public:
  BatchDecoder(Model& model, std::int64_t vocab_limit, const Context& context,
               const GenerationEvents& events, std::vector<GeneratedTokens>& results)
      : model_(model),
        vocab_limit_(vocab_limit),
        context_(context),
        events_(events),
        results_(results) {}

  void add(std::size_t index, const GenerationRequest& request) {
    Row row{index,          number_of(request, index),  request.stream,
            request.prompt, std::ssize(request.prompt), request.options};
    const std::int64_t room = model_.facts().max_positions - row.prompt_length;
    row.short_of_room = room < row.options.max_new_tokens;
    row.options.max_new_tokens = std::min(room, row.options.max_new_tokens);
    row.source = request.source;
    rows_.push_back(std::move(row));
    if (!request.source.empty()) sources_.push_back(request.source);
  }

  void run() {
    std::int64_t longest = 0, slots = 0;
    for (const Row& row : rows_) {
      longest = std::max(longest, row.prompt_length);
      slots =
          std::max(slots, row.prompt_length + std::min(row.options.max_new_tokens, kFirstSlots));
    }
    const auto cache = model_.make_cache(static_cast<std::int64_t>(rows_.size()), slots, context_);
    context_.cache = cache.get();
    if (!sources_.empty()) encode();
    advance(forward(longest));
    while (!rows_.empty()) {
      fault_point("token");
      stop_if_asked();
      advance(forward(1));
    }
  }

 private:
  /// The encoder's states of all sources, right-padded.
  void encode() {
    std::size_t longest = 0;
    for (const auto& source : sources_) longest = std::max(longest, source.size());
    const auto rows = static_cast<std::int64_t>(sources_.size()),
               length = static_cast<std::int64_t>(longest);
    at::Tensor ids = at::zeros({rows, length}, at::kLong);
    at::Tensor documents = at::full({rows, length}, -1, at::kLong);
    for (std::int64_t b = 0; b < rows; ++b) {
      const std::vector<TokenId>& source = sources_[static_cast<std::size_t>(b)];
      std::copy(source.begin(), source.end(), ids.mutable_data_ptr<std::int64_t>() + b * length);
      std::fill_n(documents.mutable_data_ptr<std::int64_t>() + b * length, source.size(), 0);
    }
    Sequence source;
    source.ids = ids;
    source.documents = documents;
    source = to_model(source, model_);
    memory_ = {model_.encode(source, context_), source.documents};
    context_.memory = &memory_;
  }

  /// Feeds the last `length` tokens of each row (in the first pass, the prompts, right-padded) and
  /// gives the logits [B, V] that follow each row's last token.
  at::Tensor forward(std::int64_t length) {
    const auto rows = static_cast<std::int64_t>(rows_.size());
    at::Tensor ids = at::empty({rows, length}, at::kLong);
    at::Tensor positions = at::empty({rows, length}, at::kLong);
    at::Tensor last = at::empty({rows}, at::kLong);
    std::vector<std::int64_t> kept(rows_.size());
    for (std::int64_t b = 0; b < rows; ++b) {
      const std::vector<TokenId>& seen = rows_[static_cast<std::size_t>(b)].seen;
      const auto size = static_cast<std::int64_t>(seen.size());
      const std::int64_t first = context_.cache->lengths()[static_cast<std::size_t>(b)];
      kept[static_cast<std::size_t>(b)] = size - first;
      auto* id = ids.mutable_data_ptr<std::int64_t>() + b * length;
      auto* position = positions.mutable_data_ptr<std::int64_t>() + b * length;
      for (std::int64_t t = 0; t < length; ++t) {
        const std::int64_t at = std::min(first + t, size - 1);  // padding repeats the last token
        id[t] = seen[static_cast<std::size_t>(at)];
        position[t] = at;
      }
      last.mutable_data_ptr<std::int64_t>()[b] = b * length + size - first - 1;
    }
    Sequence input;
    input.ids = ids;
    input.positions = positions;
    input = to_model(input, model_);
    context_.cache->begin(length);
    at::Tensor hidden = model_.hidden(input, context_);
    context_.cache->end(kept);
    hidden = hidden.reshape({rows * length, hidden.size(-1)});  // [B, T, D] → [B·T, D]
    if (length > 1) hidden = hidden.index_select(0, last.to(hidden.device()));
    at::Tensor logits = model_.head(hidden, context_).to(at::kFloat);
    if (vocab_limit_ > 0 && vocab_limit_ < logits.size(-1)) {
      logits = logits.narrow(-1, 0, vocab_limit_);
    }
    return logits;
  }

  /// Chooses a token for each row and lets the finished rows go.
  void advance(const at::Tensor& logits) {
    const std::vector<TokenId> chosen = choose(logits);
    const std::vector<float> logprobs = log_probabilities(logits, chosen);
    std::vector<std::int64_t> going_on;
    for (std::size_t b = 0; b < rows_.size(); ++b) {
      if (!finish(rows_[b], chosen[b], logprobs[b])) {
        going_on.push_back(static_cast<std::int64_t>(b));
      }
    }
    if (going_on.size() == rows_.size()) return;
    std::vector<Row> rows;
    for (const std::int64_t b : going_on) {
      rows.push_back(std::move(rows_[static_cast<std::size_t>(b)]));
    }
    rows_ = std::move(rows);
    if (rows_.empty()) return;
    context_.cache->select(going_on);
    if (!context_.memory) return;
    const at::Tensor kept = at::tensor(going_on, at::kLong).to(model_.device());
    memory_ = {memory_.states.index_select(0, kept), memory_.documents.index_select(0, kept)};
  }

  std::vector<TokenId> choose(const at::Tensor& logits) {
    std::vector<TokenId> chosen(rows_.size());
    const bool plain = std::none_of(rows_.begin(), rows_.end(), [](const Row& row) {
      return Sampler::changes_logits(row.options, row.new_tokens());
    });
    if (plain && !logits.is_cpu()) {
      const at::Tensor best = at::argmax(logits, -1).cpu();
      const auto* id = best.const_data_ptr<std::int64_t>();
      for (std::size_t b = 0; b < rows_.size(); ++b) chosen[b] = static_cast<TokenId>(id[b]);
      return chosen;
    }
    const at::Tensor values = logits.cpu().contiguous();
    const auto size = static_cast<std::size_t>(values.size(-1));
    const auto* data = values.const_data_ptr<float>();
    const auto choose_rows = [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b) {
        const auto at = static_cast<std::size_t>(b);
        Row& row = rows_[at];
        const std::span<const float> own(data + at * size, size);
        if (plain) {
          chosen[at] = argmax(own);
          continue;
        }
        const RandomKey key = random_key(row.options.seed, "sampling", row.stream, row.seen.size());
        chosen[at] =
            row.sampler.choose(own, row.options, {row.seen, row.new_tokens(), row.source}, key);
      }
    };
    at::parallel_for(0, static_cast<std::int64_t>(rows_.size()), 1, choose_rows);
    return chosen;
  }

  /// Of the chosen tokens, under the model's own distribution.
  std::vector<float> log_probabilities(const at::Tensor& logits,
                                       const std::vector<TokenId>& chosen) {
    const auto rows = static_cast<std::int64_t>(rows_.size());
    at::Tensor ids = at::empty({rows, 1}, at::kLong);
    for (std::int64_t b = 0; b < rows; ++b) {
      ids.mutable_data_ptr<std::int64_t>()[b] =
          std::max<TokenId>(chosen[static_cast<std::size_t>(b)], 0);
    }
    const at::Tensor own = logits.gather(-1, ids.to(logits.device())).squeeze(-1);
    const at::Tensor read = own.sub(at::logsumexp(logits, {-1})).cpu();
    const auto* values = read.const_data_ptr<float>();
    for (std::size_t b = 0; b < rows_.size(); ++b) {
      require(chosen[b] >= 0 && std::isfinite(values[b]), ErrorCode::kInternal, "prompt ",
              rows_[b].number, ", token ", rows_[b].seen.size() + 1,
              ": the model's logits are not finite; its weights are damaged, or bf16 overflows "
              "(try fp32)");
    }
    return {values, values + rows};
  }

  /// Takes the token into the row's result; true when that ends the row.
  bool finish(Row& row, TokenId id, float logprob) {
    const bool ended = take(row, id, logprob);
    if (ended && events_.end) events_.end(row.request, results_[row.request]);
    return ended;
  }

  bool take(Row& row, TokenId id, float logprob) {
    GeneratedTokens& result = results_[row.request];
    const std::vector<TokenId>& eos = row.options.eos_token_ids;
    result.reason = FinishReason::kStop;
    if (std::find(eos.begin(), eos.end(), id) != eos.end()) return true;
    row.seen.push_back(id);
    result.ids.push_back(id);
    result.logprobs.push_back(logprob);
    if (events_.token && events_.token(row.request, id)) return true;
    result.reason = row.short_of_room ? FinishReason::kPositions : FinishReason::kLength;
    return row.new_tokens() >= row.options.max_new_tokens;
  }

  Model& model_;
  const std::int64_t vocab_limit_;
  Context context_;
  const GenerationEvents& events_;
  std::vector<GeneratedTokens>& results_;
  std::vector<Row> rows_;
  std::vector<std::vector<TokenId>> sources_;  // of an encoder-decoder
  Memory memory_;
};

}  // namespace

void check_requests(const ModelFacts& facts, const std::vector<GenerationRequest>& requests) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const GenerationRequest& request = requests[i];
    const std::size_t number = number_of(request, i);
    check_ids(facts, request.prompt, number);
    if (facts.encoder_decoder) check_ids(facts, request.source, number);
    require(std::ssize(request.source) <= facts.max_positions, ErrorCode::kData, "prompt ", number,
            " has ", request.source.size(), " tokens, the model takes ", facts.max_positions,
            "; shorten it");
    require(std::ssize(request.prompt) < facts.max_positions, ErrorCode::kData, "prompt ", number,
            " has ", request.prompt.size(), " tokens and leaves no room, the model takes ",
            facts.max_positions, " with the answer; shorten it");
  }
}

std::vector<GeneratedTokens> generate_tokens(Model& model,
                                             const std::vector<GenerationRequest>& requests,
                                             const EngineOptions& options, const Context& context,
                                             const GenerationEvents& events) {
  check_requests(model.facts(), requests);
  const auto length = [&](std::size_t i) {
    return std::max(requests[i].prompt.size(), requests[i].source.size());
  };
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // The longest first: what does not fit into memory shows at once.
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return length(a) > length(b); });

  std::vector<GeneratedTokens> results(requests.size());
  const auto batch = static_cast<std::size_t>(options.batch_size);
  translate_torch_errors([&] {
    // Not inference mode: a model may keep tensors made here (rotary tables) for training.
    const at::NoGradGuard no_grad;
    for (std::size_t begin = 0; begin < order.size(); begin += batch) {
      BatchDecoder decoder(model, options.vocab_limit, context, events, results);
      for (std::size_t i = begin; i < std::min(begin + batch, order.size()); ++i) {
        decoder.add(order[i], requests[order[i]]);
      }
      decoder.run();
    }
  });
  return results;
}

}  // namespace llmctl
