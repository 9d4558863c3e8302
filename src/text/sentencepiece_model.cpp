#include "text/sentencepiece_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_set>

#include "base/error.h"
#include "base/files.h"
#include "base/utf8.h"
#include "text/charsmap.h"
#include "text/wire.h"

namespace llmctl {
namespace {

using Kind = SentencePieceModel::Kind;
using Piece = SentencePieceModel::Piece;
using PieceType = SentencePieceModel::PieceType;

constexpr std::size_t kMaxModelBytes = 64u << 20;
constexpr std::size_t kMaxPieces = 1'000'000;
constexpr std::size_t kMaxPieceBytes = 1000;

constexpr char kHex[] = "0123456789ABCDEF";

bool is_byte_piece(std::string_view text) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
  return text.size() == 6 && text.starts_with("<0x") && is_hex(text[3]) && is_hex(text[4]) &&
         text[5] == '>';
}

/// A short string of the model: not empty, UTF-8, no NUL.
std::string checked_text(std::string_view text, const WirePlace& place, std::string_view field) {
  if (text.empty()) place.fail(field, "empty");
  if (text.size() > kMaxPieceBytes) {
    place.fail(field, concat(text.size(), " bytes, at most ", kMaxPieceBytes));
  }
  if (const auto bad = find_invalid_utf8(text)) {
    place.fail(field, concat("not UTF-8 at byte ", *bad));
  }
  if (text.find('\0') != text.npos) place.fail(field, "contains NUL");
  return std::string(text);
}

Piece read_piece(std::string_view message, const WirePlace& place) {
  Piece piece;
  bool has_text = false;
  WireReader reader(message, place);
  for (WireField field; reader.next(field);) {
    if (field.number == 1) {
      piece.text = checked_text(reader.bytes(field, "piece"), place, "piece");
      has_text = true;
    } else if (field.number == 2) {
      piece.score = reader.number(field, "score");
      if (!std::isfinite(piece.score)) place.fail("score", "not a finite number");
    } else if (field.number == 3) {
      const std::uint64_t type = reader.varint(field, "type");
      if (type < 1 || type > 6) place.fail("type", concat(type, ", expected 1 to 6"));
      piece.type = static_cast<PieceType>(type);
    }
  }
  if (!has_text) place.fail("piece", "missing");
  if (piece.type == PieceType::kByte && !is_byte_piece(piece.text)) {
    place.fail("piece", concat("\"", piece.text, "\" is not of the form <0xHH>"));
  }
  return piece;
}

void read_trainer_spec(std::string_view message, const WirePlace& place,
                       SentencePieceModel& model) {
  WireReader reader(message, place);
  const auto text = [&](const WireField& field, std::string_view name) {
    return checked_text(reader.bytes(field, name), place, name);
  };
  for (WireField field; reader.next(field);) {
    switch (field.number) {
      case 3: {
        const std::uint64_t kind = reader.varint(field, "model_type");
        if (kind < 1 || kind > 4) place.fail("model_type", concat(kind, ", expected 1 to 4"));
        model.kind = static_cast<Kind>(kind);
        break;
      }
      case 24:
        if (reader.flag(field, "treat_whitespace_as_suffix")) {
          place.fail("treat_whitespace_as_suffix", "true is not supported");
        }
        break;
      case 35:
        model.byte_fallback = reader.flag(field, "byte_fallback");
        break;
      case 44:
        model.unknown_surface =
            reader.bytes(field, "unk_surface").empty() ? "" : text(field, "unk_surface");
        break;
      case 46:
        model.bos_piece = text(field, "bos_piece");
        break;
      case 47:
        model.eos_piece = text(field, "eos_piece");
        break;
      case 48:
        model.pad_piece = text(field, "pad_piece");
        break;
      default:
        break;
    }
  }
}

void read_normalizer_spec(std::string_view message, const WirePlace& place,
                          SentencePieceModel& model) {
  WireReader reader(message, place);
  for (WireField field; reader.next(field);) {
    switch (field.number) {
      case 1:
        model.normalizer_name = reader.bytes(field, "name");
        break;
      case 2:
        model.charsmap_bytes = reader.bytes(field, "precompiled_charsmap");
        break;
      case 3:
        model.add_dummy_prefix = reader.flag(field, "add_dummy_prefix");
        break;
      case 4:
        model.remove_extra_whitespaces = reader.flag(field, "remove_extra_whitespaces");
        break;
      case 5:
        if (!reader.flag(field, "escape_whitespaces")) {
          place.fail("escape_whitespaces", "false is not supported");
        }
        break;
      default:
        break;
    }
  }
}

void refuse_denormalizer(std::string_view message, const WirePlace& place) {
  WireReader reader(message, place);
  for (WireField field; reader.next(field);) {
    if (field.number == 2 && !reader.bytes(field, "precompiled_charsmap").empty()) {
      place.fail("precompiled_charsmap", "a denormaliser is not supported");
    }
  }
}

/// What holds between the pieces.
void check_pieces(SentencePieceModel& model, const std::string& source) {
  const auto place = [&](std::size_t i) {
    return WirePlace{source, "pieces", static_cast<std::int64_t>(i)};
  };
  if (model.pieces.empty())
    fail(ErrorCode::kData, source, ": no pieces: not a SentencePiece model");
  std::unordered_set<std::string_view> texts;
  texts.reserve(model.pieces.size());
  std::array<bool, 256> bytes{};
  std::size_t unknown = 0;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const Piece& piece = model.pieces[i];
    if (!texts.insert(piece.text).second) {
      place(i).fail("piece", concat("\"", piece.text, "\" occurs twice"));
    }
    if (piece.type == PieceType::kUnknown) {
      if (++unknown > 1) place(i).fail("type", "a second unknown piece");
      model.unknown = static_cast<std::int32_t>(i);
    }
    if (piece.type == PieceType::kByte) {
      if (!model.byte_fallback) place(i).fail("type", "a byte piece without byte_fallback");
      bytes[byte_of_piece(piece.text)] = true;
    }
  }
  if (unknown == 0) fail(ErrorCode::kData, source, ": pieces: no unknown piece (type 2)");
  if (model.byte_fallback) {
    const auto missing = std::find(bytes.begin(), bytes.end(), false);
    if (missing != bytes.end()) {
      const auto byte = static_cast<unsigned>(missing - bytes.begin());
      fail(ErrorCode::kData, source, ": pieces: byte_fallback without the piece <0x",
           kHex[byte >> 4], kHex[byte & 15], ">");
    }
  }
}

}  // namespace

