#include "runs/bench_generate.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>

#include "base/child_process.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/strings.h"
#include "base/temporaries.h"
#include "base/waiting.h"
#include "models/model.h"
#include "models/quantization.h"
#include "ops/backend.h"
#include "report/table.h"
#include "runs/assembly.h"
#include "runs/bench_case.h"
#include "runs/bench_roofs.h"
#include "runs/resolve.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;

/// Shapes with random weights; those of well-known sizes are the ones that other engines' speeds
/// are given for.
const std::map<std::string, const char*>& shapes() {
  static const std::map<std::string, const char*> list = {
      {"llama-134m",
       R"({"model_type": "llama", "vocab_size": 32000, "hidden_size": 768,
           "intermediate_size": 2048, "num_hidden_layers": 12, "num_attention_heads": 12,
           "max_position_embeddings": 1024, "tie_word_embeddings": false})"},
      {"llama-tiny",
       R"({"model_type": "llama", "vocab_size": 256, "hidden_size": 32, "intermediate_size": 64,
           "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
           "max_position_embeddings": 1024})"},
      {"marian-base",
       R"({"model_type": "marian", "vocab_size": 32001, "d_model": 512, "encoder_layers": 6,
           "decoder_layers": 6, "encoder_attention_heads": 8, "decoder_attention_heads": 8,
           "encoder_ffn_dim": 2048, "decoder_ffn_dim": 2048, "max_position_embeddings": 1024,
           "scale_embedding": true, "activation_function": "swish", "eos_token_id": 0,
           "pad_token_id": 32000, "decoder_start_token_id": 32000})"}};
  return list;
}

struct Form {
  const char* name;
  double bytes;         // of a weight
  double cached_bytes;  // of a number of a key or value (Model::make_cache)
};
constexpr Form kForms[] = {
    {"fp32", 4, 4}, {"bf16", 2, 2}, {"int8", 1, 2}, {"int4", 0.5 + 2.0 / 32, 2}};

const Form& form_named(const std::string& name) {
  const auto* const found = std::find_if(std::begin(kForms), std::end(kForms),
                                         [&](const Form& f) { return name == f.name; });
  require(found != std::end(kForms), ErrorCode::kUsage, "expected a form of weights (",
          join(bench_forms()), "), got '", name, "'", did_you_mean(name, bench_forms()));
  return *found;
}

/// A model to measure: where each form of it is loaded from, and what it costs.
struct Subject {
  std::string name;
  std::map<std::string, fs::path> directories;  // by form
  std::optional<TemporaryPath> made;
  ModelFacts facts;
  ModelWork work;
  std::int64_t parameters = 0;
};

void learn(Subject& subject, const Model& model) {
  subject.facts = model.facts();
  subject.work = count_work(model);
  subject.parameters = model.parameter_count();
  const HeadKind head = subject.facts.head;
  require(head == HeadKind::kCausalLm || head == HeadKind::kSeq2SeqLm, ErrorCode::kData,
          subject.name, ": a ", subject.facts.architecture, " generates no text");
}

/// Writes the shape's model, a directory for each form, so that loading is part of what is
/// measured.
void make_shape(Subject& subject, const BenchOptions& options) {
  JsonDocument document;
  document.value = Json::parse(shapes().at(options.shape));
  ModelRequest request;
  const bool seq2seq = document.value.at("model_type") == "marian";
  request.head = seq2seq ? HeadKind::kSeq2SeqLm : HeadKind::kCausalLm;
  const auto model = create_model(ConfigNode(&document.value, "model", &document), 0, request);
  learn(subject, *model);
  subject.made.emplace(claim_temporary(fs::temp_directory_path() / "llmctl-bench"));
  fs::create_directories(subject.made->path());
  for (const std::string& form : options.forms) {
    const fs::path directory = subject.made->path() / form;
    const auto quantization = parse_quantization(is_dense_form(form) ? "none" : form);
    if (quantization) {
      const auto integers =
          create_model(ConfigNode(&document.value, "model", &document), 0, request);
      integers->quantize(*quantization);
      integers->save(directory);
    } else {
      model->save(directory, form == "bf16" ? at::kBFloat16 : at::kFloat);
    }
    subject.directories[form] = directory;
  }
}

