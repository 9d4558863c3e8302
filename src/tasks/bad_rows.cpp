#include "tasks/bad_rows.h"

#include <utility>

#include "base/log.h"

namespace llmctl {

void BadRows::add(const std::string& message) {
  if (count_++ < kListed) listed_.push_back(message);
}

void BadRows::settle() {
  const std::size_t count = std::exchange(count_, 0);
  const std::vector<std::string> listed = std::exchange(listed_, {});
  if (count == 0) return;
  if (count == 1 && !skip_)
    fail(ErrorCode::kData, listed.front(), "; --skip-bad leaves such rows out");
  const LogLevel level = skip_ ? LogLevel::kWarning : LogLevel::kError;
  for (const std::string& row : listed) log_message(level, row);
  if (count > listed.size())
    log_message(level, concat("… and ", count - listed.size(), " more bad rows"));
  if (skip_) {
    log_warning(count, count == 1 ? " bad row is" : " bad rows are", " left out");
    return;
  }
  fail(ErrorCode::kData, count, " bad rows, listed above, the first: ", listed.front(),
       "; correct them, or leave them out with --skip-bad (data.skip_bad)");
}

}  // namespace llmctl
