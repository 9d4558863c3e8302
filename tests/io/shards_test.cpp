#include "io/shards.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"
#include "support/test_shards.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;
using test::counting_documents;
using test::expect_error;
using test::make_shards;
using test::TempDir;

std::vector<std::int64_t> read(const Shards& shards, std::uint64_t begin, std::size_t count) {
  std::vector<std::int64_t> out(count);
  shards.read(begin, out);
  return out;
}

TEST(Shards, DocumentsEndToEnd) {
  const TempDir dir;
  const auto shards = make_shards(dir / "s", {{1, 2, 3}, {}, {65535}, {4, 5}}, 65536, 9);
  EXPECT_EQ(shards->tokens(), 10U);
  EXPECT_EQ(shards->documents(), 4U);
  EXPECT_EQ(read(*shards, 0, 10), (std::vector<std::int64_t>{1, 2, 3, 9, 9, 65535, 9, 4, 5, 9}));
  EXPECT_EQ(read(*shards, 5, 2), (std::vector<std::int64_t>{65535, 9}));
  EXPECT_TRUE(read(*shards, 10, 0).empty());
  std::vector<std::uint64_t> starts;
  for (std::uint64_t i = 0; i <= shards->documents(); ++i) {
    starts.push_back(shards->document_start(i));
  }
  EXPECT_EQ(starts, (std::vector<std::uint64_t>{0, 4, 5, 7, 10}));
  std::vector<std::uint64_t> owners;
  for (std::uint64_t t = 0; t < 10; ++t) owners.push_back(shards->document_of(t));
  EXPECT_EQ(owners, (std::vector<std::uint64_t>{0, 0, 0, 0, 1, 2, 2, 3, 3, 3}));
  EXPECT_EQ(shards->end_token(), std::optional<TokenId>(9));
  EXPECT_EQ(shards->vocab_size(), 65536);
  EXPECT_EQ(shards->text_bytes(), 6U);
  EXPECT_EQ(shards->manifest()["dtype"], "uint16");
  EXPECT_EQ(fs::file_size(dir / "s/tokens-00000.bin"), 20U);
}

