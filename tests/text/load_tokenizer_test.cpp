#include <gmock/gmock.h>

#include "base/error.h"
#include "base/files.h"
#include "support/temp_dir.h"
#include "text/model_builder.h"
#include "text/tokenizer.h"
#include "text/tokenizer_location.h"
#include "text/trained_tokenizer.h"

namespace llmctl {
namespace {

using test::ModelBuilder;
using testing::ElementsAre;
using testing::HasSubstr;
using Type = SentencePieceModel::PieceType;

std::string letters() {
  return ModelBuilder()
      .specials()
      .kind(SentencePieceModel::Kind::kBpe)
      .plain()
      .piece("a", -1)
      .piece("b", -2)
      .serialized();
}

std::string error_of(ErrorCode code, const std::filesystem::path& path) {
  try {
    load_tokenizer(path);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(path.string()));
    return error.what();
  }
  ADD_FAILURE() << "loaded";
  return "";
}

TEST(LoadTokenizer, FilesAndDirectories) {
  const test::TempDir directory;
  for (const char* name : {"a/tokenizer.model", "b/spiece.model", "c/sentencepiece.bpe.model"}) {
    const auto path = directory.write(name, letters());
    EXPECT_EQ(load_tokenizer(path)->vocab_size(), 5);
    EXPECT_THAT(load_tokenizer(path.parent_path())->encode("ab"), ElementsAre(3, 4));
  }
  EXPECT_EQ(load_tokenizer(directory.write("x.spm", letters()))->vocab_size(), 5);
}

TEST(LoadTokenizer, OfARunIsThatOfItsCheckpoint) {
  const test::TempDir directory;
  const auto run = directory.write("run/run.json", "{}").parent_path();
  EXPECT_THAT(error_of(ErrorCode::kMissing, run), HasSubstr("no checkpoint yet"));
  directory.write("run/last/tokenizer.model", letters());
  EXPECT_EQ(tokenizer_location(run), run / "last");
  EXPECT_EQ(load_tokenizer(run)->vocab_size(), 5);
  directory.write("run/best/tokenizer.model", letters());
  EXPECT_EQ(tokenizer_location(run), run / "best");
  // Other directories are themselves, and a tokenizer that was put into a run is that.
  EXPECT_EQ(tokenizer_location(run / "last"), run / "last");
  directory.write("run/tokenizer.model", letters());
  EXPECT_EQ(tokenizer_location(run), run);
}

TEST(LoadTokenizer, NamesWhatItCannotRead) {
  const test::TempDir directory;
  EXPECT_THAT(error_of(ErrorCode::kMissing, directory / "none"), HasSubstr("no such file"));
  EXPECT_THAT(error_of(ErrorCode::kMissing, directory.path()),
              HasSubstr("expected one of tokenizer.model, spiece.model, sentencepiece.bpe.model"));
  const auto only = [&](const std::string& file) {
    return directory.write(std::filesystem::path("of-" + file) / file, "{}").parent_path();
  };
  EXPECT_THAT(error_of(ErrorCode::kData, only("tokenizer.json")), HasSubstr("missing \"model\""));
  EXPECT_THAT(error_of(ErrorCode::kData, only("vocab.txt")),
              HasSubstr("vocab.txt: the unknown token is not in it"));
  EXPECT_THAT(error_of(ErrorCode::kMissing, only("vocab.json")),
              HasSubstr("merges.txt: no such file"));
  EXPECT_THAT(error_of(ErrorCode::kData, only("source.spm")), HasSubstr("source.spm: "));
  EXPECT_THAT(error_of(ErrorCode::kData, directory.write("t.json", "{}")),
              HasSubstr("missing \"model\""));
  EXPECT_THAT(error_of(ErrorCode::kData, directory.write("t.txt", "a")),
              HasSubstr("not a tokenizer that is supported"));
  EXPECT_THAT(error_of(ErrorCode::kData, directory.write("bad.model", "text")),
              HasSubstr("bad.model"));
}

TEST(LoadTokenizer, ConfigurationBesideTheModel) {
  const test::TempDir directory;
  directory.write("tokenizer.model", letters());
  const auto config = [&](const std::string& text) {
    directory.write("tokenizer_config.json", text);
    return load_tokenizer(directory.path());
  };
  const std::vector<TokenId> a = {3};
  EXPECT_THAT(config("{}")->with_special(a), ElementsAre(1, 3));
  EXPECT_EQ(config(R"({"pad_token": "</s>"})")->special().pad, 2);
  EXPECT_THAT(
      config(R"({"tokenizer_class": "LlamaTokenizer", "add_eos_token": true})")->with_special(a),
      ElementsAre(1, 3, 2));
  EXPECT_THAT(config(R"({"add_bos_token": false})")->with_special(a), ElementsAre(3));
  const auto refusal = [&](const std::string& text) {
    directory.write("tokenizer_config.json", text);
    return error_of(ErrorCode::kData, directory.path());
  };
  EXPECT_THAT(refusal("[]"), HasSubstr("tokenizer_config.json: expected an object"));
  EXPECT_THAT(refusal(R"({"tokenizer_class": 3})"),
              HasSubstr("tokenizer_class: expected a string"));
  EXPECT_THAT(
      refusal(R"({"tokenizer_class": "AlbertTokenizer"})"),
      HasSubstr("tokenizer_class \"AlbertTokenizer\" is not supported with a SentencePiece model"));
  EXPECT_THAT(refusal(R"({"add_bos_token": "yes"})"),
              HasSubstr("add_bos_token: expected true or false"));
  EXPECT_THAT(refusal(R"({"mask_token": "[MASK]"})"), HasSubstr("mask_token \"[MASK]\""));
}

TEST(LoadTokenizer, TokenizerJsonMustAgree) {
  const test::TempDir directory;
  directory.write("tokenizer.model", letters());
  const std::string good =
      R"({"model": {"vocab": {"<unk>": 0, "<s>": 1, "</s>": 2, "a": 3, "b": 4}}, )"
      R"("added_tokens": [{"id": 1, "content": "<s>"}], "post_processor": null})";
  directory.write("tokenizer.json", good);
  EXPECT_THAT(load_tokenizer(directory.path())->with_special(std::vector<TokenId>{3}),
              ElementsAre(3));
  const auto refusal = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    directory.write("tokenizer.json", text);
    return error_of(ErrorCode::kData, directory.path());
  };
  EXPECT_THAT(refusal(R"("a": 3, "b": 4)", R"("a": 4, "b": 3)"),
              HasSubstr("model.vocab: \"a\" has the id 4, which the model gives \"b\""));
  EXPECT_THAT(refusal(R"(, "b": 4)", ""), HasSubstr("4 tokens, but the model beside it has 5"));
  EXPECT_THAT(refusal(R"("b": 4)", R"("b": -4)"), HasSubstr("expected an id"));
  EXPECT_THAT(refusal(R"("content": "<s>")", R"("content": 3)"),
              HasSubstr("content: expected a string"));
  EXPECT_THAT(refusal(R"("model")", R"("modell")"), HasSubstr("missing \"model\""));
  EXPECT_THAT(refusal(R"("vocab": {)", R"("vocab": [], "x": {)"), HasSubstr("0 tokens"));
  EXPECT_THAT(refusal(R"("post_processor": null)", R"("post_processor": {"type": "Other"})"),
              HasSubstr("post_processor"));
  directory.write(
      "tokenizer.json",
      R"({"model": {"vocab": [["<unk>", 0], ["<s>", 0], ["</s>", 0], ["a", -1], ["b", -2]]}})");
  EXPECT_EQ(load_tokenizer(directory.path())->vocab_size(), 5);

  directory.write("added_tokens.json", R"({"</s>": 2})");
  EXPECT_EQ(load_tokenizer(directory.path())->vocab_size(), 5);
  directory.write("added_tokens.json", R"({"<pad>": 5})");
  EXPECT_THAT(error_of(ErrorCode::kData, directory.path()), HasSubstr("added_tokens.json"));
}

TEST(LoadTokenizer, SavedAgainItIsTheSame) {
  for (const char* recipe : {"causal", "masked"}) {
    const auto tokenizer = test::trained_tokenizer(recipe);
    const test::TempDir directory;
    tokenizer->save(directory.path(), 128);
    const auto again = load_tokenizer(directory.path());
    EXPECT_EQ(again->fingerprint(), tokenizer->fingerprint());
    EXPECT_EQ(load_json(directory / "tokenizer_config.json")["model_max_length"], 128);
    const test::TempDir second;
    again->save(second.path(), 128);
    for (const char* file : {"tokenizer.model", "tokenizer.json", "tokenizer_config.json",
                             "special_tokens_map.json"}) {
      EXPECT_EQ(test::slurp(second / file), test::slurp(directory / file)) << file;
    }
  }
}

}  // namespace
}  // namespace llmctl
