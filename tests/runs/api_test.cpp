#include <gmock/gmock.h>

#include <filesystem>

#include "llmctl/llmctl.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"
#include "text/trained_tokenizer.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// A model of a few parameters, trained for two steps on a few words.
class TrainingByTheLibrary : public ::testing::Test {
 protected:
  TrainingByTheLibrary() {
    TokenizerTrainConfig tokenizer;
    tokenizer.vocab_size = 1400;
    train_tokenizer(tokenizer, test::reader_of(test::sample_documents()), dir_ / "tokenizer");
    std::string text;
    for (int i = 0; i < 40; ++i) text += "The river runs by the house number " + std::to_string(i);
    configuration_
        .merge_json(R"({
          "model": {"model_type": "llama", "hidden_size": 16, "num_hidden_layers": 1,
                    "num_attention_heads": 2, "max_position_embeddings": 32},
          "objective": {"type": "causal_lm"},
          "data": {"sequence_length": 16},
          "train": {"steps": 2, "batch_size": 2, "threads": 1, "device": "cpu"}})")
        .set("run.dir", (dir_ / "run").string())
        .set("tokenizer.path", (dir_ / "tokenizer").string())
        .set("data.train", dir_.write("text.txt", text).string());
  }

  test::TempDir dir_;
  Configuration configuration_;
};

TEST_F(TrainingByTheLibrary, ADryRunWritesNothing) {
  TrainingOptions options;
  options.dry_run = true;
  pretrain(configuration_, options);
  EXPECT_FALSE(fs::exists(dir_ / "run"));
}

TEST_F(TrainingByTheLibrary, KeysChangeOnRequestOnly) {
  EXPECT_EQ(pretrain(configuration_).steps, 2);
  configuration_.set("train.steps", "4");
  test::expect_error(ErrorCode::kConfig, AllOf(HasSubstr("train.steps"), HasSubstr("--change")),
                     [&] { pretrain(configuration_); });
  TrainingOptions options;
  options.change = true;
  EXPECT_EQ(pretrain(configuration_, options).steps, 4);
  // From now on this is the run's own value.
  EXPECT_EQ(pretrain(configuration_).steps, 4);
  options.change = false;
  options.overwrite = true;
  configuration_.set("train.steps", "1");
  EXPECT_EQ(pretrain(configuration_, options).steps, 1);
}

}  // namespace
}  // namespace llmctl