TEST(Shards, ManyFilesReadAsOneStream) {
  const TempDir dir;
  for (const std::int64_t vocab : {1000, 100'000}) {
    const auto shards = make_shards(dir / std::to_string(vocab), counting_documents({5, 90, 4, 1}),
                                    vocab, std::nullopt, 28);
    EXPECT_GT(shards->manifest()["files"].size(), 5U);
    EXPECT_EQ(shards->manifest()["dtype"], vocab == 1000 ? "uint16" : "uint32");
    EXPECT_FALSE(shards->end_token().has_value());
    for (std::size_t begin = 0; begin <= 100; ++begin) {
      for (std::size_t count = 0; count <= 100 - begin; count += 7) {
        const auto tokens = read(*shards, begin, count);
        for (std::size_t i = 0; i < count; ++i) {
          ASSERT_EQ(tokens[i], static_cast<std::int64_t>(begin + i));
        }
      }
    }
  }
}

TEST(Shards, TheFingerprintFollowsTheContents) {
  const TempDir dir;
  const auto a = make_shards(dir / "a", {{1, 2}, {3}}, 100),
             b = make_shards(dir / "b", {{1, 2}, {3}}, 100);
  EXPECT_EQ(a->fingerprint(), b->fingerprint());
  EXPECT_NE(a->fingerprint(), make_shards(dir / "c", {{1, 2, 3}}, 100)->fingerprint());
  EXPECT_NE(a->fingerprint(), make_shards(dir / "d", {{1, 2}, {4}}, 100)->fingerprint());
  EXPECT_NE(a->fingerprint(), make_shards(dir / "e", {{1, 2}, {3}}, 101)->fingerprint());
}

TEST(Shards, IdsOutsideTheVocabularyAreNeitherWrittenNorRead) {
  const TempDir dir;
  expect_error(ErrorCode::kInternal, {"id 7", "vocabulary of 7"},
               [&] { make_shards(dir / "a", {{7}}, 7); });
  expect_error(ErrorCode::kInternal, {"id -1"}, [&] { make_shards(dir / "b", {{-1}}, 7); });
  const auto shards = make_shards(dir / "c", {{1, 2, 3, 4, 5, 6}}, 7);
  {
    std::fstream file(dir / "c/tokens-00000.bin", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(6);
    file.put('\x07');
  }
  expect_error(ErrorCode::kData,
               {(dir / "c").string(), "token 7", "tokens 2 to 5", "vocabulary of 7"},
               [&] { read(*shards, 2, 3); });
  EXPECT_EQ(read(*shards, 0, 3).size(), 3U);
}

class DamagedShards : public ::testing::Test {
 protected:
  DamagedShards() { make_shards(dir_ / "s", counting_documents({5, 3}), 100); }
  void refused(const std::vector<std::string>& parts) {
    expect_error(ErrorCode::kData, parts, [&] { Shards{dir_ / "s"}; });
  }
  void edit(const std::function<void(Json&)>& change) {
    Json manifest = original_;
    change(manifest);
    dir_.write("s/manifest.json", manifest.dump());
  }
  TempDir dir_;
  Json original_ = [this] {
    make_shards(dir_ / "o", counting_documents({5, 3}), 100);
    return load_json(dir_ / "o/manifest.json");
  }();
};

TEST_F(DamagedShards, FilesOfAnotherSize) {
  fs::resize_file(dir_ / "s/tokens-00000.bin", 15);
  refused(
      {"manifest.json", "'tokens-00000.bin' has 15 bytes, expected 16", "remove the directory"});
  fs::remove(dir_ / "s/tokens-00000.bin");
  expect_error(ErrorCode::kMissing, {"tokens-00000.bin"}, [&] { Shards{dir_ / "s"}; });
}

TEST_F(DamagedShards, AnIndexThatStepsBack) {
  const std::uint64_t starts[] = {0, 9, 8};
  dir_.write("s/documents.idx", std::string(reinterpret_cast<const char*>(starts), sizeof starts));
  refused({"manifest.json", "index", "step back"});
  fs::resize_file(dir_ / "s/documents.idx", 16);
  refused({"'documents.idx' has 16 bytes, expected 24"});
}

TEST_F(DamagedShards, ManifestsThatSaySomethingElse) {
  edit([](Json& m) { m["version"] = 2; });
  refused({"'version' is 2, expected 1", "remove the directory"});
  edit([](Json& m) { m["format"] = "other"; });
  refused({"'format' is 'other'"});
  edit([](Json& m) { m["dtype"] = "int8"; });
  refused({"'dtype' is 'int8'"});
  edit([](Json& m) { m["dtype"] = "uint32"; });
  refused({"4 tokens, expected 8"});
  edit([](Json& m) { m["tokens"] = 9; });
  refused({"8 tokens, expected 9"});
  edit([](Json& m) { m["tokens"] = -8; });
  refused({"'tokens'"});
  edit([](Json& m) { m["documents"] = 3; });
  refused({"24 bytes, expected 32", "3 documents"});
  edit([](Json& m) { m["documents"] = std::uint64_t{1} << 63; });
  refused({"index"});
  edit([](Json& m) { m.erase("vocab_size"); });
  refused({"'vocab_size'"});
  edit([](Json& m) { m["files"] = 3; });
  refused({"'files'"});
  edit([](Json& m) { m["files"][0]["name"] = "../s/tokens-00000.bin"; });
  refused({"plain file name"});
  edit([](Json& m) { m["index"].erase("sha256"); });
  refused({"'sha256'"});
  edit([](Json& m) { m = Json::array(); });
  refused({"manifest.json", "object"});
  dir_.write("s/manifest.json", "{");
  refused({"manifest.json:1"});
}

TEST_F(DamagedShards, WhatIsNotThere) {
  expect_error(ErrorCode::kMissing, {"absent"}, [&] { Shards{dir_ / "absent"}; });
  fs::remove(dir_ / "s/manifest.json");
  expect_error(ErrorCode::kMissing, {"manifest.json"}, [&] { Shards{dir_ / "s"}; });
}

}  // namespace
}  // namespace llmctl