void find_model(Subject& subject, const BenchOptions& options) {
  const fs::path directory = resolve_model_directory(options.model);
  ModelRequest request;
  request.mapped = true;
  request.find_base = resolve_model_directory;
  const auto model = load_model(directory, request);
  learn(subject, *model);
  if (const auto quantization = model->quantization()) {
    const std::string kept = quantization_name(*quantization);
    for (const std::string& form : options.forms) {
      require(form == kept, ErrorCode::kUsage, directory, ": its matrices are ", kept,
              ", which no other form can be made of; use --form ", kept);
    }
  }
  for (const std::string& form : options.forms) subject.directories[form] = directory;
}

void check(const BenchOptions& options) {
  require(options.shape.empty() != options.model.empty(), ErrorCode::kUsage,
          "expected exactly one of --shape NAME and -m DIR");
  require(options.model.empty() ? shapes().contains(options.shape) : true, ErrorCode::kUsage,
          "no shape '", options.shape, "'", did_you_mean(options.shape, bench_shapes()));
  require(!options.forms.empty() && !options.batches.empty() && !options.prompts.empty(),
          ErrorCode::kUsage, "expected at least one form, batch and prompt length");
  for (const std::string& form : options.forms) form_named(form);
  const auto positive = [](const std::vector<std::int64_t>& numbers) {
    return std::all_of(numbers.begin(), numbers.end(), [](std::int64_t n) { return n > 0; });
  };
  require(positive(options.batches) && positive(options.prompts) && options.new_tokens > 1 &&
              options.prefill >= 0 && options.repetitions > 0 && options.beams > 0,
          ErrorCode::kUsage,
          "batches, prompts, beams and repetitions are at least 1, new tokens at least 2");
}

/// Sources and answers of an encoder-decoder have positions of their own.
void check_positions(const BenchOptions& options, const Subject& subject) {
  const std::int64_t positions = subject.facts.max_positions;
  if (positions <= 0) return;
  const std::int64_t prompt = *std::max_element(options.prompts.begin(), options.prompts.end());
  const std::int64_t longest = subject.facts.encoder_decoder
                                   ? std::max(prompt, options.new_tokens + 1)
                                   : prompt + options.new_tokens;
  require(std::max(longest, options.prefill + 1) <= positions, ErrorCode::kUsage, subject.name,
          " has ", positions, " positions; lower --prompt, --new-tokens or --prefill");
}

/// A rate that a roof allows, and which roof that is.
struct Limit {
  double rate = 0;
  const char* roof = "";
};

/// What one pass over `tokens` costs: bytes that it reads, operations with weights and of
/// attention.
struct Work {
  double tokens = 0, bytes = 0, operations = 0, attention = 0;
};

Limit limit_of(const Work& work, const Roofs& roofs, const Form& form) {
  // Integers and bf16 are multiplied as such where the processor can; attention is to keys and
  // values in the form that the cache has.
  const std::string name = form.name;
  Limit products = {roofs.fp32, "fp32"};
  if (name == "bf16" && roofs.bf16) products = {*roofs.bf16, "bf16"};
  if (!is_dense_form(name) && roofs.int8) products = {*roofs.int8, "int8"};
  const double of_cache =
      form.cached_bytes == 2 ? std::max(roofs.bf16.value_or(0), roofs.fp32) : roofs.fp32;
  const double reading = work.bytes / roofs.read;
  const double computing = work.operations / products.rate + work.attention / of_cache;
  if (reading > computing) return {work.tokens / reading, "read"};
  return {work.tokens / computing, products.roof};
}

Limit decoding_limit(const Subject& subject, const BenchCase& one, const Roofs& roofs) {
  const ModelWork& work = subject.work;
  const Form& form = form_named(one.form);
  const auto rows = static_cast<double>(one.batch * one.beams);
  const auto prompt = static_cast<double>(one.prompt);
  const double grown = static_cast<double>(one.new_tokens) / 2;
  const double source = subject.facts.encoder_decoder ? prompt : 0;
  const double context = subject.facts.encoder_decoder ? grown : prompt + grown;
  const double cached = context * work.cache_numbers + source * work.source_numbers;
  return limit_of({static_cast<double>(one.batch),
                   form.bytes * work.step_weights + rows * cached * form.cached_bytes,
                   rows * 2 * work.step_weights, rows * 4 * work.layers_width * (context + source)},
                  roofs, form);
}

