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

/// Gives the answer to each of inputs[first], inputs[first + 1], …, one object, by the input's
/// index among all, in any order, and moves the progress, which is at `first`.
using GiveLine = std::function<void(std::size_t index, Json line)>;
using AnswerInputs =
    std::function<void(std::size_t first, std::span<const Json>, Progress&, const GiveLine& give)>;

struct BatchFileOutcome {
  std::size_t done = 0;     ///< of the inputs, in all
  std::size_t resumed = 0;  ///< of these, by an earlier call
  int exit_status = 0;      ///< 130/143 when a signal ended the work; the next call goes on
};

/// Writes one line per input to `output`, in order: what `answer` gives, as soon as all before it
/// are there. Until it is complete the file is called OUTPUT.partial; a further call goes on behind
/// the last complete group of `group` inputs, which are answered together, so that the answers are
/// those of an uninterrupted call. OUTPUT.partial.key says what the
/// lines belong to: the inputs, and `digest` for everything else that decides the answers (model,
/// tokenizer, settings); where that differs the call is refused (kCannotCreate). kIo (disk full)
/// keeps what is complete.
///
/// OUTPUT.key remembers the same of the finished file: the same job again finds it done, another
/// one, or any other file with content there, is refused (kCannotCreate) unless `overwrite`, which
/// begins anew. Standard output ("-"), devices and FIFOs get each line as it is there.
BatchFileOutcome answer_batch_file(const std::vector<Json>& inputs,
                                   const std::filesystem::path& output, const std::string& digest,
                                   std::size_t group, const AnswerInputs& answer,
                                   bool overwrite = false);

/// What answer_batch_file() would refuse before its first answer; writes nothing.
void check_batch_file(const std::vector<Json>& inputs, const std::filesystem::path& output,
                      const std::string& digest, std::size_t group, bool overwrite);

}  // namespace llmctl
