#include "text/tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "base/threads.h"
#include "base/utf8.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

/// A special token as it is spelled, and where the text has it next.
struct NamedToken {
  std::string name;
  TokenId id;
  std::size_t at = 0;
};

/// The longest first.
std::vector<NamedToken> special_names(const Tokenizer& tokenizer, std::span<const TokenId> only) {
  std::vector<NamedToken> names;
  for (const TokenId id : tokenizer.special_ids()) {
    if (!only.empty() && std::find(only.begin(), only.end(), id) == only.end()) continue;
    names.push_back({tokenizer.piece(id), id});
  }
  std::stable_sort(names.begin(), names.end(), [](const NamedToken& a, const NamedToken& b) {
    return a.name.size() > b.name.size();
  });
  return names;
}

/// Where the text has the name from `from` on, without a byte of data in it.
std::size_t find_unmarked(std::string_view text, std::string_view data, std::string_view name,
                          std::size_t from) {
  for (std::size_t at = from; (at = text.find(name, at)) != text.npos; ++at) {
    if (data.empty() || data.substr(at, name.size()).find('\1') == data.npos) return at;
  }
  return text.npos;
}

/// kData unless the text is UTF-8.
void require_utf8(std::string_view text) {
  if (const auto bad = find_invalid_utf8(text)) {
    fail(ErrorCode::kData, "the text is not valid UTF-8 at byte ", *bad);
  }
}

/// The text without white space at its end.
std::string_view trim_end(std::string_view text) {
  while (!text.empty()) {
    std::size_t begin = text.size() - 1;
    while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
    std::size_t at = begin;
    if (!is_space(next_code_point(text, at))) break;
    text = text.substr(0, begin);
  }
  return text;
}

}  // namespace

std::string Tokenizer::decode_next(TokenId id, DecodeState& state, bool keep_special) const {
  if (is_special(id) && !keep_special) return "";
  state.at_start = false;
  return token_bytes(id);
}

Encoding Tokenizer::encode_part(std::string_view text, bool) const {
  return encode_with_offsets(text);
}

std::vector<std::vector<TokenId>> Tokenizer::encode_batch(
    std::span<const std::string> texts) const {
  std::vector<std::vector<TokenId>> ids(texts.size());
  parallel_for(texts.size(), [&](std::size_t i) { ids[i] = encode(texts[i]); });
  return ids;
}

std::vector<TokenId> Tokenizer::special_ids() const {
  std::vector<TokenId> ids;
  for (TokenId id = 0; id < vocab_size(); ++id) {
    if (is_special(id)) ids.push_back(id);
  }
  // The unknown token stands for text, but its name is a special one.
  const auto unk = special().unk;
  if (unk && !is_special(*unk)) ids.push_back(*unk);
  return ids;
}

Encoding Tokenizer::encode_with_special_pieces(std::string_view text,
                                               std::span<const TokenId> only) const {
  return encode_names(text, "", only);
}

Encoding Tokenizer::encode_marked(std::string_view text, std::string_view data) const {
  return encode_names(text, data, {});
}

Encoding Tokenizer::encode_names(std::string_view text, std::string_view data,
                                 std::span<const TokenId> only) const {
  require_utf8(text);
  std::vector<NamedToken> names = special_names(*this, only);
  for (NamedToken& name : names) name.at = find_unmarked(text, data, name.name, 0);
  Encoding result;
  std::size_t begin = 0;
  const auto add_part = [&](std::string_view part) {
    if (part.empty()) return;
    const Encoding encoding = encode_part(part, begin == 0);
    result.ids.insert(result.ids.end(), encoding.ids.begin(), encoding.ids.end());
    for (const ByteSpan span : encoding.offsets) {
      result.offsets.push_back({begin + span.begin, begin + span.end});
    }
  };
  while (true) {
    const auto next =
        std::min_element(names.begin(), names.end(),
                         [](const NamedToken& a, const NamedToken& b) { return a.at < b.at; });
    if (next == names.end() || next->at == text.npos) break;
    const std::string_view part = text.substr(begin, next->at - begin);
    add_part(next->id == special().mask ? trim_end(part) : part);
    result.ids.push_back(next->id);
    begin = next->at + next->name.size();
    result.offsets.push_back({next->at, begin});
    for (NamedToken& name : names) {
      if (name.at < begin) name.at = find_unmarked(text, data, name.name, begin);
    }
  }
  add_part(text.substr(begin));
  return result;
}

std::vector<ByteSpan> character_offsets(std::string_view text, std::span<const ByteSpan> offsets) {
  // Characters before each byte.
  std::vector<std::uint32_t> before(text.size() + 1);
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i > 0 && (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) ++count;
    before[i] = count;
  }
  before[text.size()] = text.empty() ? 0 : count + 1;
  std::vector<ByteSpan> result;
  result.reserve(offsets.size());
  for (const ByteSpan span : offsets) result.push_back({before[span.begin], before[span.end]});
  return result;
}

}  // namespace llmctl
