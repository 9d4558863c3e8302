#include "tasks/parallel_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace llmctl {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> counterparts(const std::string& file,
                                      const std::vector<TranslationDirection>& directions) {
  std::vector<std::string> names;
  for (const FileCouple& couple : couples_of(file, directions)) {
    EXPECT_EQ(couple.one.path, file);
    names.push_back(couple.one.language + ": " + couple.other.path.string());
  }
  return names;
}

TEST(ParallelFiles, CounterpartsAreNamedByTheirLanguage) {
  const std::vector<TranslationDirection> one = {{"en", "de"}};
  EXPECT_THAT(counterparts("data.en/train.en", one), ElementsAre("en: data.en/train.de"));
  EXPECT_THAT(counterparts("train.de.txt", one), ElementsAre("de: train.en.txt"));
  EXPECT_THAT(counterparts("train.en.v2.en", one), ElementsAre("en: train.en.v2.de"))
      << "the last part that is the language";
  EXPECT_THAT(counterparts("train.english", one), IsEmpty());
  EXPECT_THAT(counterparts("train.txt", one), IsEmpty());
  // Both directions of a couple are one, and a language may have several counterparts.
  EXPECT_THAT(counterparts("train.en", {{"en", "de"}, {"de", "en"}, {"en", "fr"}}),
              ElementsAre("en: train.de", "en: train.fr"));
}

}  // namespace
}  // namespace llmctl
