#include "text/inspect.h"

#include <algorithm>

#include "base/utf8.h"
#include "text/characters.h"

namespace llmctl {
namespace {

double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

constexpr char32_t kFirstEastAsian = 0x2E80;  // kana and Hangul go with Chinese characters

bool is_invisible(char32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_CC:
      return !is_white_space(c);
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
      return true;
    default:
      return c == 0xFFFD;
  }
}

enum class Script { kOther, kIdeographs, kAlphabet };

/// Of the letters in a piece, ideographs first.
Script script_of(std::string_view bytes) {
  if (find_invalid_utf8(bytes)) return Script::kOther;
  Script script = Script::kOther;
  for (std::size_t i = 0; i < bytes.size();) {
    const char32_t c = next_code_point(bytes, i);
    if (is_cjk(c)) return Script::kIdeographs;
    if (class_of(c) == CharacterClass::kLetter) script = Script::kAlphabet;
  }
  return script;
}

}  // namespace

std::string oddity_of(std::string_view bytes) {
  if (find_invalid_utf8(bytes)) return "part of a character";
  bool letters = false, digits = false, ideographs = false;
  std::size_t run = 0, longest_run = 0;
  char32_t last = 0;
  for (std::size_t i = 0; i < bytes.size();) {
    const char32_t c = next_code_point(bytes, i);
    if (is_invisible(c)) return "invisible characters";
    const CharacterClass kind = class_of(c);
    if (is_cjk(c)) {
      ideographs = true;
    } else if (kind == CharacterClass::kLetter && c < kFirstEastAsian) {
      letters = true;
    }
    digits |= kind == CharacterClass::kNumber;
    run = c == last ? run + 1 : 1;
    last = c;
    if (!is_white_space(c)) longest_run = std::max(longest_run, run);
  }
  if (letters && ideographs) return "several scripts";
  if ((letters || ideographs) && digits) return "letters and digits";
  return longest_run >= 4 ? "one character repeated" : "";
}

double TokenizerReport::bytes_per_token() const {
  return ratio(bytes, tokens);
}
double TokenizerReport::characters_per_token() const {
  return ratio(characters, tokens);
}
double TokenizerReport::unknown_rate() const {
  return ratio(unknown, tokens);
}
double TokenizerReport::byte_rate() const {
  return ratio(byte_tokens, tokens);
}

Json TokenizerReport::to_json() const {
  Json oddities = Json::array();
  for (const OddPiece& odd_piece : odd_pieces) {
    oddities.push_back(
        {{"piece", odd_piece.piece}, {"why", odd_piece.why}, {"uses", odd_piece.uses}});
  }
  return {{"texts", texts},
          {"bytes", bytes},
          {"characters", characters},
          {"tokens", tokens},
          {"bytes_per_token", bytes_per_token()},
          {"characters_per_token", characters_per_token()},
          {"unknown_rate", unknown_rate()},
          {"byte_rate", byte_rate()},
          {"distinct_pieces", distinct},
          {"longest_pieces", longest},
          {"odd", odd},
          {"odd_pieces", std::move(oddities)}};
}

TokenizerInspector::TokenizerInspector(const Tokenizer& tokenizer)
    : tokenizer_(tokenizer), uses_(static_cast<std::size_t>(tokenizer.vocab_size())) {}

void TokenizerInspector::add(std::string_view text) {
  const std::vector<TokenId> ids = tokenizer_.encode(text);
  ++counts_.texts;
  counts_.bytes += text.size();
  counts_.characters += count_code_points(text);
  counts_.tokens += ids.size();
  for (const TokenId id : ids) ++uses_[static_cast<std::size_t>(id)];
}

TokenizerReport TokenizerInspector::report(std::size_t examples) const {
  TokenizerReport report = counts_;
  // Words of an alphabet are longer than Chinese ones: those of the text's own script are shown.
  std::vector<std::pair<std::size_t, TokenId>> longest[2];
  std::uint64_t letters[2] = {0, 0};
  for (std::size_t i = 0; i < uses_.size(); ++i) {
    if (uses_[i] == 0) continue;
    const auto id = static_cast<TokenId>(i);
    ++report.distinct;
    if (tokenizer_.special().unk == id) report.unknown += uses_[i];
    if (tokenizer_.is_byte(id)) {
      report.byte_tokens += uses_[i];
    } else {
      const std::string bytes = tokenizer_.token_bytes(id);
      const Script script = script_of(bytes);
      longest[script == Script::kIdeographs].emplace_back(count_code_points(tokenizer_.piece(id)),
                                                          id);
      if (script != Script::kOther)
        letters[script == Script::kIdeographs] += uses_[i] * bytes.size();
      if (tokenizer_.is_special(id)) continue;
      std::string why = oddity_of(bytes);
      if (why.empty()) continue;
      ++report.odd;
      report.odd_pieces.push_back({tokenizer_.piece(id), std::move(why), uses_[i]});
    }
  }
  auto& lengths = longest[letters[1] > letters[0]];
  const auto count = static_cast<std::ptrdiff_t>(std::min(examples, lengths.size()));
  std::partial_sort(lengths.begin(), lengths.begin() + count, lengths.end(),
                    [](const auto& a, const auto& b) {
                      return a.first != b.first ? a.first > b.first : a.second < b.second;
                    });
  for (auto i = lengths.begin(); i != lengths.begin() + count; ++i) {
    report.longest.push_back(tokenizer_.piece(i->second));
  }
  std::stable_sort(report.odd_pieces.begin(), report.odd_pieces.end(),
                   [](const auto& a, const auto& b) { return a.uses > b.uses; });
  report.odd_pieces.resize(std::min(examples, report.odd_pieces.size()));
  return report;
}

}  // namespace llmctl
