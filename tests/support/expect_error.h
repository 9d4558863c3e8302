// Errors as tests state them: the code and what the message must say.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace llmctl::test {

/// Runs `action`, which must throw an Error of `code` whose message is one line with each of
/// `parts` in it.
template <class Action>
void expect_error(ErrorCode code, const std::vector<std::string>& parts, Action&& action) {
  try {
    std::forward<Action>(action)();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string& part : parts) {
      EXPECT_NE(message.find(part), std::string::npos)
          << "\"" << part << "\" is not in: " << message;
    }
    return;
  }
  ADD_FAILURE() << "no Error was thrown";
}

}  // namespace llmctl::test
