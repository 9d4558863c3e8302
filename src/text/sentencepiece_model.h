// Our own reader of SentencePiece's .model files, which trusts nothing: the library (0.1.97)
// crashes on hostile ones.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "text/charsmap.h"

namespace llmctl {

/// Pieces, scores and rules of a model, as sentencepiece_model.proto stores them.
struct SentencePieceModel {
  enum class Kind { kUnigram = 1, kBpe = 2, kWord = 3, kChar = 4 };
  enum class PieceType {
    kNormal = 1,
    kUnknown = 2,
    kControl = 3,  ///< never matched in text
    kUser = 4,     ///< always one piece where the text has it
    kUnused = 5,
    kByte = 6,  ///< "<0x41>"
  };
  struct Piece {
    std::string text;
    float score = 0;
    PieceType type = PieceType::kNormal;
  };

  std::vector<Piece> pieces;
  Kind kind = Kind::kUnigram;
  bool byte_fallback = false;
  std::int32_t unknown = 0;  ///< id of the unknown piece
  std::string bos_piece = "<s>", eos_piece = "</s>", pad_piece = "<pad>";
  std::string unknown_surface = " \u2047 ";  ///< what an unknown piece decodes to

  std::string normalizer_name;
  std::string charsmap_bytes;  ///< as the file has it; empty: text is taken as it is
  Charsmap charsmap;
  bool add_dummy_prefix = true;
  bool remove_extra_whitespaces = true;

  /// The file's content.
  std::string serialized;
};

/// "unigram", "bpe", "word", "char".
std::string_view kind_name(SentencePieceModel::Kind kind);

/// The byte that a piece "<0x41>" stands for; the piece must be of that form.
unsigned char byte_of_piece(std::string_view piece);

/// Reads and checks a model of at most 64 MB and a million pieces. `source` names it in errors,
/// which are kData and name the field: piece length 1 to 1,000 bytes, UTF-8 without NUL, unique;
/// exactly one unknown piece; known types; finite scores; a complete set of byte pieces with byte
/// fallback and none without; a normaliser table that stays within itself.
SentencePieceModel parse_sentencepiece_model(std::string bytes, const std::string& source);

/// The same from a file; kMissing when there is none.
SentencePieceModel load_sentencepiece_model(const std::filesystem::path& path);

}  // namespace llmctl
