// Files as tasks take them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tasks/task.h"

namespace llmctl::test {

/// Files that are scored whole, in rows of at most `length` tokens.
inline TaskData scored(const std::vector<std::filesystem::path>& files, std::int64_t length = 512) {
  TaskData data;
  data.valid = files;
  data.sequence_length = length;
  return data;
}

/// What a run with this share holds out of its training files.
inline TaskData held_out_of(const std::vector<std::filesystem::path>& files, HeldOutShare share,
                            std::int64_t length = 512) {
  TaskData data;
  data.train = {{files, 1.0}};
  data.held_out = share;
  data.sequence_length = length;
  return data;
}

/// The records that a task's responder gives for some inputs.
inline std::vector<Json> answers_of(const Task& task, Model& model, const std::vector<Json>& inputs,
                                    const AnswerOptions& options = {}) {
  std::vector<AnswerInput> list;
  for (const Json& input : inputs)
    list.push_back({input, "input " + std::to_string(list.size() + 1)});
  std::vector<Json> records;
  for (const auto& answer : task.responder(model, options)->answer(list, 0, {}))
    records.push_back(answer->record());
  return records;
}

}  // namespace llmctl::test
