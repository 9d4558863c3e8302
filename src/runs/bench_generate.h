// `bench generate`: how fast and in how much memory a model generates, beside what the machine's
// memory and arithmetic allow.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "config/json.h"

namespace llmctl {

/// What `bench generate` is told. Exactly one of shape and model.
struct BenchOptions {
  std::string shape;  ///< one of bench_shapes(), with random weights
  std::string model;  ///< as -m
  std::vector<std::string> forms = {"fp32", "bf16", "int8"};
  std::vector<std::int64_t> batches = {1, 8, 32};
  std::vector<std::int64_t> prompts = {16};  ///< tokens before the new ones
  std::int64_t new_tokens = 96;
  std::int64_t prefill = 512;  ///< tokens of the prompt whose processing is measured; 0: none
  std::int64_t beams = 4;      ///< of encoder-decoders, a beam search, too; 1: none
  std::int64_t repetitions = 3;
  double roof_seconds = 0.4;  ///< for each roof, before and after
  std::string device = "auto";
  std::int64_t threads = 0;
};

std::vector<std::string> bench_shapes();
std::vector<std::string> bench_forms();  ///< of the weights

struct BenchReport {
  Json json;
  std::vector<std::pair<std::string, std::string>> facts;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

/// Each case runs in a process of its own, so that its start and its memory are its own; the roofs
/// are measured before and after all of them. `progress` gets a line before each case. kUsage,
/// kMissing, kData; kInternal when a case fails.
BenchReport bench_generate(const BenchOptions& options,
                           const std::function<void(const std::string&)>& progress);

/// What the processes that it starts do: `bench_case` as JSON, the result printed as JSON.
Json bench_generate_case(const std::string& bench_case);

}  // namespace llmctl
