// A training's task with its tokenizer and data, before there is a model.
#pragma once

#include <memory>
#include <string>

#include "runs/sections.h"
#include "tasks/task.h"

namespace llmctl {

struct AssembledTask {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<Task> task;
  TaskData data;  ///< found, not read
  HeadKind head;
  bool raw_text;
};

/// What the sections say to `command` (pretrain, finetune). kConfig, kMissing.
AssembledTask assemble_task(const ConfigNode& root, const TrainingConfig& config,
                            const std::string& command);

}  // namespace llmctl
