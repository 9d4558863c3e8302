#include "text/huggingface/added_tokens.h"

#include <unordered_set>

#include "base/utf8.h"
#include "text/characters.h"

namespace llmctl {
namespace {

/// Where the character that ends at `end` begins.
std::size_t previous_character(std::string_view text, std::size_t end) {
  do {
    --end;
  } while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80);
  return end;
}

std::size_t begin_of_spaces(std::string_view text, std::size_t end) {
  while (end > 0) {
    const std::size_t begin = previous_character(text, end);
    if (!is_white_space(character_at(text, begin).code_point)) break;
    end = begin;
  }
  return end;
}

std::size_t end_of_spaces(std::string_view text, std::size_t begin) {
  while (begin < text.size()) {
    const auto [c, length] = character_at(text, begin);
    if (!is_white_space(c)) break;
    begin += length;
  }
  return begin;
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  if (begin > 0 &&
      is_word_character(character_at(text, previous_character(text, begin)).code_point)) {
    return false;
  }
  return end == text.size() || !is_word_character(character_at(text, end).code_point);
}

}  // namespace

std::vector<AddedToken> read_added_tokens(const JsonAccess& json, Vocabulary& vocabulary) {
  std::vector<AddedToken> tokens;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const JsonAccess entry = json[i];
    AddedToken token;
    token.content = entry["content"].string();
    if (token.content.empty()) entry["content"].fail("an empty token");
    token.id = static_cast<TokenId>(entry["id"].integer(0, Vocabulary::kMaxId));
    token.single_word = entry.boolean_or("single_word", false);
    token.lstrip = entry.boolean_or("lstrip", false);
    token.rstrip = entry.boolean_or("rstrip", false);
    token.special = entry.boolean_or("special", false);
    token.normalized = entry.boolean_or("normalized", !token.special);
    const TokenId known = vocabulary.find(token.content);
    if (known != token.id && (known >= 0 || !vocabulary.add(token.content, token.id))) {
      entry.fail("\"", token.content, "\" has the id ", token.id, ", but ",
                 known >= 0 ? concat("the vocabulary gives it ", known)
                            : concat("that is \"", vocabulary.name(token.id), "\""));
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

AddedTokenMatcher::AddedTokenMatcher(const std::vector<AddedToken>& tokens,
                                     const std::vector<std::string>& contents) {
  std::unordered_set<std::string_view> seen;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (contents[i].empty() || !seen.insert(contents[i]).second) continue;
    tokens_.push_back(tokens[i]);
    contents_.push_back(contents[i]);
    begins_[static_cast<unsigned char>(contents[i][0])] = true;
  }
  PieceTrie::Entries entries;
  for (std::size_t i = 0; i < contents_.size(); ++i) {
    entries.emplace_back(contents_[i], static_cast<std::int32_t>(i));
  }
  trie_ = PieceTrie(std::move(entries));
}

std::vector<AddedTokenMatcher::Match> AddedTokenMatcher::find(std::string_view text) const {
  std::vector<Match> matches;
  if (empty()) return matches;
  std::size_t taken = 0;  // up to here the text belongs to earlier matches
  for (std::size_t at = 0; at < text.size();) {
    if (!begins_[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    std::size_t length = 0;
    std::size_t which = 0;
    trie_.for_each_prefix(text.substr(at), [&](std::size_t found, std::int32_t value) {
      length = found;
      which = static_cast<std::size_t>(value);
    });
    if (length == 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[which];
    std::size_t begin = at, end = at + length;
    at = end;
    if (token.single_word && !stands_alone(text, begin, end)) continue;
    if (token.lstrip) begin = std::max(begin_of_spaces(text, begin), taken);
    if (token.rstrip) end = end_of_spaces(text, end);
    matches.push_back(
        {{static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)}, token.id});
    taken = end;
    at = std::max(at, end);
  }
  return matches;
}

}  // namespace llmctl
