// Whether the validations of two parts of a run score the same.
#pragma once

#include <string>

#include "config/fields.h"
#include "tasks/task.h"

namespace llmctl {

/// Of what is held out and how it is scored: the content of the files that the task reads for
/// data.valid, wherever they are, and the keys of its section that may change in a run. Scores of
/// two validations compare where this is the same. kMissing, kIo.
std::string validation_fingerprint(const TaskData& data, const Task& task,
                                   const ConfigNode& section);

}  // namespace llmctl
