// Greedy texts of Hugging Face's generate().
#include <gtest/gtest.h>

#include "infer/golden_ids.h"
#include "models/tensor_file.h"
#include "prompt/generate.h"
#include "support/device.h"
#include "support/parity_dir.h"

namespace llmctl::test {
namespace {

void expect_greedy_texts(const std::filesystem::path& directory, const SafetensorsFile& expected) {
  auto model = load_model(directory, {});
  model->to(at::Device(test_device()));
  const GenerationSettings settings = resolve_generation(
      GenerationSources{directory, model->config(), model->facts().encoder_decoder, {}},
      {{"max_new_tokens", 24}});
  std::vector<GenerationRequest> requests;
  std::vector<std::vector<TokenId>> texts;
  for (int p = 0; expected.contains(concat("greedy.", p, ".ids")); ++p) {
    EncodedPrompt prompt;
    prompt.ids = ids_of(expected, concat("greedy.", p, ".prompt"));
    requests.push_back(make_request(model->facts(), prompt, settings));
    texts.push_back(ids_of(expected, concat("greedy.", p, ".ids")));
  }
  ASSERT_GE(texts.size(), 3u);
  for (const bool static_shapes : {false, true}) {
    EngineOptions options;
    options.static_shapes = static_shapes;
    const auto results = generate_tokens(*model, requests, options, Context());
    for (std::size_t p = 0; p < texts.size(); ++p) {
      std::vector<TokenId> text = texts[p];  // its stop token included
      if (results[p][0].reason == FinishReason::kStop) text.pop_back();
      EXPECT_EQ(results[p][0].ids, text) << "prompt " << p << ", static shapes " << static_shapes;
    }
  }
}

/// Every golden model that generates: the greedy ids of three prompts.
TEST(EngineParity, GreedyTextsOfGoldenModels) {
  LLMCTL_NEEDS_PARITY("models");
  int cases = 0;
  for (const auto& directory : parity_cases("models")) {
    const SafetensorsFile expected(directory / "expected.safetensors");
    if (!expected.contains("greedy.0.ids")) continue;
    SCOPED_TRACE(directory.filename().string());
    expect_greedy_texts(directory, expected);
    ++cases;
  }
  EXPECT_GT(cases, 0);
}

}  // namespace
}  // namespace llmctl::test
