#include "infer/engine.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/fault.h"
#include "base/signals.h"
#include "infer/alignment.h"
#include "models/inputs.h"
#include "ops/backend.h"

namespace llmctl {
namespace {

/// The cache begins with room for this many new tokens of each row.
constexpr std::int64_t kFirstTokens = 128;

void check_ids(std::int64_t vocab_size, const std::vector<TokenId>& ids, std::size_t number) {
  require(!ids.empty(), ErrorCode::kData, "prompt ", number,
          " has no tokens, expected at least one");
  for (const TokenId id : ids) {
    require(id >= 0 && id < vocab_size, ErrorCode::kData, "prompt ", number, " holds token id ", id,
            ", the model's vocabulary has ", vocab_size,
            "; tokenizer and model do not belong together");
  }
}

/// Tokens of a pass, one behind the other, that share their adapters.
struct AdaptedTokens {
  const std::vector<AdapterChoice>* adapters;
  std::int64_t count;
};

/// Which of the tokens each adapter is for; all where all agree.
std::vector<AdapterUse> adapter_uses(const std::vector<AdaptedTokens>& parts, at::Device device) {
  std::vector<AdapterUse> uses;
  if (parts.empty()) return uses;
  const std::vector<AdapterChoice>& first = *parts.front().adapters;
  const auto same = [&](const AdaptedTokens& part) { return *part.adapters == first; };
  if (std::all_of(parts.begin(), parts.end(), same)) {
    for (const AdapterChoice& choice : first) uses.push_back({choice.adapter, choice.scale, {}});
    return uses;
  }
  std::map<AdapterChoice, std::vector<std::int64_t>> tokens;
  std::int64_t at = 0;
  for (const AdaptedTokens& part : parts) {
    for (const AdapterChoice& choice : *part.adapters) {
      for (std::int64_t t = at; t < at + part.count; ++t) tokens[choice].push_back(t);
    }
    at += part.count;
  }
  for (const auto& [choice, own] : tokens) {
    uses.push_back({choice.adapter, choice.scale, at::tensor(own, at::kLong).to(device)});
  }
  return uses;
}

}  // namespace

void check_request(const ModelFacts& facts, const GenerationRequest& request, std::size_t number) {
  check_ids(facts.vocab_size, request.prompt, number);
  if (facts.encoder_decoder) check_ids(facts.source_vocab_size(), request.source, number);
  require(std::ssize(request.source) <= facts.max_positions, ErrorCode::kData, "prompt ", number,
          " has ", request.source.size(), " tokens, the model takes ", facts.max_positions,
          "; shorten it");
  require(std::ssize(request.prompt) < facts.max_positions, ErrorCode::kData, "prompt ", number,
          " has ", request.prompt.size(), " tokens and leaves no room, the model takes ",
          facts.max_positions, " with the answer; shorten it");
}

Engine::Engine(Model& model, const EngineOptions& options, const Context& context)
    : model_(model), options_(options), context_(context) {}

Engine::~Engine() = default;

Engine::Id Engine::submit(GenerationRequest request, ChooserEvents events) {
  if (request.number == 0) request.number = last_id_ + 1;
  check_request(model_.facts(), request, request.number);
  Job job;
  job.id = ++last_id_;
  job.chooser = make_chooser(request, model_.facts().max_positions, std::move(events));
  job.request = std::move(request);
  waiting_.push_back(std::move(job));
  return last_id_;
}

void Engine::cancel(Id id) {
  std::erase_if(waiting_, [&](const Job& job) { return job.id == id; });
  const auto found =
      std::find_if(jobs_.begin(), jobs_.end(), [&](const auto& job) { return job->id == id; });
  if (found == jobs_.end()) return;
  release(**found);
  jobs_.erase(found);
}

std::vector<Engine::Finished> Engine::step() {
  std::vector<Finished> finished;
  if (idle()) return finished;
  fault_point("token");
  stop_if_asked();
  try {
    translate_torch_errors([&] {
      // Not inference mode: a model may keep tensors made here (rotary tables) for training.
      const at::NoGradGuard no_grad;
      finished = pass();
    });
  } catch (...) {
    // What the cache knows of this pass's tokens was perhaps never computed.
    waiting_.clear();
    jobs_.clear();
    sources_.clear();
    new_sources_.clear();
    cache_.reset();
    memory_.reset();
    throw;
  }
  return finished;
}

std::vector<Engine::Finished> Engine::pass() {
  make_caches();
  admit();
  // Rows under way first, then prompts in the order of their coming.
  std::vector<Job*> planned;
  for (const auto& job : jobs_) {
    if (job->prefilling) continue;
    for (Row& row : job->rows) plan(*job, row, row.feed.size());
    planned.push_back(job.get());
  }
  std::int64_t left = planned.empty() ? options_.prefill_tokens
                                      : std::max<std::int64_t>(options_.prefill_tokens / 4, 1);
  for (const auto& job : jobs_) {
    if (!job->prefilling || left <= 0) continue;
    if (job->rows.empty()) {
      if (waits_for_another(*job)) continue;
      const std::int64_t before = counts_.prompt;
      begin(*job);
      left -= counts_.prompt - before;
    }
    Row& row = job->rows.front();
    const auto tokens =
        std::min(row.feed.size(), static_cast<std::size_t>(std::max<std::int64_t>(left, 1)));
    plan(*job, row, tokens);
    cache_->remember(row.cached, job->scope, job->request.prompt);
    left -= static_cast<std::int64_t>(tokens);
    counts_.prompt += static_cast<std::int64_t>(tokens);
    planned.push_back(job.get());
  }
  const at::Tensor logits = forward(planned);
  ++counts_.passes;

  std::vector<Job*> choosing;
  for (Job* const job : planned) {
    Row& first = job->rows.front();
    if (first.fed == first.feed.size()) {
      choosing.push_back(job);
    } else {  // more of the prompt is to come
      first.feed.erase(first.feed.begin(),
                       first.feed.begin() + static_cast<std::ptrdiff_t>(first.fed));
    }
  }
  choose(logits, choosing);
  std::vector<Finished> finished;
  for (Job* const job : choosing) {
    if (!go_on(*job)) finished.push_back({job->id, finish(*job)});
  }
  std::erase_if(jobs_, [](const auto& job) { return job->rows.empty() && !job->prefilling; });
  return finished;
}

/// With room for all that may begin at once, as far as that is known.
void Engine::make_caches() {
  if (cache_) return;
  // In whole pages: a page that a row shares is one of its own, too, once it writes there.
  const auto pages = [](std::int64_t tokens) {
    return (tokens + KvCache::kPageTokens - 1) / KvCache::kPageTokens * KvCache::kPageTokens;
  };
  const auto length = [](const Job& job) {
    const SamplingOptions& options = job.request.options;
    return std::ssize(job.request.prompt) + std::min(options.max_new_tokens, kFirstTokens) +
           options.prompt_lookup_num_tokens;
  };
  std::int64_t rows = 0, longest = 0, longest_source = 0;
  for (const Job& job : waiting_) {
    rows += static_cast<std::int64_t>(job.chooser->most_rows());
    longest = std::max(longest, length(job));
    longest_source = std::max(longest_source, std::ssize(job.request.source));
  }
  rows = std::min(rows, options_.batch_size);
  const std::int64_t padding = pads() ? KvCache::kPageTokens : 0;
  cache_ = model_.make_cache(rows * pages(longest) + padding, context_);
  context_.cache = cache_.get();
  if (!model_.facts().encoder_decoder) return;
  memory_ = model_.make_cache(rows * pages(longest_source), context_);
  context_.memory_cache = memory_.get();
  context_.memory = &states_;
}

void Engine::admit() {
  std::int64_t rows = 0;
  for (const auto& job : jobs_) rows += static_cast<std::int64_t>(job->chooser->most_rows());
  while (!waiting_.empty()) {
    rows += static_cast<std::int64_t>(waiting_.front().chooser->most_rows());
    if (rows > options_.batch_size && !jobs_.empty()) return;
    jobs_.push_back(std::make_unique<Job>(std::move(waiting_.front())));
    waiting_.pop_front();
  }
}

/// A row for the prompt, beginning with what others have computed of it.
void Engine::begin(Job& job) {
  const GenerationRequest& request = job.request;
  if (memory_) {
    const auto [entry, fresh] = sources_.try_emplace({request.source, request.adapters});
    Source& source = entry->second;
    if (fresh) {
      source.row = memory_->open();
      source.scope = ++scopes_;
      memory_->fill(source.row, std::ssize(request.source));
      new_sources_.push_back(&entry->first);
      counts_.prompt += std::ssize(request.source);
    }
    ++source.users;
    job.memory = source.row;
    job.scope = source.scope;
  }
  if (!request.adapters.empty() && !memory_) {
    const auto [entry, fresh] = adapter_scopes_.try_emplace(request.adapters);
    if (fresh) entry->second = ++scopes_;
    job.scope = entry->second;
  }
  const KvCache::Row row = cache_->open();
  // The last token is fed in any case: the answer's first token comes from it.
  const std::int64_t shared =
      cache_->adopt(row, job.scope, request.prompt, std::ssize(request.prompt) - 1);
  counts_.shared += shared;
  job.rows.push_back({row, {request.prompt.begin() + shared, request.prompt.end()}});
}

void Engine::plan(Job& job, Row& row, std::size_t tokens) {
  row.fed = tokens;
  cache_->plan(row.cached, static_cast<std::int64_t>(tokens));
  if (!memory_) return;
  for (std::size_t t = 0; t < tokens; ++t) memory_->look(job.memory);
}

/// The encoder's states of all new sources, for the decoder's keys and values. Those with the same
/// adapters are encoded together; where padding must not change the order of sums, each alone.
void Engine::encode_sources() {
  states_ = {};
  if (new_sources_.empty()) return;
  std::vector<std::size_t> order(new_sources_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return new_sources_[a]->adapters < new_sources_[b]->adapters;
  });
  std::vector<at::Tensor> states(new_sources_.size());
  std::vector<const SourceKey*> together;
  for (std::size_t i = 0, begin = 0; i < order.size(); ++i) {
    together.push_back(new_sources_[order[i]]);
    const bool last = i + 1 == order.size() || is_deterministic() ||
                      new_sources_[order[i + 1]]->adapters != together.front()->adapters;
    if (!last) continue;
    for (at::Tensor& own : encode(together)) states[order[begin++]] = std::move(own);
    together.clear();
  }
  std::vector<AdaptedTokens> parts;
  for (const SourceKey* source : new_sources_) {
    parts.push_back({&source->adapters, std::ssize(source->ids)});
  }
  memory_adapters_ = adapter_uses(parts, model_.device());
  states_ = {at::cat(states).unsqueeze(0), {}, &memory_adapters_};  // [1, S, D]
  new_sources_.clear();
}

