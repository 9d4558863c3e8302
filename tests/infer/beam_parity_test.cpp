// Beam search of Hugging Face's generate(): ids and scores of the golden models, each text's logits
// by a full forward pass.
#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <map>

#include "infer/chooser_driver.h"
#include "models/inputs.h"
#include "models/tensor_file.h"
#include "prompt/generate.h"
#include "support/parity_dir.h"

namespace llmctl::test {
namespace {

std::vector<TokenId> ids_of(const SafetensorsFile& file, const std::string& name) {
  const auto bytes = file.bytes(name);
  const auto* values = reinterpret_cast<const std::int64_t*>(bytes.data());
  return {values, values + file.info(name).elements()};
}

/// What follows each text under the model, remembered from text to text.
class FullForward {
 public:
  FullForward(Model& model, const std::vector<TokenId>& source) : model_(model) {
    if (!model.facts().encoder_decoder) return;
    const Sequence input = sequence(source);
    memory_ = {model.encode(input, context_), input.documents};
    context_.memory = &memory_;
  }

  std::vector<float> operator()(const std::vector<TokenId>& text) {
    const auto [place, fresh] = known_.try_emplace(text);
    if (!fresh) return place->second;
    const at::Tensor hidden = model_.hidden(sequence(text), context_);
    const at::Tensor logits =
        model_.head(hidden.select(1, -1), context_).to(at::kFloat).contiguous();
    const float* values = logits.const_data_ptr<float>();
    return place->second = {values, values + logits.numel()};
  }

 private:
  Sequence sequence(const std::vector<TokenId>& ids) const {
    const auto size = std::ssize(ids);
    Sequence input;
    input.ids = at::tensor(at::ArrayRef<TokenId>(ids), at::kLong).reshape({1, size});
    input.positions = at::arange(size, at::kLong).reshape({1, size});
    input.documents = at::zeros({1, size}, at::kLong);
    return input;
  }

  const c10::AutoGradMode no_grad_{false};
  Model& model_;
  Context context_;
  Memory memory_;
  std::map<std::vector<TokenId>, std::vector<float>> known_;
};

void expect_beams(const std::filesystem::path& directory, const SafetensorsFile& expected) {
  const auto model = load_model(directory, {});
  const bool encoder_decoder = model->facts().encoder_decoder;
  const GenerationSettings settings = resolve_generation(
      {directory, model->config(), encoder_decoder, {}}, {{"max_new_tokens", 24}});
  const Json config = load_json(directory / "generation_config.json");
  int searches = 0;
  for (int p = 0; expected.contains(concat("beam.", p, ".lp1.0.es1.ids")); ++p) {
    EncodedPrompt prompt;
    prompt.ids = ids_of(expected, concat("greedy.", p, ".prompt"));
    GenerationRequest request = make_request(model->facts(), prompt, settings);
    FullForward forward(*model, request.source);
    for (const char* name : {"lp1.0.es0", "lp1.0.es1", "lp0.6.es0", "lp0.6.es1"}) {
      SCOPED_TRACE(concat("prompt ", p, ", ", name));
      const std::string key = concat("beam.", p, ".", name);
      const auto beams = static_cast<std::size_t>(expected.info(key + ".scores").elements());
      const std::vector<TokenId> ids = ids_of(expected, key + ".ids");
      const std::size_t length = ids.size() / beams;
      const auto* scores = reinterpret_cast<const float*>(expected.bytes(key + ".scores").data());
      request.samples = request.options.beams.num_beams = static_cast<std::int64_t>(beams);
      request.options.beams.length_penalty = std::string(name).starts_with("lp1.0") ? 1.0 : 0.6;
      request.options.beams.early_stopping =
          std::string(name).ends_with("es1") ? EarlyStopping::kYes : EarlyStopping::kNo;
      request.options.beams.renormalize_logits = config.value("renormalize_logits", false);
      const auto answers = drive(request, std::ref(forward));
      ASSERT_EQ(answers.size(), beams);
      for (std::size_t b = 0; b < beams; ++b) {
        std::vector<TokenId> text(ids.begin() + static_cast<std::ptrdiff_t>(b * length),
                                  ids.begin() + static_cast<std::ptrdiff_t>((b + 1) * length));
        if (answers[b].reason == FinishReason::kStop) {
          const auto& eos = request.options.eos_token_ids;
          const auto end = std::find_first_of(text.begin(), text.end(), eos.begin(), eos.end());
          ASSERT_NE(end, text.end());
          text.erase(end, text.end());
        }
        EXPECT_EQ(answers[b].ids, text) << "beam " << b;
        EXPECT_NEAR(*answers[b].score, scores[b], 2e-5) << "beam " << b;
      }
      ++searches;
    }
  }
  EXPECT_EQ(searches, 8);
}

TEST(BeamParity, TextsAndScoresOfGoldenModels) {
  LLMCTL_NEEDS_PARITY("models");
  int cases = 0;
  for (const auto& directory : parity_cases("models")) {
    const SafetensorsFile expected(directory / "expected.safetensors");
    if (!expected.contains("beam.0.lp1.0.es1.ids")) continue;
    SCOPED_TRACE(directory.filename().string());
    expect_beams(directory, expected);
    ++cases;
  }
  EXPECT_GT(cases, 0);
}

}  // namespace
}  // namespace llmctl::test
