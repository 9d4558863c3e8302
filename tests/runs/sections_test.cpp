#include "runs/sections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace llmctl {
namespace {

using ::testing::HasSubstr;

HeldOut held_out(const std::string& json) {
  const JsonDocument document{Json::parse(json), {}};
  return read_held_out(ConfigNode(&document.value, "data.valid", &document));
}

std::string held_out_error(const std::string& json) {
  try {
    held_out(json);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kConfig);
    return error.what();
  }
  ADD_FAILURE() << "no error for " << json;
  return {};
}

TEST(HeldOut, PathsAndShares) {
  EXPECT_EQ(held_out(R"("a.txt")").paths, (std::vector<std::string>{"a.txt"}));
  EXPECT_EQ(held_out(R"(["a.txt", "b.txt"])").paths.size(), 2u);
  EXPECT_TRUE(held_out("[]").paths.empty());
  EXPECT_EQ(held_out(R"({"tail": 0.1})").share.tail, 0.1);
  EXPECT_EQ(held_out(R"({"hash": 0.25})").share.hash, 0.25);
}

TEST(HeldOut, Errors) {
  EXPECT_THAT(held_out_error(R"({"tial": 0.1})"), HasSubstr("did you mean 'tail'"));
  EXPECT_THAT(held_out_error(R"({"tail": 1.5})"), HasSubstr("between 0 and 1"));
  EXPECT_THAT(held_out_error(R"({"tail": "x"})"), HasSubstr("data.valid.tail"));
  EXPECT_THAT(held_out_error(R"({"tail": 0.1, "hash": 0.1})"), HasSubstr("expected"));
  EXPECT_THAT(held_out_error("[3]"), HasSubstr("data.valid.0"));
  EXPECT_THAT(held_out_error("3"), HasSubstr("expected"));
}

TEST(RunDocument, LaterFilesAndSetsWinAndPathsBecomeObjects) {
  test::TempDir temp;
  const auto first = temp.write(
      "a.json", R"({"train": {"steps": 5, "batch_size": 2}, "data": {"train": "x.txt"}})");
  const auto second = temp.write(
      "b.json",
      R"({"train": {"steps": 6}, "data": {"train": ["y.txt", {"path": "z.txt", "weight": 2}]}})");
  JsonDocument document =
      load_run_document({first.string(), second.string()}, {"train.batch_size=9"}, {"optim"});
  EXPECT_EQ(document.value["train"]["steps"], 6);
  EXPECT_EQ(document.value["train"]["batch_size"], 9);
  TrainingConfig config = read_training_config(root_node(document));
  ASSERT_EQ(config.data.train.size(), 2u);
  EXPECT_EQ(config.data.train[0].path, "y.txt");
  EXPECT_EQ(config.data.train[0].weight, 1.0);
  EXPECT_EQ(config.data.train[1].weight, 2.0);
  document = load_run_document({first.string()}, {}, {});
  config = read_training_config(root_node(document));
  EXPECT_EQ(config.data.train.at(0).path, "x.txt");
}

}  // namespace
}  // namespace llmctl