/// The encoder's states [S, D] of each of some sources with the same adapters.
std::vector<at::Tensor> Engine::encode(std::span<const SourceKey* const> sources) {
  std::size_t longest = 0;
  for (const SourceKey* source : sources) longest = std::max(longest, source->ids.size());
  const auto rows = std::ssize(sources), length = static_cast<std::int64_t>(longest);
  at::Tensor ids = at::zeros({rows, length}, at::kLong);
  at::Tensor documents = at::full({rows, length}, -1, at::kLong);
  for (std::int64_t b = 0; b < rows; ++b) {
    const std::vector<TokenId>& source = sources[static_cast<std::size_t>(b)]->ids;
    std::copy(source.begin(), source.end(), ids.mutable_data_ptr<std::int64_t>() + b * length);
    std::fill_n(documents.mutable_data_ptr<std::int64_t>() + b * length, source.size(), 0);
  }
  Sequence input;
  input.ids = ids;
  input.documents = documents;
  const std::vector<AdapterUse> adapters =
      adapter_uses({{&sources.front()->adapters, rows}}, model_.device());
  Context context = context_;
  context.cache = context.memory_cache = nullptr;
  context.adapters = &adapters;
  const at::Tensor states = model_.encode(source_to_model(input, model_), context);  // [B, S, D]
  std::vector<at::Tensor> parts;
  for (std::int64_t b = 0; b < rows; ++b) {
    parts.push_back(states[b].narrow(0, 0, std::ssize(sources[static_cast<std::size_t>(b)]->ids)));
  }
  return parts;
}

