// Files of translations against files of references.
#include "tasks/translation_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::TempDir;
using ::testing::HasSubstr;

class ScoredFiles : public testing::Test {
 protected:
  /// References of the two lines of the translations, a file each.
  TaskEvaluation score(const std::vector<std::string>& references) const {
    std::vector<std::filesystem::path> files;
    for (const std::string& lines : references)
      files.push_back(work_.write("ref" + std::to_string(files.size() + 1) + ".txt", lines));
    return score_translations({}, work_.write("hyp.txt", "ein alter Hund\nzwei rote Katzen\n"),
                              files);
  }
  std::string signature(const std::vector<std::string>& references) const {
    return score(references).signatures.at(1);
  }

  const TempDir work_;
};

TEST_F(ScoredFiles, ABlankLineIsNoReference) {
  const double one = score({"ein alter Hund\nzwei rote Hunde\n"}).scores.at("bleu");
  EXPECT_EQ(score({"ein alter Hund\n\n", "\nzwei rote Hunde\n"}).scores.at("bleu"), one);
  EXPECT_EQ(score({"ein alter Hund\nzwei rote Hunde\n", " \n\n"}).scores.at("bleu"), one);
  EXPECT_THAT(signature({"ein alter Hund\n\n", "\nzwei rote Hunde\n"}), HasSubstr("nrefs:1|"));
  EXPECT_THAT(signature({"ein Hund\nzwei Hunde\n", "\nzwei Katzen\n"}), HasSubstr("nrefs:var|"));
}

TEST_F(ScoredFiles, EveryTranslationNeedsAReference) {
  test::expect_error(ErrorCode::kData, {"ref1.txt:2: the reference is empty;", "hyp.txt"},
                     [&] { score({"ein alter Hund\n\n"}); });
  test::expect_error(ErrorCode::kData, {"ref1.txt:1: the reference is empty in all files"}, [&] {
    score({"\nzwei\n", " \nzwei\n"});
  });
}

}  // namespace
}  // namespace llmctl
