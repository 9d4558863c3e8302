// A file of inputs answered into a JSONL file, in order, going on after an interruption.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/terminal.h"
#include "config/json.h"

namespace llmctl {

/// Answers of inputs[first], inputs[first + 1], …: one object each. The progress is at `first`.
using AnswerInputs =
    std::function<std::vector<Json>(std::size_t first, std::span<const Json>, Progress&)>;

struct BatchFileOutcome {
  std::size_t done = 0;     ///< of the inputs, in all
  std::size_t resumed = 0;  ///< of these, by an earlier call
  int exit_status = 0;      ///< 130/143 when a signal ended the work; the next call goes on
};

/// Writes one line per input to `output`: what `answer` gives, `chunk` inputs at a time. Until it
/// is complete the file is called OUTPUT.partial; a further call goes on behind the last complete
/// chunk, so that the answers are those of an uninterrupted call. OUTPUT.partial.key says what the
/// lines belong to: the inputs, and `digest` for everything else that decides the answers (model,
/// tokenizer, settings); where that differs the call is refused (kCannotCreate). kIo (disk full)
/// keeps what is complete.
///
/// OUTPUT.key remembers the same of the finished file: the same job again finds it done, another
/// one, or any other file with content there, is refused (kCannotCreate) unless `overwrite`, which
/// begins anew. Standard output ("-"), devices and FIFOs get each chunk as it is there.
BatchFileOutcome answer_batch_file(const std::vector<Json>& inputs,
                                   const std::filesystem::path& output, const std::string& digest,
                                   std::size_t chunk, const AnswerInputs& answer,
                                   bool overwrite = false);

/// What answer_batch_file() would refuse before its first answer; writes nothing.
void check_batch_file(const std::vector<Json>& inputs, const std::filesystem::path& output,
                      const std::string& digest, std::size_t chunk, bool overwrite);

}  // namespace llmctl