bool Engine::pads() const {
  return !model_.device().is_cpu() || options_.static_shapes;
}

/// Gives the pass one of few shapes, where devices ask for it and no prompt does without.
bool Engine::pad(const std::vector<Job*>& planned) {
  if (!pads()) return false;
  const auto is_prompt = [](const Job* job) { return job->prefilling; };
  if (std::any_of(planned.begin(), planned.end(), is_prompt)) return false;
  const std::int64_t tokens = padded_size(cache_->planned());
  cache_->pad(tokens);
  if (memory_) memory_->pad_looks(tokens);
  return true;
}

/// One pass over what is planned: the logits [R, V] behind each token of rows under way and behind
/// the last one of complete prompts.
at::Tensor Engine::forward(const std::vector<Job*>& planned) {
  encode_sources();
  const bool padded = pad(planned);
  const std::int64_t count = cache_->planned();
  // What is of no row is token 0 at position 0.
  at::Tensor ids = at::zeros({1, count}, at::kLong), positions = at::zeros({1, count}, at::kLong),
             rows = at::full({1, count}, -1, at::kLong);
  auto *id = ids.mutable_data_ptr<std::int64_t>(),
       *position = positions.mutable_data_ptr<std::int64_t>(),
       *row_of = rows.mutable_data_ptr<std::int64_t>();
  std::vector<std::int64_t> wanted;
  std::vector<AdaptedTokens> adapted;
  std::int64_t at = 0;
  for (Job* const job : planned) {
    for (const Row& row : job->rows) {
      adapted.push_back({&job->request.adapters, static_cast<std::int64_t>(row.fed)});
      const std::int64_t first = cache_->length(row.cached);
      for (std::size_t t = 0; t < row.fed; ++t, ++at) {
        id[at] = row.feed[t];
        position[at] = first + static_cast<std::int64_t>(t);
        row_of[at] = row.cached;
        const bool last = t + 1 == row.feed.size();
        if (!job->prefilling || last) wanted.push_back(at);
      }
    }
  }
  Sequence input;
  input.ids = ids;
  input.positions = positions;
  input.documents = rows;
  const std::vector<AdapterUse> adapters = adapter_uses(adapted, model_.device());
  Context context = context_;
  context.adapters = &adapters;
  at::Tensor hidden = model_.hidden(to_model(input, model_), context);  // [1, N, D]
  cache_->end();
  if (memory_) memory_->end();
  if (wanted.empty()) return {};
  hidden = hidden.flatten(0, 1);  // [N, D]
  if (std::ssize(wanted) < count && !padded) {
    hidden = hidden.index_select(0, at::tensor(wanted, at::kLong).to(hidden.device()));
  }
  at::Tensor logits = model_.head(hidden, context_).to(at::kFloat);
  if (padded) logits = logits.narrow(0, 0, std::ssize(wanted));
  if (options_.vocab_limit > 0 && options_.vocab_limit < logits.size(-1)) {
    logits = logits.narrow(-1, 0, options_.vocab_limit);
  }
  return logits;
}

