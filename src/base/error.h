// Throwing the public Error with a message put together from parts.
#pragma once

#include <sstream>
#include <string>

#include "llmctl/error.h"

namespace llmctl {

/// The parts, streamed one after the other: `concat("step ", 3)` is "step 3".
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// Throws an Error of `code` with the concatenated parts as its message.
template <class... Parts>
[[noreturn]] void fail(ErrorCode code, const Parts&... parts) {
  throw Error(code, concat(parts...));
}

/// Throws an Error of `code` unless `condition` holds.
template <class... Parts>
void require(bool condition, ErrorCode code, const Parts&... parts) {
  if (!condition) fail(code, parts...);
}

}  // namespace llmctl
