// Everything that the fuzzers found worth keeping, read once more.
#include <gtest/gtest.h>

#include <filesystem>

#include "fuzz/readers.h"
#include "support/paths.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace llmctl::test {
namespace {

class FuzzCorpus : public ::testing::TestWithParam<FuzzedReader> {};

TEST_P(FuzzCorpus, IsReadWithoutFault) {
  const auto archive =
      source_dir() / "tests/fuzz/corpus" / (std::string(GetParam().name) + ".tar.gz");
  const TempDir directory;
  const auto unpacked =
      run_process({"/bin/tar", "-xzf", archive.string(), "-C", directory.path().string()});
  ASSERT_EQ(unpacked.status, 0) << unpacked.describe();
  int taken = 0, refused = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.path())) {
    if (!entry.is_regular_file()) continue;
    SCOPED_TRACE(entry.path().filename().string());
    ++(GetParam().read(slurp(entry.path())) ? taken : refused);
  }
  // Both of its ways are in the corpus.
  EXPECT_GT(taken, 0);
  EXPECT_GT(refused, 0);
}

INSTANTIATE_TEST_SUITE_P(Readers, FuzzCorpus, ::testing::ValuesIn(fuzzed_readers()),
                         [](const auto& reader) { return std::string(reader.param.name); });

}  // namespace
}  // namespace llmctl::test
