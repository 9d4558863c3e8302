// One measurement of generation, made in a process of its own, whose memory and start are part of
// it.
#pragma once

#include <cstdint>
#include <string>

#include "config/json.h"

namespace llmctl {

/// What is measured, as the measuring process is told.
struct BenchCase {
  std::string directory;  ///< a model's
  std::string device = "cpu";
  std::string form = "fp32";  ///< of the weights: bench_forms()
  std::int64_t threads = 0;
  std::int64_t batch = 1;
  std::int64_t prompt = 16;      ///< tokens of each prompt; of encoder-decoders, of the source
  std::int64_t new_tokens = 96;  ///< 1: the prompt's processing alone
  std::int64_t beams = 1;        ///< more than 1: beam search
  bool sampling = false;         ///< top-k and top-p, too, alternating with greedy
  std::int64_t repetitions = 3;
  double started = 0;  ///< now() of who starts the process, for the time to the first token

  Json to_json() const;
  static BenchCase from_json(const Json& json);
};

/// Seconds of a clock that all processes share.
double bench_clock();

/// Of a form's name: no integers.
bool is_dense_form(const std::string& form);

/// In the measuring process: loads the model, generates, and reports
///   first_token_s          from `started` to the first token of the first generation
///   prompt_tokens_s        prompts' tokens over the time to the last row's first token, the best
///   tokens_s, sampled_tokens_s   new tokens after every row's first one over their time, the best;
///                          of beam search all tokens over the whole time
///   peak_bytes             of the process's resident memory
/// Members that the case has not are null.
Json run_bench_case(const BenchCase& bench_case);

/// Multiplications and numbers that generation needs, from the shapes of a model's parameters.
struct ModelWork {
  double prompt_weights = 0;  ///< that each prompt token meets; of encoder-decoders the encoder's
  double step_weights = 0;    ///< that each new token meets, the head's among them
  double head_weights = 0;
  double cache_numbers = 0;   ///< keys and values of a token
  double source_numbers = 0;  ///< of an encoder-decoder: of a source token
  double layers_width = 0;    ///< layers · heads · head size: 4 of it are a key's operations
};
class Model;
ModelWork count_work(const Model& model);

}  // namespace llmctl