/// The tokens of each chooser's choices(), chosen where the logits are; none where one of them
/// needs its logits, and of draws where sums must have one order.
std::vector<std::vector<TokenId>> Engine::chosen_on_device(const at::Tensor& logits,
                                                           const std::vector<Job*>& jobs) const {
  std::vector<std::vector<TokenId>> chosen;
  if (logits.is_cpu() && !options_.choose_on_device) return chosen;
  std::vector<DeviceChoice> all;
  std::vector<std::size_t> ends;
  std::int64_t row = 0;
  for (const Job* const job : jobs) {
    const auto own = job->chooser->choices();
    if (!own) return chosen;
    for (DeviceChoice choice : *own) {
      if (choice.draws && is_deterministic()) return chosen;
      choice.row += row;
      all.push_back(choice);
    }
    ends.push_back(all.size());
    for (const Row& own_row : job->rows) {
      row += job->prefilling ? 1 : static_cast<std::int64_t>(own_row.fed);
    }
  }
  const std::vector<TokenId> ids = choose_on_device(logits, all);
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    chosen.emplace_back(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                        ids.begin() + static_cast<std::ptrdiff_t>(end));
    begin = end;
  }
  return chosen;
}

/// Lets the choosers decide by their rows of the logits, side by side.
void Engine::choose(const at::Tensor& logits, const std::vector<Job*>& jobs) {
  if (jobs.empty()) return;
  const std::vector<std::vector<TokenId>> chosen = chosen_on_device(logits, jobs);
  const at::Tensor values = chosen.empty() ? logits.cpu() : at::Tensor();
  std::vector<std::vector<RowLogits>> rows(jobs.size());
  std::size_t at = 0;
  for (std::size_t j = 0; j < jobs.size(); ++j) {
    const TokenId* next = chosen.empty() ? nullptr : chosen[j].data();
    for (const Row& row : jobs[j]->rows) {
      RowLogits& own = rows[j].emplace_back();
      own.count = jobs[j]->prefilling ? 1 : row.fed;
      own.size = static_cast<std::size_t>(logits.size(-1));
      if (next) {
        own.chosen = next;
        next += own.count;
      } else {
        own.stride = static_cast<std::size_t>(values.stride(0));
        own.values = values.const_data_ptr<float>() + at * own.stride;
      }
      at += own.count;
    }
  }
  at::parallel_for(0, std::ssize(jobs), 1, [&](std::int64_t first, std::int64_t last) {
    for (auto j = static_cast<std::size_t>(first); j < static_cast<std::size_t>(last); ++j) {
      jobs[j]->chooser->choose(rows[j]);
    }
  });
}