Limit prompt_limit(const Subject& subject, const BenchCase& one, const Roofs& roofs) {
  const ModelWork& work = subject.work;
  const auto rows = static_cast<double>(one.batch), length = static_cast<double>(one.prompt);
  const double seen = subject.facts.encoder_decoder ? length : (length + 1) / 2;
  const double last = subject.facts.encoder_decoder ? work.step_weights : work.head_weights;
  const Form& form = form_named(one.form);
  return limit_of({rows * length, form.bytes * (work.prompt_weights + work.head_weights),
                   rows * 2 * (length * work.prompt_weights + last),
                   rows * length * 4 * work.layers_width * seen},
                  roofs, form);
}

/// What weights and cache take, in bytes.
double weights_and_cache(const Subject& subject, const BenchCase& one) {
  const auto tokens = static_cast<double>(one.batch * (one.prompt + one.beams * one.new_tokens));
  const Form& form = form_named(one.form);
  return form.bytes * static_cast<double>(subject.parameters) +
         form.cached_bytes * tokens * subject.work.cache_numbers;
}

Json measure(BenchCase one) {
  one.started = bench_clock();
  const ChildResult child =
      run_child({own_program(), "--quiet", "bench", "generate", "--case", dump_json(one.to_json())},
                own_waiting());
  require(child.status == 0, ErrorCode::kInternal, "measuring ", one.form, ", batch ", one.batch,
          ", prompt ", one.prompt, " ended with status ", child.status);
  return parse_json(child.out, "the measuring process");
}

}  // namespace

std::vector<std::string> bench_shapes() {
  std::vector<std::string> names;
  for (const auto& [name, config] : shapes()) names.push_back(name);
  return names;
}

std::vector<std::string> bench_forms() {
  std::vector<std::string> names;
  for (const Form& form : kForms) names.emplace_back(form.name);
  return names;
}

Json bench_generate_case(const std::string& bench_case) {
  end_with_parent();
  return run_bench_case(BenchCase::from_json(parse_json(bench_case, "--case")));
}

