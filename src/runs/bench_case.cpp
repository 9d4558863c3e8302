#include "runs/bench_case.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "infer/engine.h"
#include "models/model.h"
#include "ops/cpu_allocator.h"
#include "runs/assembly.h"
#include "runs/resolve.h"

namespace llmctl {
namespace {

/// Peak of the resident memory, as the system counts it.
double peak_bytes() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) * 1024;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

/// Random prompts that no row shares with another, and no token that ends one.
std::vector<GenerationRequest> requests_of(const BenchCase& bench_case, const ModelFacts& facts) {
  std::vector<GenerationRequest> requests(static_cast<std::size_t>(bench_case.batch));
  for (std::size_t i = 0; i < requests.size(); ++i) {
    Random random(random_key(1, "bench", i));
    std::vector<TokenId> ids(static_cast<std::size_t>(bench_case.prompt));
    for (TokenId& id : ids) {
      id = static_cast<TokenId>(random.uniform() * static_cast<double>(facts.source_vocab_size()));
    }
    GenerationRequest& request = requests[i];
    request.stream = i;
    request.options.beams.num_beams = bench_case.beams;
    request.options.max_new_tokens = bench_case.new_tokens;
    if (facts.encoder_decoder) {
      request.source = std::move(ids);
      request.prompt = {static_cast<TokenId>(facts.decoder_start)};
    } else {
      request.prompt = std::move(ids);
    }
  }
  return requests;
}

struct Times {
  double first = 0, prompts = 0, rest = 0;  // seconds to the first token, all first tokens, the end
  std::int64_t tokens = 0;                  // after `prompts`
};

/// Beam search gives its tokens at the end: all of them count, over the whole time.
Times generate_once(Model& model, const std::vector<GenerationRequest>& requests,
                    std::int64_t beams, const Context& context) {
  Times times;
  const double start = bench_clock();
  std::vector<bool> begun(requests.size(), false);
  std::size_t waiting = requests.size();
  GenerationEvents events;
  events.token = [&](std::size_t row, std::size_t, TokenId) {
    if (times.first == 0) times.first = bench_clock() - start;
    if (waiting == 0) ++times.tokens;
    if (!begun[row]) {
      begun[row] = true;
      if (--waiting == 0) times.prompts = bench_clock() - start;
    }
    return false;
  };
  EngineOptions options;
  options.batch_size = std::ssize(requests) * beams;
  const auto answers = generate_tokens(model, requests, options, context, events);
  times.rest = bench_clock() - start - times.prompts;
  if (beams > 1) {
    times.tokens = 0;
    for (const auto& answer : answers) times.tokens += std::ssize(answer.front().ids);
    times.rest += times.prompts;
  }
  return times;
}

}  // namespace

Json BenchCase::to_json() const {
  return {{"directory", directory},     {"device", device},  {"form", form},
          {"threads", threads},         {"batch", batch},    {"prompt", prompt},
          {"new_tokens", new_tokens},   {"beams", beams},    {"sampling", sampling},
          {"repetitions", repetitions}, {"started", started}};
}

BenchCase BenchCase::from_json(const Json& json) {
  BenchCase bench_case;
  json.at("directory").get_to(bench_case.directory);
  json.at("device").get_to(bench_case.device);
  json.at("form").get_to(bench_case.form);
  json.at("threads").get_to(bench_case.threads);
  json.at("batch").get_to(bench_case.batch);
  json.at("prompt").get_to(bench_case.prompt);
  json.at("new_tokens").get_to(bench_case.new_tokens);
  json.at("beams").get_to(bench_case.beams);
  json.at("sampling").get_to(bench_case.sampling);
  json.at("repetitions").get_to(bench_case.repetitions);
  json.at("started").get_to(bench_case.started);
  return bench_case;
}

bool is_dense_form(const std::string& form) {
  return form == "fp32" || form == "bf16";
}

double bench_clock() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Json run_bench_case(const BenchCase& bench_case) {
  ComputeSection section;
  section.device = bench_case.device;
  section.precision = bench_case.form == "bf16" ? "bf16" : "fp32";
  if (!is_dense_form(bench_case.form)) section.quantize = bench_case.form;
  section.threads = bench_case.threads;
  const Compute compute = assemble_compute(section);
  const auto model = load_model_for_use(bench_case.directory, compute);
  Context context;
  context.compute = compute.between_layers();
  std::vector<GenerationRequest> requests = requests_of(bench_case, model->facts());
  const auto set_sampling = [&](bool sampling) {
    for (GenerationRequest& one : requests) {
      one.options.do_sample = sampling;
      one.options.temperature = 0.8;
      one.options.top_k = 50;
      one.options.top_p = 0.9;
    }
  };

  Json result;
  double prompts = 0, greedy = 0, sampled = 0;
  for (std::int64_t i = 0; i < bench_case.repetitions; ++i) {
    for (const bool sampling : {false, true}) {
      if (sampling && !bench_case.sampling) continue;
      set_sampling(sampling);
      release_cpu_memory();  // else the peak would count what is left of the cache before
      const double begin = bench_clock();
      const Times times = generate_once(*model, requests, bench_case.beams, context);
      if (!result.contains("first_token_s")) {
        result["first_token_s"] = begin + times.first - bench_case.started;
      }
      const auto read = static_cast<double>(bench_case.prompt * bench_case.batch);
      prompts = std::max(prompts, read / times.prompts);
      double& rate = sampling ? sampled : greedy;
      if (times.tokens > 0) rate = std::max(rate, static_cast<double>(times.tokens) / times.rest);
    }
  }
  const auto known = [](double rate) { return rate > 0 ? Json(rate) : Json(); };
  result["prompt_tokens_s"] = known(prompts);
  result["tokens_s"] = known(greedy);
  result["sampled_tokens_s"] = known(sampled);
  result["peak_bytes"] = peak_bytes();
  return result;
}

ModelWork count_work(const Model& model) {
  const ModelFacts& facts = model.facts();
  ModelWork work;
  const auto has = [](const std::string& name, const char* part) {
    return name.find(part) != name.npos;
  };
  double encoder = 0, decoder = 0, memory = 0;
  for (const auto& [name, tensor] : model.parameters()) {
    if (tensor.dim() != 2 || tensor.is_same(model.word_embeddings()) || has(name, "embed") ||
        has(name, "shared") || has(name, "wte") || has(name, "wpe") || has(name, "lm_head") ||
        has(name, "relative_attention_bias")) {
      continue;
    }
    const auto count = static_cast<double>(tensor.numel());
    const bool cross = has(name, "encoder_attn") || has(name, "EncDecAttention");
    if (cross && (has(name, "k_proj") || has(name, "v_proj") || has(name, "Attention.k.") ||
                  has(name, "Attention.v."))) {
      memory += count;
    } else if (name.starts_with("encoder.") || has(name, ".encoder.")) {
      encoder += count;
    } else {
      decoder += count;
    }
  }
  work.head_weights = static_cast<double>(facts.vocab_size * facts.hidden_size);
  work.step_weights = decoder + work.head_weights;
  work.prompt_weights = facts.encoder_decoder ? encoder + memory : decoder;
  work.cache_numbers = 2.0 * static_cast<double>(facts.layers * facts.kv_heads * facts.head_size);
  work.source_numbers = facts.encoder_decoder ? work.cache_numbers : 0;
  work.layers_width = static_cast<double>(facts.layers * facts.heads * facts.head_size);
  return work;
}

}  // namespace llmctl
