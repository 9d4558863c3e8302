// What tests of rows with adapters share: loading on the tests' device, answering, comparing.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <vector>

#include "infer/engine.h"
#include "models/adapters.h"
#include "support/device.h"

namespace llmctl::test {

using Answers = std::vector<std::vector<GeneratedTokens>>;

inline std::unique_ptr<Model> load_on_test_device(const std::filesystem::path& directory) {
  auto model = load_model(directory, {});
  model->to(at::Device(test_device()));
  return model;
}

inline Answers answer(Model& model, const std::vector<GenerationRequest>& requests) {
  return generate_tokens(model, requests, {}, Context());
}

inline void expect_same(const GeneratedTokens& got, const GeneratedTokens& wanted) {
  EXPECT_EQ(got.ids, wanted.ids);
  EXPECT_EQ(got.alignment, wanted.alignment);
  ASSERT_EQ(got.logprobs.size(), wanted.logprobs.size());
  for (std::size_t t = 0; t < got.logprobs.size(); ++t)
    EXPECT_NEAR(got.logprobs[t], wanted.logprobs[t], 2e-4);
}

}  // namespace llmctl::test
