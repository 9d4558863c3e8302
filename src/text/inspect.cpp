#include "text/inspect.h"

#include <algorithm>

#include "base/utf8.h"

namespace llmctl {
namespace {

double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

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
  return {{"texts", texts},
          {"bytes", bytes},
          {"characters", characters},
          {"tokens", tokens},
          {"bytes_per_token", bytes_per_token()},
          {"characters_per_token", characters_per_token()},
          {"unknown_rate", unknown_rate()},
          {"byte_rate", byte_rate()},
          {"distinct_pieces", distinct},
          {"longest_pieces", longest}};
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

TokenizerReport TokenizerInspector::report(std::size_t longest) const {
  TokenizerReport report = counts_;
  std::vector<std::pair<std::size_t, TokenId>> lengths;
  for (std::size_t i = 0; i < uses_.size(); ++i) {
    if (uses_[i] == 0) continue;
    const auto id = static_cast<TokenId>(i);
    ++report.distinct;
    if (tokenizer_.special().unk == id) report.unknown += uses_[i];
    if (tokenizer_.is_byte(id)) {
      report.byte_tokens += uses_[i];
    } else {
      lengths.emplace_back(count_code_points(tokenizer_.piece(id)), id);
    }
  }
  const auto count = static_cast<std::ptrdiff_t>(std::min(longest, lengths.size()));
  std::partial_sort(lengths.begin(), lengths.begin() + count, lengths.end(),
                    [](const auto& a, const auto& b) {
                      return a.first != b.first ? a.first > b.first : a.second < b.second;
                    });
  for (auto i = lengths.begin(); i != lengths.begin() + count; ++i) {
    report.longest.push_back(tokenizer_.piece(i->second));
  }
  return report;
}

}  // namespace llmctl
