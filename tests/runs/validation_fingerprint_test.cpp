#include "runs/validation_fingerprint.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "support/byte_tokenizer.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::TempDir;

TEST(ValidationFingerprint, IsOfWhatIsHeldOutAndHowItIsScored) {
  const TempDir directory, elsewhere;
  const auto tokenizer = std::make_shared<test::ByteTokenizer>(test::ByteTokenizer::Kind::kCausal);
  const auto of = [&](const std::vector<std::filesystem::path>& valid, const Json& task,
                      bool skip_bad = false) {
    TaskData data;
    data.valid = valid;
    data.skip_bad = skip_bad;
    const JsonDocument document{task, {}};
    const ConfigNode section(&document.value, "task", &document);
    return validation_fingerprint(data, *make_task(section, tokenizer), section);
  };
  const Json task = {{"type", "translation"}, {"source", "en"}, {"target", "de"}};
  const auto file = directory.write("valid.tsv", "One.\tEins.\n");
  const std::string first = of({file}, task);
  EXPECT_EQ(of({elsewhere.write("moved.tsv", "One.\tEins.\n")}, task), first);
  EXPECT_NE(of({elsewhere.write("other.tsv", "Two.\tZwei.\n")}, task), first);
  EXPECT_NE(of({}, task), first);
  EXPECT_NE(of({file}, task, true), first);

  Json beams = task, defaults = task, training = task;
  beams["num_beams"] = 5;
  EXPECT_NE(of({file}, beams), first);
  defaults["validation_samples"] = 500;
  EXPECT_EQ(of({file}, defaults), first) << "the default, given";
  training["label_smoothing"] = 0.1;
  EXPECT_EQ(of({file}, training), first) << "it decides what is learnt, not what is scored";

  // The other language of a text is read without being named.
  const auto english = directory.write("valid.en", "One.\n");
  directory.write("valid.de", "Eins.\n");
  const std::string couple = of({english}, task);
  directory.write("valid.de", "Ein Ding.\n");
  EXPECT_NE(of({english}, task), couple);

  // A directory of shards is what is in it.
  std::filesystem::create_directories(directory / "shards");
  directory.write("shards/a", "x");
  const std::string shards = of({directory / "shards"}, task);
  directory.write("shards/b", "y");
  EXPECT_NE(of({directory / "shards"}, task), shards);
}

}  // namespace
}  // namespace llmctl
