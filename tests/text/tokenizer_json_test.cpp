#include "text/tokenizer_json.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/files.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"
#include "text/huggingface/huggingface_tokenizer.h"
#include "text/model_builder.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/trained_tokenizer.h"

namespace llmctl {
namespace {

using test::ModelBuilder;
using testing::ElementsAre;
using Kind = SentencePieceModel::Kind;
using Type = SentencePieceModel::PieceType;

const std::string kSpace = "\u2581";

Json json_of(const ModelBuilder& builder) {
  const SentencePieceTokenizer tokenizer(builder.build(), "x");
  return tokenizer_json(tokenizer.model(), tokenizer.special(), tokenizer.layout());
}

ModelBuilder bpe() {
  return ModelBuilder()
      .specials()
      .bytes()
      .kind(Kind::kBpe)
      .prefixed()
      .piece("ab", -0.0f)
      .piece("bc", -1)
      .piece("abc", -2)
      .piece("我们", -3)
      .piece("a", -4)
      .piece("b", -5)
      .piece("c", -6)
      .piece("我", -7)
      .piece("们", -8);
}

TEST(TokenizerJson, BpeMergesByScoreThenIds) {
  const Json json = json_of(bpe());
  const Json& model = json["model"];
  EXPECT_EQ(model["type"], "BPE");
  EXPECT_EQ(model["unk_token"], "<unk>");
  EXPECT_EQ(model["fuse_unk"], true);
  EXPECT_EQ(model["byte_fallback"], true);
  EXPECT_EQ(model["ignore_merges"], false);
  EXPECT_EQ(model["vocab"].size(), 268u);
  EXPECT_EQ(model["vocab"]["<unk>"], 0);
  EXPECT_EQ(model["vocab"]["ab"], 259);
  EXPECT_EQ(model["merges"], Json({"a b", "b c", "ab c", "a bc", "我 们"}));
}

TEST(TokenizerJson, NormalizerAndDecoderOfTheRecipe) {
  const Json json = json_of(bpe());
  EXPECT_EQ(json["version"], "1.0");
  EXPECT_EQ(json["normalizer"],
            Json({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kSpace}}));
  EXPECT_EQ(json["pre_tokenizer"]["type"], "Sequence");
  EXPECT_EQ(json["pre_tokenizer"]["pretokenizers"].size(), 2u);
  const Json& decoders = json["decoder"]["decoders"];
  ASSERT_EQ(decoders.size(), 4u);
  EXPECT_EQ(decoders[0]["type"], "Replace");
  EXPECT_EQ(decoders[1]["type"], "ByteFallback");
  EXPECT_EQ(decoders[2]["type"], "Fuse");
  EXPECT_EQ(decoders[3], Json({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}));
  EXPECT_EQ(json["post_processor"]["single"].size(), 2u);
  ASSERT_EQ(json["added_tokens"].size(), 3u);
  EXPECT_EQ(json["added_tokens"][1]["content"], "<s>");
  EXPECT_EQ(json["added_tokens"][1]["special"], true);
  EXPECT_EQ(json["added_tokens"][1]["lstrip"], false);
}

TEST(TokenizerJson, PlainModelsHaveNoPrefix) {
  const Json json = json_of(ModelBuilder().specials().kind(Kind::kChar).plain().piece("a", -1));
  EXPECT_TRUE(json["pre_tokenizer"].is_null());
  EXPECT_EQ(json["decoder"]["decoders"].size(), 2u);
  EXPECT_EQ(json["model"]["type"], "BPE");
  EXPECT_TRUE(json["model"]["merges"].empty());
}

TEST(TokenizerJson, ExtraSpacesAndTables) {
  const Json json = json_of(ModelBuilder().specials().piece("a", -1));
  ASSERT_EQ(json["normalizer"]["normalizers"].size(), 3u);
  EXPECT_EQ(json["normalizer"]["normalizers"][0]["pattern"]["Regex"], "^ +| +$");
  EXPECT_EQ(json["model"]["type"], "Unigram");
  EXPECT_EQ(json["model"]["unk_id"], 0);
  EXPECT_EQ(json["model"]["vocab"][3], Json({"a", -1.0}));
  EXPECT_EQ(json["model"]["byte_fallback"], false);

  // The shortest table: a root with a block of children and no key.
  std::string table(4 + 256 * 4 + 1, '\0');
  table[1] = 4;
  const Json mapped =
      json_of(ModelBuilder().specials().plain().normalizer(test::wire_bytes(2, table)));
  const std::string text = mapped["normalizer"]["normalizers"][0]["precompiled_charsmap"];
  EXPECT_EQ(text.substr(0, 8), "AAQAAAAA");
  EXPECT_EQ(text.size(), (table.size() + 2) / 3 * 4);
}

TEST(TokenizerJson, Base64Padding) {
  // 1029, 1030 and 1031 zero bytes.
  std::vector<std::string> ends;
  for (int extra = 0; extra < 3; ++extra) {
    std::string table(4 + 256 * 4 + 1 + static_cast<std::size_t>(extra), '\0');
    table[1] = 4;
    const Json json =
        json_of(ModelBuilder().specials().plain().normalizer(test::wire_bytes(2, table)));
    const std::string text = json["normalizer"]["normalizers"][0]["precompiled_charsmap"];
    ends.push_back(text.substr(text.size() - 2));
  }
  EXPECT_THAT(ends, ElementsAre("AA", "==", "A="));
}

TEST(TokenizerJson, UserDefinedPiecesAreCutOutLongestFirst) {
  const Json json = json_of(bpe().piece("$x", 0, Type::kUser).piece("$x|y", 0, Type::kUser));
  const Json& parts = json["pre_tokenizer"]["pretokenizers"];
  ASSERT_EQ(parts.size(), 4u);
  EXPECT_EQ(parts[2]["type"], "Split");
  EXPECT_EQ(parts[2]["behavior"], "Isolated");
  EXPECT_EQ(parts[2]["pattern"]["Regex"], "\\$x\\|y|\\$x");
  EXPECT_EQ(parts[3]["pattern"]["Regex"], "<(?=0x[0-9A-F]{2}>)");
  EXPECT_EQ(json["model"]["ignore_merges"], true);
}

TEST(TokenizerJson, WordsAreLookedUp) {
  const Json json =
      json_of(ModelBuilder().specials().kind(Kind::kWord).prefixed().piece(kSpace + "a", -1));
  EXPECT_EQ(json["model"]["type"], "WordLevel");
  EXPECT_EQ(json["pre_tokenizer"]["pretokenizers"].back()["split"], true);
}

// With ignore_merges (user-defined pieces of several characters) each piece must encode to itself.
TEST(TokenizerJson, TrainedPiecesEncodeToThemselves) {
  const auto tokenizer =
      std::dynamic_pointer_cast<const SentencePieceTokenizer>(test::trained_tokenizer());
  std::vector<Segment> segments;
  const auto segmenter = make_segmenter(tokenizer->model());
  for (const auto& piece : tokenizer->model().pieces) {
    if (piece.type != Type::kNormal) continue;
    segments.clear();
    segmenter->segment(piece.text, segments);
    EXPECT_EQ(segments.size(), 1u) << piece.text;
  }
}

TEST(TokenizerConfigJson, NamesTheSpecialTokensAndKeepsTheRest) {
  const auto masked = test::trained_tokenizer("masked");
  const Json loaded = parse_json(
      R"({"tokenizer_class": "LlamaTokenizer", "chat_template": "{{ x }}", "add_bos_token": true,
          "model_max_length": 5, "added_tokens_decoder": {}, "do_lower_case": false})",
      "");
  const Json config = tokenizer_config_json(*masked, loaded, 512);
  EXPECT_EQ(config["tokenizer_class"], "PreTrainedTokenizerFast");
  EXPECT_EQ(config["mask_token"], "[MASK]");
  EXPECT_EQ(config["unk_token"], "[UNK]");
  EXPECT_FALSE(config.contains("bos_token"));
  EXPECT_EQ(config["model_max_length"], 512);
  EXPECT_EQ(config["clean_up_tokenization_spaces"], false);
  EXPECT_EQ(config["model_input_names"], Json({"input_ids", "token_type_ids", "attention_mask"}));
  EXPECT_EQ(config["chat_template"], "{{ x }}");
  EXPECT_EQ(config["do_lower_case"], false);
  EXPECT_FALSE(config.contains("add_bos_token"));
  EXPECT_FALSE(config.contains("added_tokens_decoder"));

  const auto causal = test::trained_tokenizer("causal");
  const Json plain = tokenizer_config_json(*causal, nullptr, 0);
  EXPECT_FALSE(plain.contains("model_max_length"));
  EXPECT_EQ(plain["model_input_names"], Json({"input_ids", "attention_mask"}));
  EXPECT_EQ(special_tokens_map_json(*causal),
            Json({{"bos_token", "<s>"}, {"eos_token", "</s>"}, {"unk_token", "<unk>"}}));
}

