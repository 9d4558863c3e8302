#include "corpus/stats.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/hash.h"
#include "corpus/tokenize.h"
#include "io/shards.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"
#include "text/trained_tokenizer.h"

namespace llmctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::vector<SourceConfig> sources_of(const std::filesystem::path& path) {
  SourceConfig source;
  source.path = path.string();
  return {source};
}

TEST(CorpusStats, OfText) {
  const test::TempDir directory;
  const auto path = directory.write("a.txt", "The cat\n\nthe cat sat 我我\n\nThe cat\n\nx");
  const CorpusStats stats = corpus_stats(sources_of(path), nullptr, {.frequent = 3});
  EXPECT_EQ(stats.documents, 4u);
  EXPECT_EQ(stats.duplicates, 1u);
  EXPECT_EQ(stats.characters, 7u + 14 + 7 + 1);
  EXPECT_EQ(stats.tokens, std::nullopt);
  EXPECT_EQ(stats.lengths.least, 1u);
  EXPECT_EQ(stats.lengths.most, 14u);
  EXPECT_THAT(stats.lengths.octaves, ElementsAre(1, 0, 2, 1));
  EXPECT_THAT(stats.frequent, ElementsAre(Pair("cat", 3), Pair("the", 3), Pair("我", 2)));
  const Json json = stats.to_json();
  EXPECT_EQ(json["lengths"]["unit"], "characters");
  EXPECT_EQ(json["most_frequent"][0]["count"], 3);
  const std::string page = stats_page("a <corpus>", stats);
  EXPECT_THAT(page, HasSubstr("a &lt;corpus&gt;"));
  EXPECT_THAT(page, HasSubstr("Most frequent words"));
}

TEST(CorpusStats, NearDuplicatesWhereAskedForInTextAndShards) {
  const test::TempDir directory;
  // Words of letters drawn at random, so that their pieces are as different as the words are.
  const auto word = [](std::uint64_t n) {
    std::string letters;
    for (std::uint64_t rest = mix64(n) >> 30; rest > 0; rest /= 26) {
      letters += static_cast<char>('a' + rest % 26);
    }
    return letters + " ";
  };
  // Three hundred words, once more with two of them changed, others, and the first again.
  std::string first, second, other;
  for (std::uint64_t i = 0; i < 300; ++i) {
    first += word(i);
    second += i % 150 == 20 ? "changed " : word(i);
    other += word(1000 + i);
  }
  const auto path =
      directory.write("a.txt", first + "\n\n" + second + "\n\n" + other + "\n\n" + first + "\n\n");
  EXPECT_EQ(corpus_stats(sources_of(path), nullptr, {}).near_duplicates, std::nullopt);
  const StatsOptions near{.near_duplicates = true};
  const CorpusStats of_text = corpus_stats(sources_of(path), nullptr, near);
  EXPECT_EQ(of_text.duplicates, 1u);
  EXPECT_EQ(of_text.near_duplicates, 1u);
  EXPECT_EQ(of_text.to_json()["near_duplicates"], 1);
  EXPECT_THAT(stats_page("x", of_text), HasSubstr("near duplicates of an earlier document"));
  const auto tokenizer = test::trained_tokenizer();
  const auto shards = tokenize_to_shards({path}, *tokenizer, {}, directory / "cache");
  const CorpusStats of_shards = shard_stats(shards->directory(), tokenizer, near);
  EXPECT_EQ(of_shards.duplicates, 1u);
  EXPECT_EQ(of_shards.near_duplicates, 1u);
  // They are judged by words, which shards alone do not have.
  test::expect_error(ErrorCode::kUsage, {"--tokenizer"},
                     [&] { shard_stats(shards->directory(), nullptr, near); });
  const auto nothing = directory.write("b.txt", "");
  EXPECT_EQ(corpus_stats(sources_of(nothing), nullptr, near).near_duplicates, 0u);
}

TEST(CorpusStats, ShortDocumentsAreNoNearerAsShards) {
  // Pieces of one alphabet are much alike where the words are not.
  const test::TempDir directory;
  std::string text;
  for (const char* one : {"The bread is good.", "The beard is gold.", "The bread is good!",
                          "那是好面包。", "那是面包店。"}) {
    text += std::string(one) + "\n\n";
  }
  const auto path = directory.write("a.txt", text);
  const auto tokenizer = test::trained_tokenizer();
  const auto shards = tokenize_to_shards({path}, *tokenizer, {}, directory / "cache");
  const StatsOptions near{.near_duplicates = true};
  EXPECT_EQ(shard_stats(shards->directory(), tokenizer, near).near_duplicates,
            corpus_stats(sources_of(path), nullptr, near).near_duplicates);
}

TEST(CorpusStats, ThePageSaysHowItWasMade) {
  CorpusStats stats;
  stats.documents = 571544;
  stats.languages = {{"un", 3}};
  const std::string page =
      stats_page("a.txt and 2 more", stats, {{"command", "llmctl data stats"}});
  EXPECT_THAT(page, HasSubstr("<td class=\"n\">571,544</td>"));
  EXPECT_THAT(page, HasSubstr("a.txt and 2 more"));
  EXPECT_THAT(page, HasSubstr("llmctl data stats"));
  EXPECT_THAT(page, HasSubstr("unknown"));
}

TEST(CorpusStats, ShardsAreTheTextTheyCameFrom) {
  const test::TempDir directory;
  std::string text;
  for (const std::string& document : test::sample_documents()) text += document + "\n\n";
  const auto path = directory.write("a.txt", text);
  const auto tokenizer = test::trained_tokenizer();
  const CorpusStats of_text = corpus_stats(sources_of(path), tokenizer, {.frequent = 5});
  TokenizeOptions options;
  options.append_end = false;
  const auto shards = tokenize_to_shards({path}, *tokenizer, options, directory / "cache");
  const CorpusStats of_shards = shard_stats(shards->directory(), tokenizer, {.frequent = 5});
  EXPECT_EQ(of_shards.documents, of_text.documents);
  EXPECT_EQ(of_shards.tokens, of_text.tokens);
  EXPECT_EQ(of_shards.bytes, of_text.bytes);
  EXPECT_EQ(of_shards.lengths.median, of_text.lengths.median);
  EXPECT_EQ(of_shards.lengths.octaves, of_text.lengths.octaves);
  EXPECT_EQ(of_shards.frequent, of_text.frequent);
  EXPECT_EQ(of_shards.duplicates, of_text.duplicates);
}

}  // namespace
}  // namespace llmctl
