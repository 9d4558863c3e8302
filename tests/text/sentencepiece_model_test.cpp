#include "text/sentencepiece_model.h"

#include <gmock/gmock.h>

#include <limits>

#include "base/error.h"
#include "base/random.h"
#include "support/temp_dir.h"
#include "text/model_builder.h"

namespace llmctl {
namespace {

using test::ModelBuilder;
using test::wire_bytes;
using test::wire_float;
using test::wire_integer;
using testing::HasSubstr;
using Type = SentencePieceModel::PieceType;

/// The message with which the bytes are refused; they must be, as data.
std::string refusal(const std::string& bytes) {
  try {
    parse_sentencepiece_model(bytes, "bad.model");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kData);
    EXPECT_THAT(error.what(), testing::StartsWith("bad.model: "));
    return error.what();
  }
  ADD_FAILURE() << "accepted";
  return "";
}

ModelBuilder small() {
  return ModelBuilder().specials().piece("a", -1).piece("b", -2);
}

TEST(SentencePieceModel, ReadsEveryFact) {
  const SentencePieceModel model =
      ModelBuilder()
          .piece("<unk>", 0, Type::kUnknown)
          .piece("[CLS]", 0, Type::kControl)
          .piece("a", -1.5f)
          .piece("<|user|>", 0, Type::kUser)
          .piece("我", -2.25f, Type::kUnused)
          .kind(SentencePieceModel::Kind::kBpe)
          .trainer(wire_bytes(44, "?") + wire_bytes(46, "[CLS]") + wire_bytes(47, "[SEP]") +
                   wire_bytes(48, "[PAD]"))
          .normalizer(wire_bytes(1, "identity") + wire_integer(3, 0) + wire_integer(4, 0))
          .build();
  ASSERT_EQ(model.pieces.size(), 5u);
  EXPECT_EQ(model.pieces[2].text, "a");
  EXPECT_EQ(model.pieces[2].score, -1.5f);
  EXPECT_EQ(model.pieces[3].type, Type::kUser);
  EXPECT_EQ(model.pieces[4].type, Type::kUnused);
  EXPECT_EQ(model.unknown, 0);
  EXPECT_EQ(model.kind, SentencePieceModel::Kind::kBpe);
  EXPECT_EQ(kind_name(model.kind), "bpe");
  EXPECT_FALSE(model.byte_fallback);
  EXPECT_EQ(model.unknown_surface, "?");
  EXPECT_EQ(model.bos_piece, "[CLS]");
  EXPECT_EQ(model.eos_piece, "[SEP]");
  EXPECT_EQ(model.pad_piece, "[PAD]");
  EXPECT_EQ(model.normalizer_name, "identity");
  EXPECT_FALSE(model.add_dummy_prefix);
  EXPECT_FALSE(model.remove_extra_whitespaces);
}

TEST(SentencePieceModel, DefaultsAreTheFormats) {
  const SentencePieceModel model = small().build();
  EXPECT_EQ(model.kind, SentencePieceModel::Kind::kUnigram);
  EXPECT_TRUE(model.add_dummy_prefix);
  EXPECT_TRUE(model.remove_extra_whitespaces);
  EXPECT_EQ(model.unknown_surface, " \u2047 ");
  EXPECT_TRUE(model.charsmap.empty());
}

TEST(SentencePieceModel, UnknownFieldsAreSkippedAndLaterValuesWin) {
  const std::string more = wire_integer(900, 7) + wire_bytes(901, "x") + wire_float(902, 1);
  const std::string piece = wire_bytes(1, wire_bytes(1, "x") + wire_bytes(1, "c") + more);
  const SentencePieceModel model =
      parse_sentencepiece_model(small().serialized() + piece + more, "test.model");
  EXPECT_EQ(model.pieces.back().text, "c");
}

TEST(SentencePieceModel, BytePieces) {
  const SentencePieceModel model = ModelBuilder().specials().bytes().build();
  EXPECT_TRUE(model.byte_fallback);
  EXPECT_EQ(byte_of_piece("<0x00>"), 0);
  EXPECT_EQ(byte_of_piece("<0x3C>"), 0x3C);
  EXPECT_EQ(byte_of_piece("<0xFF>"), 255);
}

TEST(SentencePieceModel, RefusesBadPieces) {
  const auto with = [](std::string_view text, float score, int type) {
    return refusal(small().serialized() +
                   wire_bytes(1, wire_bytes(1, text) + wire_float(2, score) +
                                     wire_integer(3, static_cast<std::uint64_t>(type))));
  };
  EXPECT_THAT(with("", 0, 1), HasSubstr("pieces[5].piece: empty"));
  EXPECT_THAT(with(std::string(1001, 'x'), 0, 1), HasSubstr("pieces[5].piece: 1001 bytes"));
  EXPECT_THAT(with(std::string("\0", 1), 0, 1), HasSubstr("pieces[5].piece: contains NUL"));
  EXPECT_THAT(with("x\xFF", 0, 1), HasSubstr("pieces[5].piece: not UTF-8 at byte 1"));
  EXPECT_THAT(with("a", 0, 1), HasSubstr("pieces[5].piece: \"a\" occurs twice"));
  EXPECT_THAT(with("x", 0, 0), HasSubstr("pieces[5].type: 0"));
  EXPECT_THAT(with("x", 0, 7), HasSubstr("pieces[5].type: 7"));
  EXPECT_THAT(with("x", 0, 2), HasSubstr("pieces[5].type: a second unknown piece"));
  EXPECT_THAT(with("x", 0, 6), HasSubstr("not of the form <0xHH>"));
  EXPECT_THAT(with("<0x0a>", 0, 6), HasSubstr("not of the form <0xHH>"));
  EXPECT_THAT(with("<0x0A>", 0, 6), HasSubstr("a byte piece without byte_fallback"));
  EXPECT_THAT(with("x", std::numeric_limits<float>::quiet_NaN(), 1), HasSubstr("pieces[5].score"));
  EXPECT_THAT(with("x", -std::numeric_limits<float>::infinity(), 1), HasSubstr("pieces[5].score"));
  EXPECT_THAT(refusal(small().serialized() + wire_bytes(1, "")),
              HasSubstr("pieces[5].piece: missing"));
  EXPECT_THAT(refusal(small().serialized() + wire_bytes(1, wire_integer(1, 3))),
              HasSubstr("pieces[5].piece: not a string"));
  EXPECT_THAT(refusal(small().serialized() + wire_bytes(1, wire_bytes(2, "x"))),
              HasSubstr("pieces[5].score: not a number"));
  EXPECT_THAT(refusal(small().serialized() + wire_bytes(1, wire_float(3, 1))),
              HasSubstr("pieces[5].type: not an integer"));
  parse_sentencepiece_model(small().piece(std::string(1000, 'x')).serialized(), "good.model");
}

TEST(SentencePieceModel, RefusesWhatDoesNotFitTogether) {
  EXPECT_THAT(refusal(ModelBuilder().piece("a").serialized()), HasSubstr("no unknown piece"));
  EXPECT_THAT(refusal(ModelBuilder().serialized()), HasSubstr("no pieces"));
  EXPECT_THAT(refusal(small().trainer(wire_integer(35, 1)).serialized()),
              HasSubstr("without the piece <0x00>"));
  EXPECT_THAT(refusal(small().trainer(wire_integer(3, 5)).serialized()),
              HasSubstr("trainer_spec.model_type: 5"));
  EXPECT_THAT(refusal(small().trainer(wire_integer(24, 1)).serialized()),
              HasSubstr("trainer_spec.treat_whitespace_as_suffix"));
  EXPECT_THAT(refusal(small().trainer(wire_bytes(46, "")).serialized()),
              HasSubstr("trainer_spec.bos_piece: empty"));
  EXPECT_THAT(refusal(small().normalizer(wire_integer(5, 0)).serialized()),
              HasSubstr("normalizer_spec.escape_whitespaces"));
  EXPECT_THAT(refusal(small().normalizer(wire_bytes(2, "abc")).serialized()),
              HasSubstr("normalizer_spec.precompiled_charsmap: only 3 bytes"));
  EXPECT_THAT(refusal(small().serialized() + wire_bytes(5, wire_bytes(2, "abc"))),
              HasSubstr("denormalizer_spec.precompiled_charsmap"));
}

TEST(SentencePieceModel, RefusesBrokenBytes) {
  EXPECT_THAT(refusal(""), HasSubstr("no pieces"));
  EXPECT_THAT(refusal("\x80"), HasSubstr("ends inside a number"));
  EXPECT_THAT(refusal(std::string(11, '\xFF')), HasSubstr("more than 10 bytes"));
  EXPECT_THAT(refusal("\x0A\xFF\xFF\xFF\x0F"),
              HasSubstr("field 1: 33554431 bytes where 0 are left"));
  EXPECT_THAT(refusal("\x0F"), HasSubstr("field 1: wire type 7"));
  EXPECT_THAT(refusal("\x0B"), HasSubstr("field 1: wire type 3"));
  EXPECT_THAT(refusal(std::string("\0", 1)), HasSubstr("a number that no field has"));
  EXPECT_THAT(refusal("This is a text, not a model.\n"), HasSubstr("bad.model: "));
  EXPECT_THAT(refusal(std::string((64u << 20) + 1, 'x')), HasSubstr("at most 67108864"));
}

// Whatever is cut off or changed, the answer is a model or an Error.
TEST(SentencePieceModel, SurvivesMutations) {
  const std::string good =
      small().piece("<|x|>", 0, Type::kUser).kind(SentencePieceModel::Kind::kBpe).serialized();
  Random random(random_key(7, "mutations"));
  std::size_t refused = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string bytes = good;
    if (i % 3 == 0) bytes.resize(random.below(good.size()));
    for (std::uint64_t n = 1 + random.below(3); n > 0 && !bytes.empty(); --n) {
      bytes[random.below(bytes.size())] = static_cast<char>(random.below(256));
    }
    try {
      parse_sentencepiece_model(bytes, "x.model");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kData);
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000u);
}

TEST(SentencePieceModel, LoadsAFile) {
  const test::TempDir directory;
  EXPECT_EQ(
      load_sentencepiece_model(directory.write("a.model", small().serialized())).pieces.size(), 5u);
  try {
    load_sentencepiece_model(directory / "none.model");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kMissing);
  }
}

}  // namespace
}  // namespace llmctl
