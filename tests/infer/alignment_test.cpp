// Alignments of what an encoder-decoder writes against attention maps computed by hand.
#include "infer/alignment.h"

#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "infer/engine.h"
#include "models/tiny_models.h"

namespace llmctl::test {
namespace {

using Ids = std::vector<TokenId>;

at::Tensor row(const Ids& ids) {
  return at::tensor(std::vector<std::int64_t>(ids.begin(), ids.end()), at::kLong)
      .unsqueeze(0)
      .to(device());
}

Sequence sequence(const Ids& ids) {
  Sequence sequence;
  sequence.ids = row(ids);
  return sequence;
}

/// The mean over heads of the cross-attention [T, S] of the decoder's layer `layer` (from 0) over
/// the whole of source and text.
std::vector<std::vector<double>> attention(Model& model, const Ids& source, const Ids& text,
                                           std::int64_t layer) {
  const c10::AutoGradMode no_grad(false);
  std::map<std::string, at::Tensor> maps;
  const Tap tap = [&](const std::string& name, const at::Tensor& value) { maps[name] = value; };
  Context context;
  const Memory memory{model.encode(sequence(source), context), {}};
  context.memory = &memory;
  context.tap = &tap;
  model.hidden(sequence(text), context);
  const at::Tensor map = maps.at(concat("cross_attentions.", layer)).cpu().contiguous();
  const float* value = map.const_data_ptr<float>();
  std::vector<std::vector<double>> means(text.size(), std::vector<double>(source.size()));
  for (std::int64_t h = 0; h < map.size(1); ++h)
    for (auto& row : means)
      for (double& mean : row) mean += *value++ / static_cast<double>(map.size(1));
  return means;
}

std::vector<std::int64_t> greatest(const std::vector<std::vector<double>>& rows, std::size_t first,
                                   std::size_t end) {
  std::vector<std::int64_t> places;
  for (const auto& row : rows) {
    const auto begin = row.begin() + static_cast<std::ptrdiff_t>(first);
    places.push_back(std::max_element(begin, row.begin() + static_cast<std::ptrdiff_t>(end)) -
                     begin);
  }
  return places;
}

class Alignment : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Model> model =
      create(tiny_section(GetParam()), {.head = HeadKind::kSeq2SeqLm, .labels = {}});
  const Ids source = {5, 17, 9, 30, 12, 2};

  GenerationRequest request(std::int64_t beams) const {
    GenerationRequest request;
    request.source = source;
    request.prompt = {3, 8};
    request.options.max_new_tokens = 9;
    request.options.beams.num_beams = beams;
    request.samples = beams;
    return request;
  }
};

TEST_P(Alignment, IsTheGreatestAttentionOfEachToken) {
  for (const std::int64_t beams : {1, 3}) {
    for (const std::int64_t layer : {-1, 1}) {
      GenerationRequest wanted = request(beams);
      wanted.alignment = AlignmentOptions{layer, 1, 1};
      // Another request beside it changes nothing.
      GenerationRequest other = request(beams);
      other.source = {7, 8, 9, 2};
      const auto answers = generate_tokens(*model, {wanted, other}, EngineOptions(), Context());
      ASSERT_EQ(std::ssize(answers[0]), beams);
      for (const GeneratedTokens& answer : answers[0]) {
        Ids text = wanted.prompt;
        text.insert(text.end(), answer.ids.begin(), answer.ids.end());
        const Ids read(text.begin(), text.end() - 1);
        const auto maps = attention(*model, source, read, layer == 1 ? 0 : 1);
        EXPECT_EQ(answer.alignment, greatest(maps, 1, source.size() - 1));
        EXPECT_EQ(answer.alignment.size(), text.size() - 1);
      }
      EXPECT_TRUE(answers[1][0].alignment.empty());
    }
  }
}

TEST_P(Alignment, CountsSpecialTokensWhereThereAreNoOthers) {
  const AlignmentOptions options{-1, 1, 1};
  EXPECT_EQ(own_tokens(source, options).size(), 4u);
  const Ids empty = {4, 2};
  EXPECT_EQ(own_tokens(empty, options).size(), 2u);
  const Ids text = {3, 8, 11};
  const c10::AutoGradMode no_grad(false);
  EXPECT_EQ(align(*model, empty, text, options, Context()),
            greatest(attention(*model, empty, {3, 8}, 1), 0, 2));
}

TEST_P(Alignment, RefusesLayersThatAreNotThere) {
  EXPECT_EQ(alignment_layer({-2}, 2), 0);
  EXPECT_EQ(alignment_layer({2}, 2), 1);
  for (const std::int64_t layer : {0, 3, -3}) {
    expect_error(ErrorCode::kConfig,
                 {"generation.alignment_layer", std::to_string(layer), "1 to 2"},
                 [&] { alignment_layer({layer}, 2); });
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Alignment, ::testing::Values("marian", "t5"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace llmctl::test
