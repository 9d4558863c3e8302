// Rows of pairs and the noise that training puts into them.
#include "tasks/translation_rows.h"

#include <gtest/gtest.h>

#include <numeric>

#include "support/temp_dir.h"
#include "tasks/translation.h"
#include "tasks/translation_tokenizer.h"

namespace llmctl {
namespace {

class TranslationRowsTest : public testing::Test {
 protected:
  TranslationRowsTest() {
    tokenizer_ = test::translation_tokenizer(work_ / "t");
    unknown_ = *tokenizer_->special().unk;
    task_.directions = {"en-de", "de-en"};
    for (int i = 0; i < 8; ++i) {
      TextPair pair;
      pair.source = "the house by the river " + std::to_string(i);
      pair.target = "das Haus am Fluss " + std::to_string(i);
      pair.direction = static_cast<std::size_t>(i % 2);
      pairs_.push_back(pair);
    }
    rows_.emplace(TranslationForm::of_pairs(task_, tokenizer_, kStart), pairs_, 64, false);
    std::iota(all_.begin(), all_.end(), 0);
  }

  static std::vector<std::int64_t> row_of(const at::Tensor& ids, std::int64_t row) {
    const at::Tensor one = ids[row].contiguous();
    const auto* first = one.const_data_ptr<std::int64_t>();
    return {first, first + one.numel()};
  }

  static constexpr std::int64_t kStart = 7;
  const test::TempDir work_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  TokenId unknown_ = 0;
  TranslationConfig task_;
  std::vector<TextPair> pairs_;
  std::optional<TranslationRows> rows_;
  std::vector<std::int64_t> all_ = std::vector<std::int64_t>(8);
};

TEST_F(TranslationRowsTest, NoiseMakesItsShareOfTheTokensUnknown) {
  const Batch plain = rows_->batch(all_);
  double sources = 0, targets = 0, source_noise = 0, target_noise = 0;
  for (std::uint64_t step = 0; step < 200; ++step) {
    const Batch noisy = rows_->batch(all_, {0.3, 0.15, 11, step});
    EXPECT_TRUE(noisy.labels.equal(plain.labels)) << "what is learnt stays";
    for (const std::int64_t row : all_) {
      const auto clean = row_of(plain.input.ids, row), source = row_of(noisy.input.ids, row);
      const PairRow own = rows_->pair(row);
      ASSERT_EQ(own.prefix, 1u);
      EXPECT_EQ(source[0], clean[0]) << "the mark of the direction";
      const std::size_t end = own.source.size() - 1;
      EXPECT_EQ(source[end], *tokenizer_->special().eos);
      for (std::size_t i = 1; i < end; ++i) {
        ++sources;
        if (source[i] == clean[i]) continue;
        EXPECT_EQ(source[i], unknown_);
        ++source_noise;
      }
      const auto before = row_of(plain.target.ids, row), target = row_of(noisy.target.ids, row);
      EXPECT_EQ(target[0], kStart);
      for (std::size_t i = 1; i < own.target.size(); ++i) {
        ++targets;
        if (target[i] == before[i]) continue;
        EXPECT_EQ(target[i], unknown_);
        ++target_noise;
      }
    }
  }
  EXPECT_NEAR(source_noise / sources, 0.3, 0.01);
  EXPECT_NEAR(target_noise / targets, 0.15, 0.01);
}

TEST_F(TranslationRowsTest, NoiseIsAFunctionOfSeedStepAndRow) {
  const TokenNoise noise{0.4, 0.4, 11, 3};
  const Batch first = rows_->batch(all_, noise);
  EXPECT_TRUE(rows_->batch(all_, noise).input.ids.equal(first.input.ids));
  // Companions change nothing.
  const std::vector<std::int64_t> alone = {5};
  const Batch lone = rows_->batch(alone, noise);
  const std::size_t length = rows_->pair(5).source.size();
  auto mine = row_of(lone.input.ids, 0), among = row_of(first.input.ids, 5);
  among.resize(length);
  mine.resize(length);
  EXPECT_EQ(mine, among);
  EXPECT_FALSE(rows_->batch(all_, {0.4, 0.4, 11, 4}).input.ids.equal(first.input.ids));
  EXPECT_FALSE(rows_->batch(all_, {0.4, 0.4, 12, 3}).target.ids.equal(first.target.ids));
  // Each side has its own draws and its own share.
  EXPECT_TRUE(rows_->batch(all_, {0.4, 0, 11, 3}).target.ids.equal(rows_->batch(all_).target.ids));
  EXPECT_TRUE(rows_->batch(all_, {0, 0.4, 11, 3}).target.ids.equal(first.target.ids));
}

}  // namespace
}  // namespace llmctl
