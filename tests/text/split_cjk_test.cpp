// Training with one piece per Chinese character (TokenizerTrainConfig::split_cjk).
#include <gtest/gtest.h>

#include <algorithm>

#include "base/utf8.h"
#include "support/temp_dir.h"
#include "text/tokenizer.h"
#include "text/train.h"

namespace llmctl {
namespace {

std::shared_ptr<const Tokenizer> train(const std::string& recipe, std::optional<bool> split_cjk,
                                       const std::filesystem::path& directory) {
  TokenizerTrainConfig config;
  config.recipe = recipe;
  config.split_cjk = split_cjk;
  config.vocab_size = 360;
  config.hard_vocab_limit = false;
  train_tokenizer(
      config,
      [](const std::function<bool(std::string_view)>& document) {
        for (int i = 0; i < 40; ++i)
          document("公园里有很多花朵。We walk in the park，公园很美丽。");
      },
      directory);
  return load_tokenizer(directory);
}

/// Pieces that hold a Chinese character and something else.
int mixed_pieces(const Tokenizer& tokenizer) {
  int count = 0;
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    const auto points = code_points(tokenizer.piece(id));
    if (points.size() > 1 && std::any_of(points.begin(), points.end(), is_cjk)) ++count;
  }
  return count;
}

TEST(SplitCjk, MaskedRecipeKeepsCharactersApart) {
  const test::TempDir directory;
  const auto tokenizer = train("masked", std::nullopt, directory / "a");
  EXPECT_EQ(mixed_pieces(*tokenizer), 0);
  const Encoding encoding = tokenizer->encode_with_offsets("公园 park");
  EXPECT_EQ(encoding.offsets[encoding.offsets.size() - 3], (ByteSpan{0, 3}));
  EXPECT_EQ(encoding.offsets[encoding.offsets.size() - 2], (ByteSpan{3, 6}));
  EXPECT_TRUE(tokenizer->find("▁park").has_value()) << "other words stay whole";
}

TEST(SplitCjk, CausalRecipeJoinsThem) {
  const test::TempDir directory;
  EXPECT_GT(mixed_pieces(*train("causal", std::nullopt, directory / "a")), 0);
  EXPECT_GT(mixed_pieces(*train("masked", false, directory / "b")), 0);
  EXPECT_EQ(mixed_pieces(*train("causal", true, directory / "c")), 0);
}

}  // namespace
}  // namespace llmctl