/// Whether a prompt that is computed just now has more in common with this one than is known yet.
bool Engine::waits_for_another(const Job& job) const {
  const std::vector<TokenId>& own = job.request.prompt;
  return std::any_of(jobs_.begin(), jobs_.end(), [&](const auto& other) {
    if (!other->prefilling || other->rows.empty() || other->request.source != job.request.source ||
        other->request.adapters != job.request.adapters) {
      return false;
    }
    const std::vector<TokenId>& prompt = other->request.prompt;
    const auto [differs, end] =
        std::mismatch(own.begin(), own.end() - 1, prompt.begin(), prompt.end());
    const std::int64_t common =
        (differs - own.begin()) / KvCache::kPageTokens * KvCache::kPageTokens;
    const Row& row = other->rows.front();
    return common > cache_->length(row.cached) + static_cast<std::int64_t>(row.fed);
  });
}

/// Makes the rows of the next pass of those of this one; false when there are none.
bool Engine::go_on(Job& job) {
  const Step& step = job.chooser->advance();
  job.prefilling = false;
  for (std::size_t r = 0; r < step.kept.size(); ++r) {
    const Row& row = job.rows[r];
    counts_.accepted += static_cast<std::int64_t>(step.kept[r]) - 1;
    cache_->truncate(
        row.cached, cache_->length(row.cached) - static_cast<std::int64_t>(row.fed - step.kept[r]));
  }
  if (step.branches.empty()) return false;
  std::vector<Row> rows;
  std::size_t parent = 0;
  for (std::size_t b = 0; b < step.branches.size(); ++b) {
    const Branch& branch = step.branches[b];
    for (; parent < branch.parent; ++parent) {
      // Its last branch has taken it, or it had none.
      if (b == 0 || step.branches[b - 1].parent != parent) cache_->close(job.rows[parent].cached);
    }
    const bool last_of_parent =
        b + 1 == step.branches.size() || step.branches[b + 1].parent != branch.parent;
    const KvCache::Row own = job.rows[branch.parent].cached;
    Row& row = rows.emplace_back();
    row.cached = last_of_parent ? own : cache_->fork(own);
    row.feed.push_back(branch.token);
    row.feed.insert(row.feed.end(), branch.draft.begin(), branch.draft.end());
    ++counts_.generated;
    counts_.guessed += std::ssize(branch.draft);
  }
  for (++parent; parent < job.rows.size(); ++parent) cache_->close(job.rows[parent].cached);
  job.rows = std::move(rows);
  return true;
}

