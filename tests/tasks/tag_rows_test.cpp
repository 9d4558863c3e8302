#include "tasks/tag_rows.h"

#include <gmock/gmock.h>

#include "support/byte_tokenizer.h"
#include "support/expect_error.h"

namespace llmctl {
namespace {

using test::ByteTokenizer;
using testing::ElementsAre;

TEST(TagRows, AWordIsLabelledByItsFirstToken) {
  // "ab c" as a|b| c: the last token has the blank before its word.
  const std::vector<ByteSpan> words = {{0, 2}, {3, 4}}, tokens = {{0, 1}, {1, 2}, {2, 4}};
  const TextUnits units = align_words(words, tokens);
  EXPECT_THAT(units.tokens, ElementsAre(0, 2));
  EXPECT_EQ(units.spans, words);
}

TEST(TagRows, WordsOfOneTokenAreOneUnit) {
  const std::vector<ByteSpan> words = {{0, 3}, {3, 6}, {6, 9}}, tokens = {{0, 6}, {6, 9}};
  const TextUnits units = align_words(words, tokens);
  EXPECT_THAT(units.tokens, ElementsAre(0, 1));
  EXPECT_THAT(units.spans, ElementsAre(ByteSpan{0, 6}, ByteSpan{6, 9}));
  const std::vector<Entity> entities = {{"A", 0, 3}, {"B", 6, 9}};
  const UnitEntities found = entities_in_units(entities, units);
  EXPECT_THAT(found.entities, ElementsAre(Entity{"A", 0, 1}, Entity{"B", 1, 2}));
  EXPECT_EQ(found.exact, 1u) << "the first ends inside a token";
}

TEST(TagRows, WordsWithoutATokenAreLeftOut) {
  // The second word is gone from the tokens; an empty token belongs to the character behind it.
  const std::vector<ByteSpan> words = {{0, 1}, {1, 2}, {2, 5}},
                              tokens = {{0, 1}, {2, 2}, {2, 2}, {2, 5}};
  const TextUnits units = align_words(words, tokens);
  EXPECT_THAT(units.tokens, ElementsAre(0, 3));
  EXPECT_THAT(units.spans, ElementsAre(ByteSpan{0, 1}, ByteSpan{2, 5}));
}

TaggedText text_of(const std::string& text) {
  TaggedText made;
  made.text = text;
  made.words = words_of_text(text);
  return made;
}

TEST(TagRows, LongTextsAreWindowsThatLabelEachWordOnce) {
  const ByteTokenizer tokenizer(ByteTokenizer::Kind::kMasked);
  std::string text;
  for (int i = 0; i < 40; ++i) text += "我";  // three tokens each
  const std::vector<TaggedText> texts = {text_of(text), text_of("ab")};
  const TagRows rows(texts, tokenizer, {32, 12});
  std::vector<int> labelled(40);
  for (const TagRow& row : rows.rows()) {
    EXPECT_LE(row.count, 30u);
    if (row.text == 1) continue;
    for (std::size_t unit = row.first; unit < row.last; ++unit) {
      ++labelled[unit];
      const std::size_t position = rows.position(row, unit);
      EXPECT_EQ(rows.ids(row, nullptr)[position], 0xE6) << "the first byte of 我";
      // Nothing is labelled at the edge of a window where another one shows more.
      if (row.begin > 0) EXPECT_GE(position, 6u);
      if (row.begin + row.count < text.size()) EXPECT_LE(position, 25u);
    }
  }
  EXPECT_THAT(labelled, testing::Each(1));
  EXPECT_EQ(rows.rows().back().text, 1u);
  test::expect_error(ErrorCode::kConfig, {"data.sequence_length: 2 tokens leave no room"}, [&] {
    TagRows(texts, tokenizer, {2, 12});
  });
}

TEST(TagRows, LabelsStandAtFirstTokens) {
  const ByteTokenizer tokenizer(ByteTokenizer::Kind::kMasked);
  const std::vector<TaggedText> texts = {text_of("ab c")};
  const TagRows rows(texts, tokenizer, {32, 8});
  const std::vector<std::int64_t> all = {0};
  const Batch batch = rows.batch(all, {{3, 1}});
  const at::Tensor labels = batch.labels.contiguous();
  const auto* values = labels.const_data_ptr<std::int64_t>();
  EXPECT_THAT(std::vector<std::int64_t>(values, values + labels.numel()),
              ElementsAre(kIgnoreLabel, 3, kIgnoreLabel, kIgnoreLabel, 1, kIgnoreLabel));
}

TEST(TagRows, EntitiesOfPredictedTags) {
  TextUnits units;
  units.spans = {{0, 2}, {3, 5}, {5, 6}};
  const std::vector<std::string> names = {"O", "B-PER", "I-PER"};
  const auto found = predicted_entities({{1, 0.9f}, {2, 0.5f}, {0, 0.8f}}, units, names);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].entity, (Entity{"PER", 0, 5}));
  EXPECT_NEAR(found[0].probability, 0.7, 1e-6);
}

}  // namespace
}  // namespace llmctl
