#include "runs/starters.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "models/model.h"
#include "support/expect_error.h"
#include "tasks/task.h"

namespace llmctl {
namespace {

bool has(const std::vector<std::string>& kinds, const std::string& kind) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

TEST(Starters, ThereIsOneForEveryModelTypeAndTask) {
  for (const std::string& type : model_types()) {
    if (has(starter_kinds("pretrain"), type)) continue;
    // What has none cannot be trained, and says so.
    test::expect_error(ErrorCode::kUsage,
                       std::vector<std::string>{type, "encoder-decoders generate only"},
                       [&] { starter_config("pretrain", type); });
  }
  for (const TaskKind& task : task_kinds()) {
    EXPECT_TRUE(has(starter_kinds(task.raw_text ? "pretrain" : "finetune"), task.type))
        << task.type;
    EXPECT_TRUE(has(starter_kinds("eval"), task.type)) << task.type;
  }
}

}  // namespace
}  // namespace llmctl