void Engine::add_alignments(const GenerationRequest& request,
                            std::vector<GeneratedTokens>& answers) {
  const std::vector<AdapterUse> adapters = adapter_uses({{&request.adapters, 1}}, model_.device());
  Context context = context_;
  context.adapters = &adapters;
  for (GeneratedTokens& answer : answers) {
    std::vector<TokenId> text = request.prompt;
    text.insert(text.end(), answer.ids.begin(), answer.ids.end());
    answer.alignment = align(model_, request.source, text, *request.alignment, context);
  }
}

/// The answers. What a lone row was fed stays known, for a conversation's next turn.
std::vector<GeneratedTokens> Engine::finish(Job& job) {
  std::vector<GeneratedTokens> answers = job.chooser->results();
  if (job.request.alignment) add_alignments(job.request, answers);
  if (job.chooser->most_rows() == 1) {
    std::vector<TokenId> ids = job.request.prompt;
    ids.insert(ids.end(), answers.front().ids.begin(), answers.front().ids.end());
    cache_->remember(job.rows.front().cached, job.scope, ids);
  }
  release(job);
  return answers;
}

/// Gives back what the job holds.
void Engine::release(Job& job) {
  for (const Row& row : job.rows) cache_->close(row.cached);
  job.rows.clear();
  if (job.memory < 0) return;
  const auto source = sources_.find({job.request.source, job.request.adapters});
  if (--source->second.users > 0) return;
  memory_->close(source->second.row);
  sources_.erase(source);
}

std::vector<std::vector<GeneratedTokens>> generate_tokens(
    Engine& engine, const ModelFacts& facts, const std::vector<GenerationRequest>& requests,
    const GenerationEvents& events) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    check_request(facts, requests[i], requests[i].number > 0 ? requests[i].number : i + 1);
  }
  std::vector<std::vector<GeneratedTokens>> results(requests.size());
  std::map<Engine::Id, std::size_t> index;
  try {
    for (std::size_t i = 0; i < requests.size(); ++i) {
      ChooserEvents own;
      if (events.token) {
        own.token = [&events, i](std::size_t s, TokenId id) { return events.token(i, s, id); };
      }
      if (events.end) {
        own.end = [&events, i](std::size_t s, const auto& result) { events.end(i, s, result); };
      }
      if (events.complete) {
        own.complete = [&events, i](auto answer) { return events.complete(i, answer); };
      }
      GenerationRequest request = requests[i];
      if (request.number == 0) request.number = i + 1;
      index[engine.submit(std::move(request), std::move(own))] = i;
    }
    while (!index.empty()) {
      for (Engine::Finished& finished : engine.step()) {
        const auto found = index.find(finished.id);
        results[found->second] = std::move(finished.answers);
        index.erase(found);
      }
    }
  } catch (...) {
    for (const auto& [id, i] : index) engine.cancel(id);
    throw;
  }
  return results;
}

std::vector<std::vector<GeneratedTokens>> generate_tokens(
    Model& model, const std::vector<GenerationRequest>& requests, const EngineOptions& options,
    const Context& context, const GenerationEvents& events) {
  Engine engine(model, options, context);
  return generate_tokens(engine, model.facts(), requests, events);
}

}  // namespace llmctl
