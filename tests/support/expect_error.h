// Errors as tests state them: the code and what the message must say.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace llmctl::test {

/// The Error that `action` must throw.
template <class Action>
Error error_of(Action&& action) {
  try {
    std::forward<Action>(action)();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no Error was thrown";
  return {ErrorCode::kUsage, ""};
}

/// Runs `action`, which must throw an Error of `code` whose message is one line, without a trailing
/// stop, that matches (a string: equals).
template <class Matcher, class Action>
void expect_error(ErrorCode code, const Matcher& matcher, Action&& action) {
  const Error error = error_of(std::forward<Action>(action));
  const std::string message = error.what();
  EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  EXPECT_FALSE(message.ends_with('.')) << message;
  EXPECT_THAT(message, matcher);
}

/// The same for a message with each of `parts` in it.
template <class Action>
void expect_error(ErrorCode code, const std::vector<std::string>& parts, Action&& action) {
  std::vector<testing::Matcher<std::string>> all;
  for (const std::string& part : parts) all.push_back(testing::HasSubstr(part));
  expect_error(code, testing::AllOfArray(all), std::forward<Action>(action));
}

}  // namespace llmctl::test
