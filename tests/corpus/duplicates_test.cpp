#include "corpus/duplicates.h"

#include <gtest/gtest.h>

#include <iostream>
#include <string>

#include "base/random.h"

namespace llmctl {
namespace {

TEST(RepeatedKeys, MarksAllButTheFirst) {
  const std::vector<std::uint64_t> keys = {5, 7, 5, 9, 7, 5};
  const std::vector<bool> expected = {false, false, true, false, true, true};
  EXPECT_EQ(repeated_keys(keys), expected);
  // With memory for two keys at a time the same, in more passes.
  EXPECT_EQ(repeated_keys(keys, 32), expected);
  EXPECT_TRUE(repeated_keys({}).empty());
}

TEST(Shingles, WordsAndIdeographs) {
  EXPECT_EQ(word_hashes("One, two ONE").size(), 3u);
  EXPECT_EQ(word_hashes("One, two ONE")[0], word_hashes("one")[0]);
  EXPECT_EQ(word_hashes("我们go").size(), 3u);
  EXPECT_EQ(shingles("a b c d", 2).size(), 3u);
  EXPECT_EQ(shingles("a", 5).size(), 1u);
  EXPECT_TRUE(shingles("?!", 2).empty());
}

TEST(Shingles, SimilarityEstimatesJaccard) {
  // 60 of 100 numbers in common with 100: 60 / 140.
  std::vector<std::uint64_t> a, b;
  Random random(random_key(1, "jaccard"));
  for (int i = 0; i < 1400; ++i) {
    const std::uint64_t value =
        (std::uint64_t{random.below(1u << 31)} << 32) | random.below(1u << 31);
    if (i < 1000) a.push_back(value);
    if (i >= 400) b.push_back(value);
  }
  EXPECT_NEAR(similarity(signature_of(a), signature_of(b)), 600.0 / 1400, 0.12);
  EXPECT_EQ(similarity(signature_of(a), signature_of(a)), 1);
}

/// Documents of made-up words, some of which occur everywhere, as in real text.
class Writer {
 public:
  explicit Writer(bool chinese) : chinese_(chinese) {}
  std::string word() {
    // Half of all words are of the two hundred most frequent.
    const std::uint64_t rank = random_.below(2) == 0 ? random_.below(200) : random_.below(20000);
    if (!chinese_) return "w" + std::to_string(rank);
    std::string text;
    append(text, 0x4E00 + rank % 5000);
    if (rank > 200) append(text, 0x4E00 + rank * 7 % 5000);
    return text;
  }
  std::vector<std::string> document() {
    std::vector<std::string> words;
    for (std::uint64_t n = 80 + random_.below(300); n > 0; --n) words.push_back(word());
    return words;
  }
  std::vector<std::string> changed(std::vector<std::string> words, double share) {
    for (std::string& one : words) {
      if (static_cast<double>(random_.below(1000)) < share * 1000) one = word();
    }
    return words;
  }
  std::string text(const std::vector<std::string>& words) const {
    std::string text;
    for (const std::string& one : words) text += one + (chinese_ ? "" : " ");
    return text;
  }
  double share() { return 0.05 + 0.15 * static_cast<double>(random_.below(1000)) / 1000; }

 private:
  static void append(std::string& text, std::uint64_t c) {
    text += static_cast<char>(0xE0 | c >> 12);
    text += static_cast<char>(0x80 | (c >> 6 & 63));
    text += static_cast<char>(0x80 | (c & 63));
  }
  bool chinese_;
  Random random_{random_key(2, "documents")};
};

// Documents with 5 to 20 % of their words changed, among ones that have nothing to do with them.
TEST(NearDuplicates, PlantedSet) {
  for (const bool chinese : {false, true}) {
    Writer writer(chinese);
    std::vector<Signature> signatures;
    std::vector<bool> is_copy;
    for (int i = 0; i < 1500; ++i) {
      const auto words = writer.document();
      signatures.push_back(signature_of(shingles(writer.text(words), 2)));
      is_copy.push_back(false);
      if (i % 3 != 0) continue;
      signatures.push_back(
          signature_of(shingles(writer.text(writer.changed(words, writer.share())), 2)));
      is_copy.push_back(true);
    }
    std::vector<bool> dropped(signatures.size());
    mark_near_duplicates(signatures, 0.35, dropped);
    std::size_t found = 0, copies = 0, marked = 0;
    for (std::size_t i = 0; i < dropped.size(); ++i) {
      copies += is_copy[i];
      marked += dropped[i];
      found += dropped[i] && is_copy[i];
    }
    std::cout << (chinese ? "Chinese" : "English") << ": recall " << found << " of " << copies
              << ", precision " << found << " of " << marked << "\n";
    EXPECT_GE(found, copies * 95 / 100);
    EXPECT_GE(found * 100, marked * 99);
  }
}

TEST(NearDuplicates, TheFirstOfAChainStays) {
  Writer writer(false);
  std::vector<Signature> signatures;
  auto words = writer.document();
  for (int i = 0; i < 6; ++i) {
    signatures.push_back(signature_of(shingles(writer.text(words), 2)));
    words = writer.changed(words, 0.08);
  }
  std::vector<bool> dropped(signatures.size());
  mark_near_duplicates(signatures, 0.35, dropped);
  EXPECT_EQ(dropped, (std::vector<bool>{false, true, true, true, true, true}));
}

}  // namespace
}  // namespace llmctl
