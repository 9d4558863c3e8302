// Tokenizers against golden results of the sentencepiece package and of Hugging Face's tokenizers,
// and against files made to harm.
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "base/files.h"
#include "config/json.h"
#include "support/parity_dir.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/stream.h"
#include "text/tokenizer.h"

namespace llmctl {
namespace {

std::vector<std::filesystem::path> sentencepiece_cases() {
  std::vector<std::filesystem::path> cases;
  for (const auto& directory : test::parity_cases("tokenizers")) {
    if (std::filesystem::exists(directory / "tokenizer.model")) cases.push_back(directory);
  }
  return cases;
}

/// A tokenizer's golden lines: what encode(text) and the rest must give.
void check_goldens(const std::filesystem::path& directory,
                   const std::shared_ptr<const Tokenizer>& tokenizer,
                   const std::function<Encoding(std::string_view)>& encode) {
  std::size_t rows = 0;
  for_each_line(directory / "golden.jsonl", [&](std::uint64_t number, std::string_view line) {
    SCOPED_TRACE(number);
    const Json row = parse_json(line, "golden.jsonl");
    const std::string text = row["text"];
    const Encoding encoding = encode(text);
    const auto ids = row["ids"].get<std::vector<TokenId>>();
    EXPECT_EQ(encoding.ids, ids) << text;
    const auto with_special = row["ids_with_special"].get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer->with_special(ids), with_special);

    const std::vector<ByteSpan> spans = character_offsets(text, encoding.offsets);
    EXPECT_EQ(spans.size(), row["offsets"].size());
    for (std::size_t i = 0; i < spans.size() && i < ids.size(); ++i) {
      const ByteSpan expected{row["offsets"][i][0].get<std::size_t>(),
                              row["offsets"][i][1].get<std::size_t>()};
      EXPECT_EQ(spans[i], expected) << "token " << i << " of " << text;
      if (ids[i] != tokenizer->special().unk) {  // whose name SentencePiece spells as the text
        EXPECT_EQ(tokenizer->piece(ids[i]), row["tokens"][i].get<std::string>());
      }
    }

    const std::string decoded = row["decoded"];
    EXPECT_EQ(tokenizer->decode(ids, true), decoded);
    EXPECT_EQ(tokenizer->decode(with_special), row.value("decoded_skip", decoded));
    StreamDecoder stream(tokenizer, true);
    std::string streamed;
    for (const TokenId id : ids) streamed += stream.push(id);
    EXPECT_EQ(streamed + stream.finish(), decoded);
    ++rows;
    return !testing::Test::HasFailure();
  });
  EXPECT_GT(rows, 0u);
}

TEST(TokenizerParity, SentencePieceGoldens) {
  const auto cases = sentencepiece_cases();
  if (cases.empty()) LLMCTL_NEEDS_PARITY("tokenizers/spm_bpe");
  for (const auto& directory : cases) {
    SCOPED_TRACE(directory.filename().string());
    const auto tokenizer = load_tokenizer(directory);
    check_goldens(directory, tokenizer, [&](std::string_view text) {
      Encoding encoding = tokenizer->encode_with_offsets(text);
      EXPECT_EQ(tokenizer->encode(text), encoding.ids);
      return encoding;
    });
  }
}

std::vector<std::filesystem::path> huggingface_cases() {
  std::vector<std::filesystem::path> cases;
  for (const auto& directory : test::parity_cases("tokenizers")) {
    if (!std::filesystem::exists(directory / "tokenizer.model")) cases.push_back(directory);
  }
  return cases;
}

TEST(TokenizerParity, HuggingFaceGoldens) {
  const auto cases = huggingface_cases();
  if (cases.empty()) LLMCTL_NEEDS_PARITY("tokenizers/bytebpe_gpt2");
  for (const auto& directory : cases) {
    SCOPED_TRACE(directory.filename().string());
    const auto tokenizer = load_tokenizer(directory);
    check_goldens(directory, tokenizer, [&](std::string_view text) {
      return tokenizer->encode_with_special_pieces(text);
    });
  }
}

/// Tokenizers of translation models, tested beside their models.
TEST(TokenizerParity, EncoderDecoderGoldens) {
  std::size_t cases = 0;
  for (const auto& directory : test::parity_cases("models")) {
    if (!std::filesystem::exists(directory / "golden_tokens.jsonl")) continue;
    SCOPED_TRACE(directory.filename().string());
    ++cases;
    const auto tokenizer = load_tokenizer(directory);
    for_each_line(
        directory / "golden_tokens.jsonl", [&](std::uint64_t number, std::string_view line) {
          SCOPED_TRACE(number);
          const Json row = parse_json(line, "golden_tokens.jsonl");
          const std::string text = row["text"];
          const auto ids_of = [&](const Tokenizer& side) {
            return side.with_special(side.encode(text));
          };
          const auto golden = [&](const char* key) { return row[key].get<std::vector<TokenId>>(); };
          if (row.contains("ids")) {
            EXPECT_EQ(tokenizer->with_special(tokenizer->encode_with_special_pieces(text).ids),
                      golden("ids"));
            EXPECT_EQ(tokenizer->decode(golden("ids"), true), row["decoded"].get<std::string>());
          } else {
            EXPECT_EQ(ids_of(*tokenizer), golden("source_ids"));
            EXPECT_EQ(ids_of(tokenizer->target()), golden("target_ids"));
            EXPECT_EQ(tokenizer->target().decode(golden("target_ids")),
                      row["decoded"].get<std::string>());
          }
          return !testing::Test::HasFailure();
        });
  }
  if (cases == 0) LLMCTL_NEEDS_PARITY("models/t5/golden_tokens.jsonl");
}

TEST(TokenizerParity, SentencePiecePieces) {
  const auto cases = sentencepiece_cases();
  if (cases.empty()) LLMCTL_NEEDS_PARITY("tokenizers/spm_bpe");
  for (const auto& directory : cases) {
    SCOPED_TRACE(directory.filename().string());
    const SentencePieceModel model = load_sentencepiece_model(directory / "tokenizer.model");
    const Json pieces = load_json(directory / "pieces.json");
    ASSERT_EQ(model.pieces.size(), pieces.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      EXPECT_EQ(model.pieces[i].text, pieces[i][0].get<std::string>());
      EXPECT_EQ(model.pieces[i].score, pieces[i][1].get<float>());
      using Type = SentencePieceModel::PieceType;
      const std::string type = pieces[i][2];
      EXPECT_EQ(model.pieces[i].type, type == "unk"       ? Type::kUnknown
                                      : type == "control" ? Type::kControl
                                      : type == "byte"    ? Type::kByte
                                                          : Type::kNormal);
    }
  }
}

TEST(TokenizerParity, HostileModelsAreRefused) {
  LLMCTL_NEEDS_PARITY("formats/hostile/manifest.json");
  const std::filesystem::path directory = test::parity_dir() / "formats/hostile";
  std::size_t count = 0;
  for (const Json& entry : load_json(directory / "manifest.json")) {
    if (entry["kind"] != "sentencepiece") continue;
    const std::string file = entry["file"];
    SCOPED_TRACE(file);
    ++count;
    try {
      load_tokenizer(directory / file);
      ADD_FAILURE() << "accepted: " << entry["wrong"];
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData);
      EXPECT_NE(std::string(error.what()).find(file + ": "), std::string::npos) << error.what();
      EXPECT_LT(std::string(error.what()).size(), 400u);
    }
  }
  EXPECT_GT(count, 0u);
}

