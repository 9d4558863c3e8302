#include "train/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace llmctl {
namespace {

using test::error_of;
using testing::HasSubstr;

TEST(TrainConfig, ReadsItsSection) {
  const auto read = [](const std::string& text) {
    const JsonDocument document = parse_json_document(text, "c.json");
    TrainConfig config;
    read_config(ConfigNode(&document.value, "train", &document), config);
    return config;
  };
  EXPECT_EQ(read(R"({"steps": 5})").steps, 5);
  EXPECT_EQ(read(R"({"epochs": 2, "batch_size": 8, "micro_batch_size": 4})").epochs, 2);
  EXPECT_THAT(error_of([&] { read("{}"); }).what(), HasSubstr("one of steps and epochs"));
  EXPECT_THAT(error_of([&] { read(R"({"steps": 1, "epochs": 1})"); }).what(),
              HasSubstr("train.epochs"));
  const Error uneven =
      error_of([&] { read(R"({"steps": 1, "batch_size": 8, "micro_batch_size": 3})"); });
  EXPECT_EQ(read(R"({"steps": 1, "batch_tokens": 900, "batch_size": 32})").batch_tokens, 900)
      << "as a resolved configuration has it";
  for (const char* both : {R"({"steps": 1, "batch_tokens": 900, "batch_size": 8})",
                           R"({"steps": 1, "batch_tokens": 900, "micro_batch_size": 8})",
                           R"({"steps": 1, "micro_batch_tokens": 900})"}) {
    EXPECT_THAT(error_of([&] { read(both); }).what(), HasSubstr("batch_tokens")) << both;
  }
  EXPECT_EQ(uneven.code(), ErrorCode::kConfig);
  EXPECT_THAT(uneven.what(), HasSubstr("train.micro_batch_size"));
}

}  // namespace
}  // namespace llmctl
