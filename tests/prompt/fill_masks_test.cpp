#include "prompt/fill_masks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/log.h"
#include "scripted_model.h"
#include "support/temp_dir.h"
#include "text/train.h"

namespace llmctl::test {
namespace {

using ::testing::HasSubstr;

constexpr TokenId kMaskId = 260;

class Fill : public ::testing::Test {
 protected:
  Fill() {
    model.after(kMaskId, 'x', 5);
    model.after(kMaskId, 'y', 4);
    model.after(kMaskId, 257, 9);  // [UNK] is no word
    model.after(kMaskId, ' ', 3);
    model.after(kMaskId, 0xe8, 2);
  }
  std::string error_of(const std::vector<std::string>& texts) {
    try {
      fill_masks(model, tokenizer, texts, {3, 2, Context()});
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData);
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return "";
  }
  ScriptedModel model{ByteTokenizer::Kind::kMasked};
  std::shared_ptr<const Tokenizer> tokenizer =
      std::make_shared<ByteTokenizer>(ByteTokenizer::Kind::kMasked);
};

TEST_F(Fill, GivesTheBestWordsWithTheirProbabilities) {
  const auto results = fill_masks(model, tokenizer, {"a [MASK] b"}, {4, 8, Context()});
  ASSERT_EQ(results[0].choices.size(), 1u);
  const auto& choices = results[0].choices[0];
  ASSERT_EQ(choices.size(), 4u);
  EXPECT_EQ(choices[0].word, "x");
  EXPECT_EQ(choices[0].id, 'x');
  EXPECT_EQ(choices[1].word, "y");
  const double total =
      std::exp(5.0) + std::exp(4.0) + std::exp(9.0) + std::exp(3.0) + std::exp(2.0) + (261 - 5);
  EXPECT_NEAR(choices[0].probability, std::exp(5.0) / total, 1e-6);
  EXPECT_NEAR(choices[1].probability, std::exp(4.0) / total, 1e-6);
  // The space before a mask belongs to its word.
  EXPECT_EQ(results[0].filled, "ax b");
  EXPECT_EQ(model.inputs[0].ids[0][0].item<std::int64_t>(), 258);
}

TEST_F(Fill, FillsSeveralMasksInTextsOfSeveralLengths) {
  const auto results =
      fill_masks(model, tokenizer, {"[MASK]", "long text [MASK][MASK] and its end", "b[MASK]"},
                 {1, 2, Context()});
  EXPECT_EQ(results[0].filled, "x");
  EXPECT_EQ(results[1].filled, "long textxx and its end");
  EXPECT_EQ(results[1].choices.size(), 2u);
  EXPECT_EQ(results[2].filled, "bx");
  ASSERT_EQ(model.inputs.size(), 2u);
  // Right padding is no document.
  const at::Tensor documents = model.inputs[0].documents;
  EXPECT_EQ(documents[0].min().item<std::int64_t>(), 0);
  EXPECT_EQ(documents[1][-1].item<std::int64_t>(), -1);
}

TEST_F(Fill, TakesNoMoreWordsThanThereAre) {
  const auto results = fill_masks(model, tokenizer, {"[MASK]"}, {1000, 2, Context()});
  EXPECT_EQ(results[0].choices[0].size(), 256u);
}

TEST_F(Fill, RefusesWhatItCannotFill) {
  EXPECT_THAT(error_of({"[MASK]", "none"}), HasSubstr("text 2: no mask"));
  EXPECT_THAT(error_of({"a\xff[MASK]"}), HasSubstr("text 1: byte 1"));
  model.facts().max_positions = 5;
  EXPECT_THAT(error_of({"[MASK]", "abc[MASK]"}),
              HasSubstr("text 2: the text has 6 tokens, the model takes 5"));
  ScriptedModel causal;
  EXPECT_THROW(fill_masks(causal, tokenizer, {"[MASK]"}, {1, 1, Context()}), Error);
  tokenizer = std::make_shared<ByteTokenizer>(ByteTokenizer::Kind::kPlain);
  EXPECT_THAT(error_of({"[MASK]"}), HasSubstr("no mask token"));
}

/// What stands around a mask is encoded as in a text without one, as the model was trained.
TEST(FillWithSentencePiece, EncodesTheTextAroundAMaskAsItWasTrained) {
  set_log_level(LogLevel::kOff);
  for (const char* type : {"bpe", "unigram"}) {
    SCOPED_TRACE(type);
    const TempDir dir;
    TokenizerTrainConfig config;
    config.recipe = "masked";
    config.model_type = type;
    config.vocab_size = 400;
    config.hard_vocab_limit = false;
    train_tokenizer(
        config,
        [](const std::function<bool(std::string_view)>& document) {
          for (int i = 0; i < 20; ++i) {
            document("the cat sat on the mat and the dog sat by the door");
            document("我今天去了公园，看到了很多美丽的花朵。");
          }
        },
        dir / "tokenizer");
    const auto tokenizer = load_tokenizer(dir / "tokenizer");
    const TokenId mask = *tokenizer->special().mask;
    class Watched : public FakeModel {
     public:
      using FakeModel::FakeModel;
      at::Tensor hidden(const Sequence& input, const Context& context) override {
        ids = input.ids.clone();
        return FakeModel::hidden(input, context);
      }
      at::Tensor ids;
    } model(tokenizer->vocab_size(), HeadKind::kMaskedLm);
    const auto expect = [&](const std::string& masked, const std::string& whole,
                            const std::string& word) {
      SCOPED_TRACE(masked);
      std::vector<TokenId> expected = tokenizer->with_special(tokenizer->encode(whole));
      const std::vector<TokenId> own = tokenizer->encode(word);
      // The word's tokens in the whole text become one mask.
      std::vector<TokenId> bare(own.begin(), own.end());
      auto at = std::search(expected.begin(), expected.end(), bare.begin(), bare.end());
      if (at == expected.end()) {  // within a Chinese sentence there is no space before it
        bare.erase(bare.begin());
        at = std::search(expected.begin(), expected.end(), bare.begin(), bare.end());
      }
      ASSERT_NE(at, expected.end());
      *at = mask;
      expected.erase(at + 1, at + std::ssize(bare));
      fill_masks(model, tokenizer, {masked}, {1, 1, Context()});
      std::vector<TokenId> ids;
      for (std::int64_t i = 0; i < model.ids.size(1); ++i) {
        ids.push_back(static_cast<TokenId>(model.ids[0][i].item<std::int64_t>()));
      }
      EXPECT_EQ(ids, expected);
    };
    expect("the cat [MASK] on the mat", "the cat sat on the mat", "sat");
    expect("[MASK] cat sat", "the cat sat", "the");
    expect("我[MASK]去了公园", "我今天去了公园", "今天");
    expect("看到了很多美丽的[MASK]。", "看到了很多美丽的花朵。", "花朵");
  }
}

}  // namespace
}  // namespace llmctl::test
