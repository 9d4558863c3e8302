// Word groups of whole-word masking for ##, Ġ and ▁ tokenizers.
#include <gtest/gtest.h>

#include <map>

#include "config/json.h"
#include "data/masking.h"
#include "support/byte_tokenizer.h"
#include "support/parity_dir.h"

namespace llmctl {
namespace {

/// The tokens of one golden row; what begins a word is the tokenizer's rule.
class GoldenTokenizer : public test::ByteTokenizer {
 public:
  GoldenTokenizer(const Json& row, std::string mark, bool marks_begin)
      : ByteTokenizer(Kind::kMasked), mark_(std::move(mark)), marks_begin_(marks_begin) {
    for (std::size_t i = 0; i < row["tokens"].size(); ++i) {
      const bool special = row["special"][i] == 1;
      // The first token of a text opens a word without a mark, too.
      const bool first = i == 0 || row["special"][i - 1] == 1;
      tokens_.push_back({row["tokens"][i], special, first && marks_begin});
    }
  }
  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(tokens_.size()); }
  bool is_special(TokenId id) const override { return at(id).special; }
  bool begins_word(TokenId id) const override {
    return at(id).begins || at(id).text.starts_with(mark_) == marks_begin_;
  }
  std::string token_bytes(TokenId id) const override {
    const std::string& text = at(id).text;
    return text.starts_with(mark_) ? text.substr(mark_.size()) : text;
  }

 private:
  struct Token {
    std::string text;
    bool special, begins;
  };
  const Token& at(TokenId id) const { return tokens_[static_cast<std::size_t>(id)]; }
  std::string mark_;
  bool marks_begin_;
  std::vector<Token> tokens_;
};

TEST(WholeWordParity, GroupsAreThoseOfTheGoldenResults) {
  LLMCTL_NEEDS_PARITY("masking/word_groups.json");
  std::map<std::string, int> rows;
  for (const Json& row : load_json(test::parity_dir() / "masking/word_groups.json")) {
    if (row.contains("words")) continue;  // the next test's
    const std::string name = row["tokenizer"];
    SCOPED_TRACE(name + ": " + row["text"].get<std::string>());
    const bool wordpiece = name.starts_with("wordpiece");
    const GoldenTokenizer tokenizer(row,
                                    wordpiece                     ? "##"
                                    : name.starts_with("bytebpe") ? "Ġ"
                                                                  : "▁",
                                    !wordpiece);
    std::vector<std::int64_t> ids;
    for (std::size_t i = 0; i < row["tokens"].size(); ++i) {
      ids.push_back(static_cast<std::int64_t>(i));
    }
    const Masker masker(tokenizer, {.whole_word = true});
    EXPECT_EQ(masker.word_groups(ids), row["groups"].get<std::vector<std::vector<std::size_t>>>());
    ++rows[name];
  }
  EXPECT_GE(rows.size(), 1U);
}

TEST(WholeWordParity, TokensBelongToTheGivenWordWhereTheyBegin) {
  LLMCTL_NEEDS_PARITY("masking/word_groups.json");
  LLMCTL_NEEDS_PARITY("tokenizers/wordpiece_cased_zh/tokenizer.json");
  const auto tokenizer = load_tokenizer(test::parity_dir() / "tokenizers/wordpiece_cased_zh");
  int rows = 0;
  for (const Json& row : load_json(test::parity_dir() / "masking/word_groups.json")) {
    if (!row.contains("words")) continue;
    const std::string text = row["text"];
    SCOPED_TRACE(text);
    std::vector<ByteSpan> words;
    for (const Json& word : row["words"]) {
      const std::size_t begin = words.empty() ? 0 : words.back().end;
      words.push_back({begin, begin + word.get<std::string>().size()});
    }
    // The golden positions count the special token before the text.
    auto groups = groups_of_words(tokenizer->encode_with_offsets(text).offsets, words);
    for (auto& group : groups) {
      for (std::size_t& position : group) ++position;
    }
    EXPECT_EQ(groups, row["groups"].get<std::vector<std::vector<std::size_t>>>());
    ++rows;
  }
  EXPECT_GE(rows, 1);
}

}  // namespace
}  // namespace llmctl
