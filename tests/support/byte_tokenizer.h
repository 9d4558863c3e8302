// A tokenizer that needs no file: each byte is a token, special tokens follow.
#pragma once

#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>

#include "base/error.h"
#include "base/utf8.h"
#include "text/tokenizer.h"

namespace llmctl::test {

/// Ids 0 … 255 are the bytes. kPlain has nothing else; kCausal adds <s> 256, </s> 257; kMasked adds
/// [PAD] 256, [UNK] 257, [CLS] 258, [SEP] 259, [MASK] 260. A space begins a word.
class ByteTokenizer : public Tokenizer {
 public:
  enum class Kind { kPlain, kCausal, kMasked };

  explicit ByteTokenizer(Kind kind = Kind::kCausal) : kind_(kind) {
    if (kind == Kind::kCausal) {
      names_ = {"<s>", "</s>"};
      special_.bos = 256;
      special_.eos = 257;
    } else if (kind == Kind::kMasked) {
      names_ = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
      special_.pad = 256;
      special_.unk = 257;
      special_.cls = 258;
      special_.sep = 259;
      special_.mask = 260;
    }
  }

  std::int64_t vocab_size() const override {
    return 256 + static_cast<std::int64_t>(names_.size());
  }
  std::vector<TokenId> encode(std::string_view text) const override {
    return encode_with_offsets(text).ids;
  }
  Encoding encode_with_offsets(std::string_view text) const override {
    if (auto bad = find_invalid_utf8(text)) {
      fail(ErrorCode::kData, "the text is not UTF-8 at byte ", *bad);
    }
    Encoding encoding;
    for (std::size_t i = 0; i < text.size(); ++i) {
      encoding.ids.push_back(static_cast<unsigned char>(text[i]));
      encoding.offsets.push_back({i, i + 1});
    }
    return encoding;
  }
  std::string decode(std::span<const TokenId> ids, bool keep_special = false) const override {
    std::string text;
    for (TokenId id : ids) {
      if (!is_special(id) || keep_special) text += token_bytes(id);
    }
    return replace_invalid_utf8(text);
  }
  std::string token_bytes(TokenId id) const override { return piece(id); }
  std::string piece(TokenId id) const override {
    require(id >= 0 && id < vocab_size(), ErrorCode::kData, "token ", id,
            " is not in the vocabulary of ", vocab_size());
    return id < 256 ? std::string(1, static_cast<char>(id))
                    : names_[static_cast<std::size_t>(id) - 256];
  }
  std::optional<TokenId> find(std::string_view piece) const override {
    if (piece.size() == 1) return static_cast<unsigned char>(piece[0]);
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (names_[i] == piece) return static_cast<TokenId>(256 + i);
    }
    return std::nullopt;
  }
  bool is_special(TokenId id) const override { return id >= 256; }
  const SpecialTokens& special() const override { return special_; }
  bool begins_word(TokenId id) const override { return id == ' '; }

  std::vector<TokenId> with_special(std::span<const TokenId> a,
                                    const std::vector<TokenId>* pair = nullptr,
                                    std::vector<TokenId>* types = nullptr) const override {
    std::vector<TokenId> ids;
    const auto add = [&](std::optional<TokenId> id) {
      if (id) ids.push_back(*id);
    };
    add(kind_ == Kind::kMasked ? special_.cls : special_.bos);
    std::copy(a.begin(), a.end(), std::back_inserter(ids));
    add(special_.sep);
    if (types) types->assign(ids.size(), 0);
    if (pair) {
      std::copy(pair->begin(), pair->end(), std::back_inserter(ids));
      add(special_.sep);
      if (types) types->resize(ids.size(), 1);
    }
    return ids;
  }

  void save(const std::filesystem::path& directory, std::int64_t) const override {
    std::ofstream(directory / "byte_tokenizer.txt") << fingerprint() << '\n';
  }
  std::string fingerprint() const override {
    return "bytes-" + std::to_string(static_cast<int>(kind_));
  }
  std::string description() const override { return "bytes"; }

 private:
  Kind kind_;
  std::vector<std::string> names_;
  SpecialTokens special_;
};

}  // namespace llmctl::test