BenchReport bench_generate(const BenchOptions& options,
                           const std::function<void(const std::string&)>& progress) {
  check(options);
  const Compute compute =
      assemble_compute(options.device, "fp32", options.threads, Purpose::kAnswers);
  require(compute.device.is_cpu(), ErrorCode::kUsage,
          "the roofs of bench generate are those of CPUs: use --device cpu");
  Subject subject;
  subject.name = options.shape.empty() ? options.model : options.shape;
  progress("making the model");
  options.shape.empty() ? find_model(subject, options) : make_shape(subject, options);
  check_positions(options, subject);

  progress("measuring the roofs");
  const Roofs before = measure_roofs(options.roof_seconds);
  struct Measured {
    const char* what;
    BenchCase one;
    Json result;
  };
  std::vector<Measured> measured;
  const auto add = [&](const char* what, const BenchCase& one) {
    progress(concat(what, ", ", one.form, ", batch ", one.batch, ", prompt ", one.prompt));
    measured.push_back({what, one, measure(one)});
  };
  for (const std::string& form : options.forms) {
    BenchCase one;
    one.directory = subject.directories.at(form).string();
    one.form = form;
    one.threads = compute.threads;
    one.repetitions = 1;
    one.new_tokens = 1;
    for (std::int64_t i = 0; i < options.repetitions; ++i) add("start", one);
    one.repetitions = options.repetitions;
    if (options.prefill > 0) {
      one.prompt = options.prefill;
      add("prefill", one);
    }
    one.new_tokens = options.new_tokens;
    for (const std::int64_t prompt : options.prompts) {
      for (const std::int64_t batch : options.batches) {
        one.prompt = prompt;
        one.batch = batch;
        one.sampling = true;
        add("decode", one);
        if (!subject.facts.encoder_decoder || options.beams == 1) continue;
        BenchCase search = one;
        search.sampling = false;
        search.beams = options.beams;
        add("beam", search);
      }
    }
  }
  progress("measuring the roofs again");
  const Roofs after = measure_roofs(options.roof_seconds), roofs = best_of(before, after);

  BenchReport report;
  report.columns = {"",      "weights",  "batch",       "prompt",   "tokens/s",      "roof",
                    "of it", "sampling", "first token", "peak MiB", "weights, cache"};
  Json cases = Json::array();
  for (std::size_t i = 0; i < measured.size(); ++i) {
    const auto& [what, one, result] = measured[i];
    const std::string_view kind = what;
    Json json = {{"what", what},
                 {"form", one.form},
                 {"batch", one.batch},
                 {"prompt", one.prompt},
                 {"new_tokens", one.new_tokens},
                 {"beams", one.beams}};
    const double peak = result.at("peak_bytes"), least = weights_and_cache(subject, one);
    std::vector<std::string> row = {std::string(kind), one.form, concat(one.batch),
                                    concat(one.prompt)};
    if (kind == "start") {
      // The quickest of the same starts stands for them.
      const bool same = !cases.empty() && cases.back().at("what") == "start" &&
                        cases.back().at("form") == one.form;
      const double seconds = result.at("first_token_s");
      if (same && cases.back().at("first_token_s").get<double>() <= seconds) continue;
      if (same) {
        cases.erase(cases.size() - 1);
        report.rows.pop_back();
      }
      json["first_token_s"] = seconds;
      row.insert(row.end(), {"", "", "", "", format_number(seconds, 3) + " s"});
    } else {
      const bool prompts = kind == "prefill";
      const Limit limit =
          prompts ? prompt_limit(subject, one, roofs) : decoding_limit(subject, one, roofs);
      const double rate = result.at(prompts ? "prompt_tokens_s" : "tokens_s");
      json["tokens_s"] = rate;
      json["roof_tokens_s"] = limit.rate;
      json["roof"] = limit.roof;
      json["fraction"] = rate / limit.rate;
      row.insert(row.end(),
                 {format_number(rate, 1), concat(format_number(limit.rate, 1), " ", limit.roof),
                  format_number(rate / limit.rate)});
      if (!result.at("sampled_tokens_s").is_null()) {
        const double share = result.at("sampled_tokens_s").get<double>() / rate;
        json["sampling_to_greedy"] = share;
        row.push_back(format_number(share));
      } else {
        row.emplace_back();
      }
      row.emplace_back();
    }
    json["peak_mib"] = peak / 0x1p20;
    json["weights_and_cache_mib"] = least / 0x1p20;
    row.insert(row.end(), {format_number(peak / 0x1p20, 0), format_number(least / 0x1p20, 0)});
    cases.push_back(std::move(json));
    report.rows.push_back(std::move(row));
  }
  report.json = {
      {"model", subject.name},
      {"model_type", subject.facts.model_type},
      {"parameters", subject.parameters},
      {"cpu", cpu_features().model},
      {"threads", compute.threads},
      {"roofs",
       {{"before", before.to_json()}, {"after", after.to_json()}, {"drift", drift(before, after)}}},
      {"cases", cases}};
  const auto rates = [](double a, double b, const char* unit) {
    return concat(format_number(a / 1e9, 1), " and ", format_number(b / 1e9, 1), " ", unit);
  };
  report.facts = {{"model", concat(subject.name, ", ", subject.facts.model_type, ", ",
                                   format_number(static_cast<double>(subject.parameters) / 1e6, 1),
                                   " M parameters")},
                  {"machine", concat(cpu_features().model, ", ", compute.threads, " threads")},
                  {"read roof", rates(before.read, after.read, "GB/s before and after")},
                  {"fp32 roof", rates(before.fp32, after.fp32, "GFLOP/s")}};
  if (before.bf16 && after.bf16) {
    report.facts.emplace_back("bf16 roof", rates(*before.bf16, *after.bf16, "GFLOP/s"));
  }
  if (before.int8 && after.int8) {
    report.facts.emplace_back("int8 roof", rates(*before.int8, *after.int8, "GOP/s"));
  }
  report.facts.emplace_back("drift", concat(format_number(100 * drift(before, after), 0), " %"));
  return report;
}

}  // namespace llmctl
