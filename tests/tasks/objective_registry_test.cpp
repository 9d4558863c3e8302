#include <gtest/gtest.h>

#include "base/error.h"
#include "support/expect_error.h"
#include "tasks/objective.h"
#include "tasks/objective_fixture.h"

namespace llmctl {
namespace {

using test::ByteTokenizer;
using test::expect_error;
using test::objective_of;

TEST(ObjectiveRegistry, EachTypeIsMadeAndDescribed) {
  EXPECT_EQ(objective_types(), (std::vector<std::string>{"causal_lm", "masked_lm"}));
  for (const std::string& type : objective_types()) {
    const auto objective =
        objective_of("{\"type\": \"" + type + "\"}", ByteTokenizer::Kind::kMasked);
    EXPECT_EQ(objective->head(), type == "causal_lm" ? HeadKind::kCausalLm : HeadKind::kMaskedLm);
    EXPECT_TRUE(objective_schema(type)["properties"].contains("type"));
  }
  EXPECT_TRUE(objective_schema("masked_lm")["properties"].contains("mask_probability"));
}

TEST(ObjectiveRegistry, WhatIsUnknownBringsASuggestion) {
  const auto refused = [](const std::string& section, const std::vector<std::string>& parts) {
    expect_error(ErrorCode::kConfig, parts,
                 [&] { objective_of(section, ByteTokenizer::Kind::kMasked); });
  };
  refused("{\"type\": \"casual_lm\"}",
          {"objective.type", "'casual_lm'", "did you mean 'causal_lm'", "run.json:1"});
  refused("{\"type\": \"masked_lm\", \"whole_words\": true}",
          {"whole_words", "did you mean 'whole_word'", "run.json:1"});
  refused("{\"type\": \"masked_lm\", \"mask_probability\": 2}", {"objective.mask_probability"});
  refused("{\"type\": 3}", {"objective.type", "string"});
  refused("{}", {"objective.type", "missing"});
  refused("[]", {"objective", "object"});
  expect_error(ErrorCode::kConfig, {"'mlm'"}, [] { objective_schema("mlm"); });
}

}  // namespace
}  // namespace llmctl
