// Marian's pair of models as `tokenizer train` makes it.
#include <gtest/gtest.h>

#include <filesystem>

#include "config/json.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"
#include "text/marian_tokenizer.h"
#include "text/train.h"

namespace llmctl {
namespace {

using test::TempDir;

DocumentReader lines(std::vector<std::string> texts) {
  return [texts](const std::function<bool(std::string_view)>& use) {
    for (const std::string& text : texts)
      if (!use(text)) return;
  };
}

const std::vector<std::string> kEnglish = {"a house by the river", "the house is old",
                                           "an old river, and a new house"};
const std::vector<std::string> kGerman = {"ein Haus am Fluss", "das Haus ist alt",
                                          "ein alter Fluss und ein neues Haus"};

TokenizerTrainConfig small() {
  TokenizerTrainConfig config;
  config.recipe = "translation";
  config.vocab_size = 320;
  config.hard_vocab_limit = false;
  return config;
}

TEST(TranslationTokenizer, OneModelForBothLanguages) {
  const TempDir work;
  std::vector<std::string> all = kEnglish;
  all.insert(all.end(), kGerman.begin(), kGerman.end());
  TokenizerTrainConfig config = small();
  config.languages = {"de", "en"};
  train_tokenizer(config, lines(all), work / "t");
  const Json vocab = load_json(work / "t" / "vocab.json");
  EXPECT_EQ(vocab["</s>"], 0);
  EXPECT_EQ(vocab["<unk>"], 1);
  EXPECT_EQ(vocab[">>de<<"], 2);
  EXPECT_EQ(vocab["<pad>"], vocab.size() - 1);
  EXPECT_FALSE(vocab.contains("<s>"));
  const auto tokenizer = load_tokenizer(work / "t");
  EXPECT_EQ(tokenizer->special().eos, 0);
  EXPECT_EQ(tokenizer->special().pad, tokenizer->vocab_size() - 1);
  for (const std::string text : {"the old house", "ein altes Haus"}) {
    const auto ids = tokenizer->encode(text);
    EXPECT_EQ(tokenizer->decode(ids), text);
    EXPECT_EQ(tokenizer->target().encode(text), ids) << "one model";
  }
  // White space is no part of a sentence; the mark of a language is a token.
  EXPECT_EQ(tokenizer->encode("  the  old house "), tokenizer->encode("the old house"));
  auto marked = tokenizer->encode("the old house");
  marked.insert(marked.begin(), 2);
  EXPECT_EQ(tokenizer->encode(">>de<< the old house"), marked);
  EXPECT_EQ(tokenizer->with_special(marked).back(), 0);
  EXPECT_EQ(tokenizer->decode(tokenizer->with_special(marked)), ">>de<< the old house");
}

TEST(TranslationTokenizer, AModelForEachLanguage) {
  const TempDir work;
  train_tokenizer(small(), lines(kEnglish), work / "t", false, lines(kGerman));
  const auto tokenizer = load_tokenizer(work / "t");
  const auto own = tokenizer->encode("house"), other = tokenizer->target().encode("house");
  EXPECT_LT(own.size(), other.size()) << "the German model does not know the word";
  EXPECT_EQ(tokenizer->decode(own), "house");
  EXPECT_EQ(tokenizer->target().decode(tokenizer->target().encode("das neue Haus")),
            "das neue Haus");
  // Written again it is the same.
  std::filesystem::create_directory(work / "again");
  tokenizer->save(work / "again", 0);
  EXPECT_EQ(load_tokenizer(work / "again")->fingerprint(), tokenizer->fingerprint());
}

TEST(TranslationTokenizer, AVocabularyForEachLanguage) {
  const TempDir work;
  TokenizerTrainConfig config = small();
  config.separate_vocabs = true;
  config.languages = {"de"};
  test::expect_error(ErrorCode::kConfig, {"separate_vocabs", "--target"},
                     [&] { train_tokenizer(config, lines(kEnglish), work / "t"); });
  train_tokenizer(config, lines(kEnglish), work / "t", false, lines(kGerman));
  const auto tokenizer = load_tokenizer(work / "t");
  const Tokenizer& target = tokenizer->target();
  for (const Tokenizer* one : {tokenizer.get(), &target}) {
    EXPECT_EQ(one->special().eos, 0);
    EXPECT_EQ(one->special().unk, 1);
    EXPECT_EQ(one->special().pad, 2);
    EXPECT_EQ(one->piece(2), "<pad>");
  }
  EXPECT_EQ(tokenizer->find(">>de<<"), 3);
  EXPECT_FALSE(target.find(">>de<<"));
  EXPECT_TRUE(tokenizer->find("\u2581house"));
  EXPECT_FALSE(target.find("\u2581house"));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("the old house")), "the old house");
  EXPECT_EQ(target.decode(target.encode("das neue Haus")), "das neue Haus");
  EXPECT_THAT(tokenizer->description(),
              testing::HasSubstr(concat(tokenizer->vocab_size(), " and ", target.vocab_size())));
  std::filesystem::create_directory(work / "again");
  tokenizer->save(work / "again", 0);
  const auto again = load_tokenizer(work / "again");
  EXPECT_EQ(again->fingerprint(), tokenizer->fingerprint());
  EXPECT_EQ(again->target().fingerprint(), target.fingerprint());
  std::filesystem::remove(work / "again" / "target_vocab.json");
  test::expect_error(ErrorCode::kMissing, {"target_vocab.json"},
                     [&] { load_tokenizer(work / "again"); });
}

TEST(TranslationTokenizer, UnknownCharactersAreBytes) {
  const TempDir work;
  train_tokenizer(small(), lines(kEnglish), work / "t");
  const auto tokenizer = load_tokenizer(work / "t");
  const auto ids = tokenizer->encode("the 房 house");
  EXPECT_EQ(std::count(ids.begin(), ids.end(), *tokenizer->special().unk), 0);
  EXPECT_EQ(tokenizer->decode(ids), "the 房 house");
  const auto byte =
      std::find_if(ids.begin(), ids.end(), [&](TokenId id) { return tokenizer->is_byte(id); });
  ASSERT_NE(byte, ids.end());
  EXPECT_EQ(tokenizer->token_bytes(*byte), "\xE6");
  EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{*byte}), "\uFFFD") << "half a character";
}

TEST(TranslationTokenizer, KeysOfOtherRecipes) {
  const TempDir work;
  TokenizerTrainConfig causal;
  test::expect_error(ErrorCode::kConfig, {"recipe", "translation"}, [&] {
    train_tokenizer(causal, lines(kEnglish), work / "t", false, lines(kGerman));
  });
  causal.languages = {"de"};
  test::expect_error(ErrorCode::kConfig, {"languages", "translation"},
                     [&] { train_tokenizer(causal, lines(kEnglish), work / "t"); });
}

}  // namespace
}  // namespace llmctl
