// Encoder-decoders with embeddings of their own for either language, against transformers.
#include <gtest/gtest.h>

#include "models/golden_case.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace llmctl::test {
namespace {

class SeparateEmbeddings : public ::testing::TestWithParam<std::string> {
 protected:
  std::filesystem::path directory =
      source_dir() / "tests" / "parity" / "separate_embeddings" / GetParam();
};

TEST_P(SeparateEmbeddings, LogitsLossAndGradientsAreThoseOfTransformers) {
  GoldenCase test(directory);
  EXPECT_EQ(test.model().facts().architecture, "MarianMTModel");
  EXPECT_EQ(test.model().facts().vocab_size, 23);
  EXPECT_EQ(test.model().facts().source_vocab_size(), 31);
  const at::Tensor hidden = test.hidden();
  const at::Tensor wanted = test.golden()["logits"], real = test.real().unsqueeze(2);
  const at::Tensor logits = test.model().head(hidden.reshape({-1, hidden.size(-1)}), {});
  expect_close(logits.to(at::kCPU).view(wanted.sizes()) * real, wanted * real, tolerance(wanted),
               "logits");
  const at::Tensor loss = test.loss(hidden);
  expect_close(loss.reshape({1}), test.golden()["loss"], 1e-5, "loss");
  loss.backward();
  int compared = 0;
  for (const auto& [name, parameter] : test.model().parameters()) {
    if (!test.golden().has("grad." + name)) continue;
    const at::Tensor gradient = test.golden()["grad." + name];
    expect_close(parameter.grad(), gradient, 1e-4 * largest(gradient), name);
    ++compared;
  }
  EXPECT_EQ(compared, GetParam() == "tied" ? 2 : 3);
}

TEST_P(SeparateEmbeddings, AreWrittenAsTheyWereRead) {
  const auto model = load_model(directory, {});
  const TempDir copy;
  model->save(copy.path());
  const Golden theirs(directory / "model.safetensors"), ours(copy / "model.safetensors");
  EXPECT_EQ(ours.file().tensors().size(), theirs.file().tensors().size());
  for (const auto& [name, info] : theirs.file().tensors())
    expect_close(ours[name], theirs[name], 0, name);
  EXPECT_EQ(load_json(copy / "config.json")["decoder_vocab_size"], 23);
}

INSTANTIATE_TEST_SUITE_P(Output, SeparateEmbeddings, ::testing::Values("tied", "untied"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace llmctl::test
