// Whether the validations of two parts of a run score the same.
#pragma once

#include <string>

#include "config/fields.h"
#include "tasks/task_data.h"

namespace llmctl {

/// Of what is held out and how it is scored: the content of the files of data.valid, wherever they
/// are, and the keys of the task's section that may change in a run. Scores of two validations
/// compare where this is the same. kMissing, kIo.
std::string validation_fingerprint(const TaskData& data, const ConfigNode& task);

}  // namespace llmctl
