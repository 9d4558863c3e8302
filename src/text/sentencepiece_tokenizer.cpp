#include "text/sentencepiece_tokenizer.h"

#include <array>
#include <bit>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "text/space_mark.h"
#include "text/tokenizer_json.h"

namespace llmctl {
namespace {

using PieceType = SentencePieceModel::PieceType;

constexpr std::size_t kMaxTextBytes = 1u
                                      << 29;  // positions are 32-bit, and normalising makes longer

std::string with_spaces(std::string_view piece) {
  std::string text;
  text.reserve(piece.size());
  while (!piece.empty()) {
    const std::size_t at = piece.find(kSpaceMark);
    text += piece.substr(0, at);
    if (at == piece.npos) break;
    text += ' ';
    piece.remove_prefix(at + kSpaceMark.size());
  }
  return text;
}

}  // namespace

SentencePieceTokenizer::SentencePieceTokenizer(SentencePieceModel model, const std::string& source,
                                               Json config, std::optional<SpecialTemplate> layout)
    : model_(std::move(model)),
      config_(std::move(config)),
      normalizer_(model_),
      segmenter_(make_segmenter(model_)) {
  ids_.reserve(model_.pieces.size());
  for (std::size_t i = 0; i < model_.pieces.size(); ++i) {
    const SentencePieceModel::Piece& piece = model_.pieces[i];
    ids_.emplace(piece.text, static_cast<TokenId>(i));
    if (piece.type == PieceType::kByte) {
      byte_ids_[byte_of_piece(piece.text)] = static_cast<TokenId>(i);
    }
  }
  find_special_tokens(source);
  layout_ = layout ? std::move(*layout) : SpecialTemplate::for_tokens(special_);
}

void SentencePieceTokenizer::find_special_tokens(const std::string& source) {
  const auto by_name = [&](std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) {
      const auto id = find(name);
      if (!id) continue;
      const PieceType type = model_.pieces[static_cast<std::size_t>(*id)].type;
      if (type == PieceType::kControl || type == PieceType::kUser) return id;
    }
    return std::optional<TokenId>();
  };
  special_.unk = model_.unknown;
  special_.cls = by_name({"[CLS]"});
  special_.sep = by_name({"[SEP]"});
  special_.mask = by_name({"[MASK]", "<mask>"});
  special_.pad = by_name({model_.pad_piece, "<pad>", "[PAD]"});
  if (!special_.cls) special_.bos = by_name({model_.bos_piece, "<s>"});
  if (!special_.sep) special_.eos = by_name({model_.eos_piece, "</s>"});
  if (!config_.is_object()) return;
  for (const auto& [key, slot] : special_token_keys(special_)) {
    const auto name = special_token_name(config_, key, source);
    if (!name) continue;
    *slot = find(*name);
    if (!*slot) {
      fail(ErrorCode::kData, source, ": ", key, " \"", *name, "\" of tokenizer_config.json is not ",
           "among the model's pieces");
    }
  }
}

const SentencePieceModel::Piece& SentencePieceTokenizer::at(TokenId id) const {
  if (id < 0 || id >= vocab_size()) {
    fail(ErrorCode::kData, "token id ", id, " is outside the vocabulary of ", vocab_size());
  }
  return model_.pieces[static_cast<std::size_t>(id)];
}

