// Throwing the public Error with a message put together from parts.
#pragma once

#include <sstream>
#include <string>

#include "llmctl/error.h"

namespace llmctl {

namespace detail {
/// A path is written as it is, where the stream would put it in quotes.
template <class Part>
void put(std::ostringstream& out, const Part& part) {
  if constexpr (requires { part.lexically_normal(); }) {
    out << part.native();
  } else {
    out << part;
  }
}
}  // namespace detail

/// The parts, streamed one after the other: `concat("step ", 3)` is "step 3"; paths unquoted.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (detail::put(out, parts), ...);
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