/// As transformers reads it: tokenizer_config.json goes before what tokenizer.json says.
TEST(TokenizerConfigJson, TheSideThatLongTextsLose) {
  using Side = std::optional<TruncationSide>;
  const auto side = [](const Json& config, const Json& truncation) {
    Json files = json_of(bpe());
    files["truncation"] = truncation;
    return stored_truncation_side(HuggingFaceTokenizer({files, config, "tokenizer.json"}));
  };
  const Json left = {
      {"direction", "Left"}, {"max_length", 8}, {"strategy", "LongestFirst"}, {"stride", 0}};
  EXPECT_EQ(side(nullptr, nullptr), Side());
  EXPECT_EQ(side(Json::object(), nullptr), Side());
  EXPECT_EQ(side(nullptr, left), Side(TruncationSide::kLeft));
  EXPECT_EQ(side({{"truncation_side", "right"}}, left), Side(TruncationSide::kRight));
  EXPECT_EQ(side({{"truncation_side", "left"}}, nullptr), Side(TruncationSide::kLeft));
  for (const Json& bad : {Json("middle"), Json(1)}) {
    test::expect_error(
        ErrorCode::kData,
        {"tokenizer_config.json: truncation_side: expected left or right, got " + dump_json(bad)},
        [&] {
          side({{"truncation_side", bad}}, nullptr);
        });
  }
  const SentencePieceTokenizer pieces(bpe().build(), "x");
  EXPECT_EQ(stored_truncation_side(pieces), Side());

  const test::TempDir saved;
  test::trained_tokenizer("masked")->save(saved.path(), 16);
  const Json before = load_json(saved / "tokenizer_config.json");
  replace_truncation_side(saved.path(), TruncationSide::kLeft);
  Json after = load_json(saved / "tokenizer_config.json");
  EXPECT_EQ(after["truncation_side"], "left");
  after.erase("truncation_side");
  EXPECT_EQ(after, before);
}

}  // namespace
}  // namespace llmctl