TEST(TokenizerParity, HostileTokenizerFilesAreRefused) {
  LLMCTL_NEEDS_PARITY("formats/hostile/manifest.json");
  const std::filesystem::path directory = test::parity_dir() / "formats/hostile";
  std::size_t count = 0;
  for (const Json& entry : load_json(directory / "manifest.json")) {
    if (entry["kind"] != "tokenizer.json") continue;
    const std::string file = entry["file"];
    SCOPED_TRACE(file);
    ++count;
    try {
      load_tokenizer(directory / file);
      ADD_FAILURE() << "accepted: " << entry["wrong"];
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData);
      const std::string message = error.what();
      EXPECT_NE(message.find(file + ":"), std::string::npos) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      EXPECT_LT(message.size(), 500u);
    }
  }
  if (count == 0) LLMCTL_NEEDS_PARITY("formats/hostile/tokenizer_truncated.json");
}

TEST(TokenizerParity, SmallModelLoads) {
  LLMCTL_NEEDS_PARITY("formats/valid/small_sentencepiece.model");
  const auto tokenizer =
      load_tokenizer(test::parity_dir() / "formats/valid/small_sentencepiece.model");
  EXPECT_GT(tokenizer->vocab_size(), 0);
  EXPECT_FALSE(tokenizer->encode("a b").empty());
}

}  // namespace
}  // namespace llmctl