std::string_view kind_name(SentencePieceModel::Kind kind) {
  switch (kind) {
    case Kind::kUnigram:
      return "unigram";
    case Kind::kBpe:
      return "bpe";
    case Kind::kWord:
      return "word";
    case Kind::kChar:
      return "char";
  }
  return "";
}

unsigned char byte_of_piece(std::string_view piece) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'A' + 10; };
  return static_cast<unsigned char>(digit(piece[3]) << 4 | digit(piece[4]));
}

SentencePieceModel parse_sentencepiece_model(std::string bytes, const std::string& source) {
  if (bytes.size() > kMaxModelBytes) {
    fail(ErrorCode::kData, source, ": ", bytes.size(), " bytes, a SentencePiece model of at most ",
         kMaxModelBytes, " is read");
  }
  SentencePieceModel model;
  model.serialized = std::move(bytes);
  WireReader reader(model.serialized, {source, ""});
  for (WireField field; reader.next(field);) {
    switch (field.number) {
      case 1: {
        if (model.pieces.size() == kMaxPieces) {
          fail(ErrorCode::kData, source, ": pieces: more than ", kMaxPieces);
        }
        const WirePlace place{source, "pieces", static_cast<std::int64_t>(model.pieces.size())};
        model.pieces.push_back(read_piece(reader.bytes(field, "pieces"), place));
        break;
      }
      case 2:
        read_trainer_spec(reader.bytes(field, "trainer_spec"), {source, "trainer_spec"}, model);
        break;
      case 3:
        read_normalizer_spec(reader.bytes(field, "normalizer_spec"), {source, "normalizer_spec"},
                             model);
        break;
      case 5:
        refuse_denormalizer(reader.bytes(field, "denormalizer_spec"),
                            {source, "denormalizer_spec"});
        break;
      default:
        break;
    }
  }
  check_pieces(model, source);
  model.charsmap =
      Charsmap(model.charsmap_bytes, concat(source, ": normalizer_spec.precompiled_charsmap"));
  return model;
}

SentencePieceModel load_sentencepiece_model(const std::filesystem::path& path) {
  return parse_sentencepiece_model(read_file(path, kMaxModelBytes), path.string());
}

}  // namespace llmctl
