#include "tasks/answer.h"

#include <cstdio>

#include "base/error.h"

namespace llmctl {

void AnswerInput::fail(const std::string& message) const {
  llmctl::fail(ErrorCode::kData, place, ": ", message);
}

std::string format_percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%5.1f %%", 100 * share);
  return text;
}

}  // namespace llmctl
