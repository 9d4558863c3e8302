#include "models/tensor_layout.h"

#include <ATen/ops/arange.h>
#include <gtest/gtest.h>

namespace llmctl {
namespace {

using Shape = std::vector<std::int64_t>;

TEST(TensorLayout, OneTensorPerParameter) {
  const TensorRule rule{"a.weight", "body.a.weight"};
  EXPECT_EQ(rule.name(), "a.weight");
  EXPECT_EQ(file_shape(rule, {2, 3}), (Shape{2, 3}));
  const at::Tensor stored = at::arange(6).view({2, 3});
  EXPECT_TRUE(parameter_of_file(rule, stored).equal(stored));
  EXPECT_TRUE(tensor_of_file({rule}, {stored}, 0).equal(stored));
}

TEST(TensorLayout, PartsOfATransposedTensor) {
  // GPT-2's c_attn: [I, 3 O] in the file, three [O, I] here.
  std::vector<TensorRule> rules;
  for (int part = 0; part < 3; ++part) {
    rules.push_back({.file_name = "c_attn.weight",
                     .parameter = "p" + std::to_string(part),
                     .transposed = true,
                     .part = part,
                     .parts = 3});
  }
  EXPECT_EQ(rules[1].name(), "c_attn.weight.1");
  EXPECT_EQ(file_shape(rules[0], {2, 4}), (Shape{4, 6}));
  const at::Tensor stored = at::arange(24).view({4, 6});
  std::vector<at::Tensor> parameters;
  for (const auto& rule : rules) parameters.push_back(parameter_of_file(rule, stored));
  EXPECT_EQ(parameters[1].sizes(), (at::IntArrayRef{2, 4}));
  EXPECT_EQ(parameters[1][0][3].item<std::int64_t>(), stored[3][2].item<std::int64_t>());
  EXPECT_TRUE(tensor_of_file(rules, parameters, 0).equal(stored));
}

TEST(TensorLayout, PartsOfAVector) {
  const TensorRule rule{.file_name = "b", .parameter = "p", .part = 2, .parts = 3};
  EXPECT_EQ(file_shape(rule, {2}), (Shape{6}));
  EXPECT_TRUE(parameter_of_file(rule, at::arange(6)).equal(at::arange(4, 6)));
}

}  // namespace
}  // namespace llmctl