std::optional<TokenId> SentencePieceTokenizer::find(std::string_view piece) const {
  const auto found = ids_.find(piece);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

Encoding SentencePieceTokenizer::encode_text(std::string_view text, bool first,
                                             bool with_offsets) const {
  if (const auto bad = find_invalid_utf8(text)) {
    fail(ErrorCode::kData, "the text is not valid UTF-8 at byte ", *bad);
  }
  if (text.size() > kMaxTextBytes) {
    fail(ErrorCode::kData, "a text of ", text.size(), " bytes, at most ", kMaxTextBytes,
         " are encoded at once");
  }
  const NormalizedText normalized = normalizer_.normalize(text, first, with_offsets);
  std::vector<Segment> segments;
  segments.reserve(normalized.text.size() / 3);
  segmenter_->segment(normalized.text, segments);

  Encoding encoding;
  encoding.ids.reserve(segments.size());
  const auto put = [&](TokenId id, std::size_t begin, std::size_t end) {
    encoding.ids.push_back(id);
    if (with_offsets) {
      encoding.offsets.push_back({normalized.origin[begin], normalized.origin[end]});
    }
  };
  bool after_unknown = false;
  for (const Segment& segment : segments) {
    const bool unknown = segment.id == model_.unknown;
    if (unknown && model_.byte_fallback) {
      // The last byte stands for the whole character.
      for (std::size_t i = segment.begin; i < segment.end; ++i) {
        const auto byte = static_cast<unsigned char>(normalized.text[i]);
        put(byte_ids_[byte], segment.begin, i + 1 < segment.end ? segment.begin : segment.end);
      }
    } else if (unknown && after_unknown && model_.kind != SentencePieceModel::Kind::kWord) {
      // One unknown piece for a run of characters.
      if (with_offsets) encoding.offsets.back().end = normalized.origin[segment.end];
    } else {
      put(segment.id, segment.begin, segment.end);
    }
    after_unknown = unknown;
  }
  return encoding;
}

// As SentencePiece decodes: a piece at the start loses the space that the normaliser put there;
// with remove_extra_whitespaces every leading space goes.
std::string SentencePieceTokenizer::decode_next(TokenId id, DecodeState& state,
                                                bool keep_special) const {
  const SentencePieceModel::Piece& piece = at(id);
  if (is_special(id)) {
    if (!keep_special) return "";
    state.at_start = false;
    return piece.text;
  }
  std::string text;
  switch (piece.type) {
    case PieceType::kUnknown:
      text = model_.unknown_surface;
      break;
    case PieceType::kByte:
      text = static_cast<char>(byte_of_piece(piece.text));
      break;
    default: {
      std::string_view rest = piece.text;
      if (state.at_start && (model_.add_dummy_prefix || model_.remove_extra_whitespaces) &&
          rest.starts_with(kSpaceMark)) {
        rest.remove_prefix(kSpaceMark.size());
        text = with_spaces(rest);
        state.at_start = model_.remove_extra_whitespaces && text.empty();
        return text;
      }
      text = with_spaces(rest);
    }
  }
  state.at_start = state.at_start && text.empty();
  return text;
}

std::string SentencePieceTokenizer::decode(std::span<const TokenId> ids, bool keep_special) const {
  DecodeState state;
  std::string text;
  for (const TokenId id : ids) text += decode_next(id, state, keep_special);
  return replace_invalid_utf8(text);
}

std::string SentencePieceTokenizer::token_bytes(TokenId id) const {
  DecodeState state{.at_start = false};
  return decode_next(id, state, true);
}

bool SentencePieceTokenizer::is_special(TokenId id) const {
  if (at(id).type == PieceType::kControl) return true;
  // A directory's configuration may name pieces of other types.
  return id == special_.bos || id == special_.eos || id == special_.pad || id == special_.cls ||
         id == special_.sep || id == special_.mask;
}

bool SentencePieceTokenizer::begins_word(TokenId id) const {
  return is_special(id) || at(id).text.starts_with(kSpaceMark);
}

std::vector<TokenId> SentencePieceTokenizer::with_special(std::span<const TokenId> a,
                                                          const std::vector<TokenId>* pair,
                                                          std::vector<TokenId>* types) const {
  return layout_.apply(a, pair, types);
}

void SentencePieceTokenizer::save(const std::filesystem::path& directory,
                                  std::int64_t model_max_length) const {
  write_file(directory / "tokenizer.model", model_.serialized);
  write_file(directory / "tokenizer.json",
             dump_json(tokenizer_json(model_, special_, layout_), 1) + "\n");
  write_tokenizer_config(directory, tokenizer_config_json(*this, config_, model_max_length));
  write_file(directory / "special_tokens_map.json",
             dump_json(special_tokens_map_json(*this), 2) + "\n");
}

std::string SentencePieceTokenizer::fingerprint() const {
  Sha256 hash;
  const auto number = [&](std::uint64_t value) {
    std::array<unsigned char, 8> bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<unsigned char>(value >> (8 * i));
    }
    hash.update(bytes.data(), bytes.size());
  };
  const auto string = [&](std::string_view text) {
    number(text.size());
    hash.update(text);
  };
  string("SentencePiece 1");
  number(static_cast<std::uint64_t>(model_.kind));
  number(model_.pieces.size());
  for (const auto& piece : model_.pieces) {
    string(piece.text);
    number(std::bit_cast<std::uint32_t>(piece.score));
    number(static_cast<std::uint64_t>(piece.type));
  }
  string(model_.charsmap_bytes);
  number(model_.add_dummy_prefix);
  number(model_.remove_extra_whitespaces);
  string(model_.unknown_surface);
  for (const auto id : {special_.unk, special_.bos, special_.eos, special_.pad, special_.cls,
                        special_.sep, special_.mask}) {
    number(id ? static_cast<std::uint64_t>(*id) : ~std::uint64_t{0});
  }
  for (const auto* items : {&layout_.single, &layout_.pair}) {
    number(items->size());
    for (const auto& item : *items) {
      number(static_cast<std::uint64_t>(item.kind));
      number(static_cast<std::uint64_t>(item.id));
      number(static_cast<std::uint64_t>(item.type));
    }
  }
  return hash.hex();
}

std::string SentencePieceTokenizer::description() const {
  std::string text =
      concat("SentencePiece ", kind_name(model_.kind), ", ", model_.pieces.size(), " pieces");
  if (model_.byte_fallback) text += ", byte fallback";
  if (!model_.charsmap_bytes.empty()) {
    text += concat(", ", model_.normalizer_name.empty() ? "normalised" : model_.normalizer_name);
  }
  return text;
}

}  // namespace llmctl
