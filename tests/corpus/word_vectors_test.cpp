#include "corpus/word_vectors.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "base/threads.h"
#include "support/temp_dir.h"
#include "text/trained_tokenizer.h"

namespace llmctl {
namespace {

using testing::HasSubstr;

WordVectors plane() {
  return WordVectors({"east", "north", "northeast", "zero", "man", "king", "woman", "queen"},
                     {1, 0, 0, 2, 1, 1, 0, 0, 3, 0, 3, 3, 0.2f, 3, 0.2f, 6}, 2);
}

TEST(WordVectors, Neighbours) {
  const WordVectors vectors = plane();
  const auto nearest = vectors.nearest("east", 2);
  ASSERT_EQ(nearest.size(), 2u);
  EXPECT_EQ(nearest[0].first, "man");
  EXPECT_NEAR(nearest[0].second, 1, 1e-6);
  EXPECT_NEAR(nearest[1].second, std::sqrt(0.5), 1e-6);
  EXPECT_EQ(vectors.nearest("zero", 3)[0].second, 0);
  EXPECT_EQ(vectors.nearest("north", 100).size(), 7u);
  EXPECT_THROW(vectors.nearest("west", 1), Error);
}

TEST(WordVectors, Analogies) {
  const WordVectors vectors({"man", "king", "woman", "queen", "river", "crown"},
                            {1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0}, 3);
  EXPECT_EQ(vectors.analogy("man", "king", "woman", 1)[0].first, "queen");
  EXPECT_EQ(vectors.analogy("king", "man", "queen", 1)[0].first, "woman");
  EXPECT_THROW(vectors.analogy("man", "king", "bridge", 1), Error);
}

TEST(WordVectors, TextFormatBothWays) {
  const test::TempDir directory;
  plane().save(directory / "v.txt");
  const WordVectors again = WordVectors::load(directory / "v.txt");
  ASSERT_EQ(again.size(), 8u);
  EXPECT_EQ(again.dim(), 2u);
  for (std::size_t i = 0; i < again.size(); ++i) {
    EXPECT_EQ(again.word(i), plane().word(i));
    EXPECT_EQ(again.vector(i)[0], plane().vector(i)[0]);
    EXPECT_EQ(again.vector(i)[1], plane().vector(i)[1]);
  }
  const auto refusal = [&](const char* text) -> std::string {
    try {
      WordVectors::load(directory.write("bad.txt", text));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData);
      return error.what();
    }
    ADD_FAILURE() << "accepted " << text;
    return "";
  };
  EXPECT_THAT(refusal(""), HasSubstr("bad.txt"));
  EXPECT_THAT(refusal("x 2\n"), HasSubstr(":1: expected a number"));
  EXPECT_THAT(refusal("0 2\n"), HasSubstr(":1: expected the number of words"));
  EXPECT_THAT(refusal("1 2\na 1\n"), HasSubstr(":2: expected a number"));
  EXPECT_THAT(refusal("1 2\na 1 2 3\n"), HasSubstr(":2: more numbers"));
  EXPECT_THAT(refusal("2 1\na 1\na 2\n"), HasSubstr(":3: the word occurs twice"));
  EXPECT_THAT(refusal("2 1\na 1\n"), HasSubstr("says 2 words, there are 1"));
  EXPECT_THAT(refusal("1 1\na nan\n"), HasSubstr(":2: a number that is not finite"));
}

/// Sentences in which colours stand where colours do, and animals where animals do, in both
/// languages.
std::string sentences() {
  Random random(random_key(4, "vectors"));
  const std::vector<std::string> colours = {"red", "green", "blue", "white"},
                                 animals = {"cat", "dog", "horse", "bird"},
                                 chinese = {"老虎", "狮子", "大象"},
                                 places = {"北京", "上海", "广州"};
  const auto pick = [&](const std::vector<std::string>& some) {
    return some[random.below(some.size())];
  };
  std::string text;
  for (int i = 0; i < 4000; ++i) {
    text += "the " + pick(colours) + " paint dried on the wall, it was " + pick(colours) + ".\n\n";
    text += "A " + pick(animals) + " ran away and ate with another " + pick(animals) + "!\n\n";
    text += "动物园里有" + pick(chinese) + "，也有" + pick(chinese) + "。\n\n";
    text += "他坐火车去" + pick(places) + "，然后回" + pick(places) + "。\n\n";
  }
  return text;
}

std::vector<SourceConfig> source(const std::filesystem::path& path) {
  SourceConfig one;
  one.path = path.string();
  return {one};
}

TEST(WordVectors, WordsThatStandInTheSamePlacesAreNear) {
  const test::TempDir directory;
  const auto text = directory.write("a.txt", sentences());
  VectorsConfig config;
  config.dim = 20;
  config.epochs = 10;
  const WordVectors vectors =
      train_word_vectors(source(text), config, nullptr, directory / "scratch");
  EXPECT_FALSE(std::filesystem::exists(directory / "scratch"));
  const auto cosine = [&](const char* word, const char* other) {
    for (const auto& [name, value] : vectors.nearest(word, vectors.size())) {
      if (name == other) return value;
    }
    return -2.0;
  };
  EXPECT_GT(cosine("cat", "dog"), cosine("cat", "red"));
  EXPECT_GT(cosine("red", "blue"), cosine("red", "horse"));
  EXPECT_GT(cosine("老虎", "狮子"), cosine("老虎", "北京"));
  EXPECT_GT(cosine("北京", "上海"), cosine("北京", "大象"));
  VectorsConfig rare = config;
  rare.min_count = 1'000'000;
  EXPECT_THROW(train_word_vectors(source(text), rare, nullptr, directory / "scratch"), Error);
}

TEST(WordVectors, OfPieces) {
  const test::TempDir directory;
  const auto text = directory.write("a.txt", sentences());
  VectorsConfig config;
  config.dim = 8;
  config.epochs = 1;
  config.model = "cbow";
  const auto tokenizer = test::trained_tokenizer();
  const WordVectors vectors =
      train_word_vectors(source(text), config, tokenizer.get(), directory / "scratch");
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    EXPECT_TRUE(tokenizer->find(vectors.word(i))) << vectors.word(i);
  }
  EXPECT_GT(vectors.size(), 50u);
}

}  // namespace
}  // namespace llmctl
