#include "text/sentencepiece_normalizer.h"

#include <algorithm>

#include "base/utf8.h"
#include "text/space_mark.h"

namespace llmctl {
namespace {}  // namespace

Charsmap::Match SentencePieceNormalizer::next(std::string_view text) const {
  if (const std::size_t user = user_pieces_.longest_prefix(text)) {
    return {user, text.substr(0, user)};
  }
  if (const auto match = model_.charsmap.longest_match(text)) return *match;
  std::size_t length = 0;
  // A key of the table may end inside a character; what is left of it is not one.
  if (next_code_point(text, length) == U'\uFFFD' && length == 1) return {1, "\uFFFD"};
  return {length, text.substr(0, length)};
}

NormalizedText SentencePieceNormalizer::normalize(std::string_view text, bool prefix,
                                                  bool with_origin) const {
  NormalizedText result;
  std::string& out = result.text;
  out.reserve(text.size() + text.size() / 4 + kSpaceMark.size());
  std::size_t at = 0;
  const auto put = [&](std::string_view bytes) {
    out += bytes;
    if (with_origin) result.origin.resize(out.size(), static_cast<std::uint32_t>(at));
  };

  const bool drop_extra = model_.remove_extra_whitespaces;
  while (drop_extra && at < text.size()) {
    const auto match = next(text.substr(at));
    if (match.replacement != " ") break;
    at += match.length;
  }
  if (at < text.size() && model_.add_dummy_prefix && prefix) put(kSpaceMark);

  bool after_space = drop_extra;
  while (at < text.size()) {
    const auto match = next(text.substr(at));
    std::string_view rest = match.replacement;
    if (after_space) rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    if (!rest.empty()) after_space = drop_extra && rest.back() == ' ';
    while (!rest.empty()) {
      const std::size_t plain = std::min(rest.find(' '), rest.size());
      put(rest.substr(0, plain));
      if (plain < rest.size()) put(kSpaceMark);
      rest.remove_prefix(std::min(plain + 1, rest.size()));
    }
    at += match.length;
  }

  while (drop_extra && std::string_view(out).ends_with(kSpaceMark)) {
    out.resize(out.size() - kSpaceMark.size());
    if (with_origin) {
      at = result.origin[out.size()];
      result.origin.resize(out.size());
    }
  }
  if (with_origin) result.origin.push_back(static_cast<std::uint32_t>(at));
  return result;
}

}  // namespace llmctl
