#include "runs/assembly.h"

#include <gmock/gmock.h>

#include <numeric>

#include "base/files.h"
#include "base/log.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"
#include "text/trained_tokenizer.h"

namespace llmctl {
namespace {

struct NewModel {
  explicit NewModel(const std::string& vectors)
      : document{Json{{"model",
                       {{"model_type", "llama"},
                        {"hidden_size", 4},
                        {"num_hidden_layers", 1},
                        {"num_attention_heads", 1}}}},
                 {}},
        root(root_node(document)),
        tokenizer(test::trained_tokenizer()),
        model(assemble_model(root.child("model"), *tokenizer, {HeadKind::kCausalLm}, 1)) {
    section.vectors = vectors;
  }

  JsonDocument document;
  ConfigNode root;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<Model> model;
  TokenizerSection section;

  std::vector<float> row(const std::string& piece) const {
    const at::Tensor values = model->word_embeddings()[tokenizer->find(piece).value()];
    return {values.const_data_ptr<float>(), values.const_data_ptr<float>() + values.numel()};
  }
  void begin() { begin_with_vectors(*model, *tokenizer, root, section); }
};

double length2(const std::vector<float>& values) {
  return std::inner_product(values.begin(), values.end(), values.begin(), 0.0);
}

TEST(BeginWithVectors, TakesThePlaceOfFreshRowsAtTheirScale) {
  const test::TempDir directory;
  const auto path = directory.write("v.txt", "3 4\n▁the 10 0 0 0\n▁a 0 0 20 20\nqqqqqq 9 9 9 9\n");
  NewModel one(path.string());
  const double before = length2(one.row("▁the")) + length2(one.row("▁a"));
  const auto untouched = one.row("▁of");
  one.begin();
  const auto the = one.row("▁the"), a = one.row("▁a");
  EXPECT_NEAR(length2(the) + length2(a), before, 1e-6);
  EXPECT_GT(the[0], 0);
  EXPECT_EQ(the[1], 0);
  EXPECT_NEAR(a[2], 2 * the[0], 1e-6);
  EXPECT_EQ(a[2], a[3]);
  EXPECT_EQ(one.row("▁of"), untouched);
}

TEST(BeginWithVectors, NothingWithoutAFile) {
  NewModel one("");
  const auto before = one.row("▁the");
  one.begin();
  EXPECT_EQ(one.row("▁the"), before);
}

TEST(BeginWithVectors, RefusesWhatDoesNotFit) {
  const test::TempDir directory;
  NewModel wide(directory.write("wide.txt", "1 5\n▁the 1 2 3 4 5\n").string());
  test::expect_error(ErrorCode::kConfig,
                     {"tokenizer.vectors", "5 numbers", "embeddings of 4", "dim=4"},
                     [&] { wide.begin(); });
  NewModel strange(directory.write("strange.txt", "1 4\nqqqqqq 1 2 3 4\n").string());
  test::expect_error(ErrorCode::kData, {"strange.txt", "--tokenizer DIR"},
                     [&] { strange.begin(); });
  NewModel trained(directory.write("v.txt", "1 4\n▁the 1 2 3 4\n").string());
  const JsonDocument document{Json{{"model", {{"init_from", "x"}}}}, {}};
  trained.root = root_node(document);
  test::expect_error(ErrorCode::kConfig, {"tokenizer.vectors", "trained"},
                     [&] { trained.begin(); });
  NewModel missing((directory / "missing.txt").string());
  test::expect_error(ErrorCode::kMissing, {"missing.txt"}, [&] { missing.begin(); });
}

TEST(PlannedFacts, TakeWhatTheSectionReplaces) {
  const test::TempDir directory;
  NewModel("").model->save(directory.path());
  const auto positions = [&](const Json& changes) {
    Json section = {{"init_from", directory.path().string()}};
    section.update(changes);
    return planned_facts(ConfigNode(&section, "model", nullptr), *test::trained_tokenizer(),
                         HeadKind::kCausalLm)
        ->max_positions;
  };
  const auto own = positions(Json::object());
  EXPECT_EQ(positions({{"max_position_embeddings", own + 100}}), own + 100);
  test::expect_error(ErrorCode::kConfig, {"model.hidden_size", "4", "8"}, [&] {
    positions({{"hidden_size", 8}});
  });
}

/// What is said of a run that begins with the model and has this tokenizer.path.
std::string said_of(const std::filesystem::path& tokenizer, const std::filesystem::path& model) {
  const JsonDocument document{Json{{"model", {{"init_from", model.string()}}}}, {}};
  TokenizerSection section;
  section.path = tokenizer.string();
  set_log_level(LogLevel::kInfo);
  ::testing::internal::CaptureStderr();
  const ConfigNode root = root_node(document);
  warn_of_other_tokenizer(root, section, *assemble_tokenizer(root, section));
  return ::testing::internal::GetCapturedStderr();
}

TEST(WarnOfOtherTokenizer, CountsTheIdsOfOtherTokens) {
  const test::TempDir directory;
  const std::string special = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  directory.write("model/config.json", "{}");
  directory.write("model/vocab.txt", special + "a\nb\nc\nd\n");
  directory.write("other/vocab.txt", special + "a\nc\nb\n");
  const std::string path = (directory / "other").string(), model = (directory / "model").string();
  EXPECT_EQ(said_of(path, model),
            "llmctl: warning: tokenizer.path: " + path + " is not the tokenizer that " + model +
                " (model.init_from) was trained with: 2 of 8 ids stand for other tokens; leave "
                "tokenizer.path out to use the model's own\n");
  // Ids that the model's tokenizer does not have, or the other one, stand for nothing else.
  for (const char* same : {"a\nb\nc\n", "a\nb\nc\nd\ne\n"}) {
    directory.write("other/vocab.txt", special + same);
    EXPECT_EQ(said_of(path, model), "");
  }
  EXPECT_EQ(said_of(model, model), "");
}

TEST(WarnOfOtherTokenizer, NothingForOtherFilesOfTheSameTokens) {
  const test::TempDir directory;
  directory.write("model/config.json", "{}");
  test::trained_tokenizer()->save(directory / "model", 16);
  directory.write("json/tokenizer.json", read_file(directory / "model/tokenizer.json"));
  EXPECT_EQ(said_of(directory / "json", directory / "model"), "");
  EXPECT_EQ(said_of(directory / "model/tokenizer.model", directory / "model"), "");
  // Nor where the model has none of its own.
  directory.write("bare/config.json", "{}");
  EXPECT_EQ(said_of(directory / "model", directory / "bare"), "");
}

}  // namespace
}  // namespace llmctl
