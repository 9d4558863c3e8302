// Every kind of tokenizer, streamed: whole characters, end to end what decoding gives.
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/random.h"
#include "base/utf8.h"
#include "config/json.h"
#include "support/parity_dir.h"
#include "text/stream.h"

namespace llmctl {
namespace {

/// Wherever the tokens are cut, what was given out so far are whole characters of the text.
void check_stream(const std::shared_ptr<const Tokenizer>& tokenizer,
                  const std::vector<TokenId>& ids, bool keep_special) {
  const std::string whole = tokenizer->decode(ids, keep_special);
  StreamDecoder decoder(tokenizer, keep_special);
  std::string so_far;
  for (std::size_t cut = 0; cut < ids.size(); ++cut) {
    const std::string piece = decoder.push(ids[cut]);
    ASSERT_FALSE(find_invalid_utf8(piece)) << "token " << cut << " of " << whole;
    so_far += piece;
    ASSERT_TRUE(whole.starts_with(so_far)) << so_far << " of " << whole;
  }
  ASSERT_EQ(so_far + decoder.finish(), whole);
}

TEST(StreamParity, NoCutOfTheTokensSplitsACharacter) {
  const auto cases = test::parity_cases("tokenizers");
  if (cases.empty()) LLMCTL_NEEDS_PARITY("tokenizers/spm_bpe");
  for (const auto& directory : cases) {
    SCOPED_TRACE(directory.filename().string());
    const auto tokenizer = load_tokenizer(directory);
    std::size_t rows = 0;
    // Chinese, emoji, combining marks and what only byte fallback can write are among the texts.
    for_each_line(directory / "golden.jsonl", [&](std::uint64_t, std::string_view line) {
      const auto ids =
          parse_json(line, "golden.jsonl")["ids_with_special"].get<std::vector<TokenId>>();
      check_stream(tokenizer, ids, false);
      check_stream(tokenizer, ids, true);
      ++rows;
      return !testing::Test::HasFailure();
    });
    EXPECT_GT(rows, 0u);
    // Tokens that nobody writes: broken characters, special tokens anywhere.
    Random random(random_key(29, "stream", 1));
    for (int i = 0; i < 300; ++i) {
      std::vector<TokenId> ids;
      for (std::uint64_t n = random.below(30); n > 0; --n)
        ids.push_back(static_cast<TokenId>(
            random.below(static_cast<std::uint64_t>(tokenizer->vocab_size()))));
      check_stream(tokenizer, ids, i % 2 == 0);
    }
  }
}

}  // namespace
}  // namespace llmctl
