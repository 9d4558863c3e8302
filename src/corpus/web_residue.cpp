#include "corpus/web_residue.h"

#include <algorithm>

#include "base/utf8.h"
#include "text/characters.h"

namespace llmctl {
namespace {

constexpr std::size_t kMaxUrl = 4096, kMaxName = 128;

bool is_ascii_word(char c) {
  return ((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

bool begins_with(std::string_view text, std::string_view lower_case) {
  return text.size() >= lower_case.size() &&
         std::equal(lower_case.begin(), lower_case.end(), text.begin(), [](char a, char b) {
           return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b | 32) : b);
         });
}

/// Length of the URL at the beginning of the text; 0: none.
std::size_t url_length(std::string_view text) {
  std::size_t begin = 0;
  for (const std::string_view scheme : {"http://", "https://", "ftp://", "www."}) {
    if (begins_with(text, scheme)) begin = scheme.size();
  }
  if (begin == 0) return 0;
  std::size_t end = begin;
  while (end < text.size() && end < kMaxUrl) {
    const char c = text[end];
    const bool part =
        c > ' ' && c < 0x7F && std::string_view("<>\"{}|\\^`").find(c) == std::string_view::npos;
    if (!part) break;
    ++end;
  }
  while (end > begin &&
         std::string_view(".,;:!?'*)]").find(text[end - 1]) != std::string_view::npos) {
    // A bracket that the address itself opened stays.
    if (text[end - 1] == ')' && text.substr(begin, end - begin).find('(') != std::string_view::npos)
      break;
    --end;
  }
  return end > begin ? end : 0;
}

/// Length of the run of word characters at `at`.
std::size_t word_length(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && end < at + kMaxName) {
    const auto [c, length] = character_at(text, end);
    if (!is_word_character(c) && c != '-') break;
    end += length;
  }
  return end - at;
}

std::size_t mention_length(std::string_view text) {
  std::size_t length = word_length(text, 1);
  if (length == 0) return 0;
  length += 1;
  if (text.substr(length).starts_with(":")) ++length;
  return length;
}

std::size_t hashtag_length(std::string_view text) {
  // Weibo's form ends with a sign of its own, on the same line and not far.
  std::size_t at = 1, characters = 0;
  bool chinese = false;
  while (at < text.size() && characters < 40) {
    const auto [c, length] = character_at(text, at);
    if (c == '#' && chinese) return at + 1;
    chinese = chinese || is_cjk(c);
    if (c == '\n' || c == '#') break;
    at += length;
    ++characters;
  }
  // "#1" numbers things.
  const std::size_t length = word_length(text, 1);
  const bool digits = length > 0 && text.substr(1, length).find_first_not_of("0123456789") ==
                                        std::string_view::npos;
  return length == 0 || digits ? 0 : 1 + length;
}

}  // namespace

std::uint64_t remove_web_residue(std::string& text, const WebResidue& what) {
  std::uint64_t count = 0;
  std::string out;
  const std::string_view all = text;
  std::size_t kept = 0;
  for (std::size_t at = 0; at < all.size(); ++at) {
    const char c = all[at];
    const bool word_before = at > 0 && is_ascii_word(all[at - 1]);
    std::size_t length = 0;
    if (c == '@' && what.mentions && !word_before) {
      length = mention_length(all.substr(at));
    } else if (c == '#' && what.hashtags && !word_before) {
      length = hashtag_length(all.substr(at));
    } else if (what.urls && !word_before &&
               ((c | 32) == 'h' || (c | 32) == 'f' || (c | 32) == 'w')) {
      length = url_length(all.substr(at));
    }
    if (length == 0) continue;
    ++count;
    std::size_t begin = at;
    // "RT @name:" goes as a whole.
    if (c == '@' && all.substr(0, begin).ends_with("RT ") &&
        (begin == 3 || !is_ascii_word(all[begin - 4]))) {
      begin -= 3;
    }
    out += all.substr(kept, begin - kept);
    kept = at + length;
    const bool blanks = (out.empty() || out.back() == ' ' || out.back() == '\n') &&
                        kept < all.size() && all[kept] == ' ';
    if (blanks) ++kept;
    at = kept - 1;
  }
  if (count == 0) return 0;
  out += all.substr(kept);
  text = std::move(out);
  return count;
}

}  // namespace llmctl
