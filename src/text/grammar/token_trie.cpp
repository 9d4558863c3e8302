#include "text/grammar/token_trie.h"

#include <algorithm>
#include <mutex>

#include "base/error.h"

namespace llmctl::grammar {
namespace {

/// Tokens below a node from which on its bytes are looked at together.
constexpr std::uint32_t kLargeBranch = 24;
constexpr std::size_t kLongestToken = 60'000;

using TokenTexts = std::vector<std::pair<std::string, TokenId>>;

TokenTexts texts_of(const Tokenizer& tokenizer, bool at_start, std::vector<TokenId>* silent) {
  TokenTexts texts;
  const std::int64_t size = tokenizer.vocab_size();
  texts.reserve(static_cast<std::size_t>(size));
  for (TokenId id = 0; id < size; ++id) {
    if (tokenizer.is_special(id) || id == tokenizer.special().unk) continue;
    DecodeState state{.at_start = at_start};
    std::string text = tokenizer.decode_next(id, state, false);
    if (!text.empty()) {
      texts.emplace_back(std::move(text), id);
    } else if (silent != nullptr) {
      silent->push_back(id);
    }
  }
  return texts;
}

}  // namespace

TokenTrie::TokenTrie(TokenTexts texts) {
  std::sort(texts.begin(), texts.end());
  tokens_.reserve(texts.size());
  std::vector<std::uint32_t> path;  // nodes from the root to the last token's
  std::string_view before;
  const auto close = [&](std::size_t depth) {
    for (; path.size() > depth; path.pop_back()) {
      nodes_[path.back()].end = static_cast<std::uint32_t>(nodes_.size());
    }
  };
  for (const auto& [text, id] : texts) {
    require(!text.empty() && text.size() <= kLongestToken, ErrorCode::kData, "token ", id, " has ",
            text.size(), " bytes, at most ", kLongestToken, " are taken");
    const auto common = static_cast<std::size_t>(
        std::mismatch(text.begin(), text.end(), before.begin(), before.end()).first - text.begin());
    close(common);
    while (path.size() < text.size()) {
      path.push_back(static_cast<std::uint32_t>(nodes_.size()));
      nodes_.push_back({0, static_cast<std::uint32_t>(tokens_.size()), kNoSet,
                        static_cast<std::uint16_t>(path.size()),
                        static_cast<std::uint8_t>(text[path.size() - 1])});
    }
    deepest_ = std::max(deepest_, path.size());
    tokens_.push_back(id);
    before = text;
  }
  close(0);
  nodes_.push_back({0, static_cast<std::uint32_t>(tokens_.size()), kNoSet, 0, 0});

  bool single[256] = {};
  for (std::uint32_t i = 0; i + 1 < nodes_.size(); ++i) {
    Node& node = nodes_[i];
    if (node.depth == 1 && nodes_[i + 1].token > node.token) single[node.byte] = true;
    if (nodes_[node.end].token - node.token < kLargeBranch) continue;
    MatcherStates::ByteSet below;
    for (std::uint32_t j = i + 1; j < node.end; ++j) below.add(nodes_[j].byte);
    node.bytes = static_cast<std::uint32_t>(sets_.size());
    sets_.push_back(below);
  }
  covers_all_bytes_ = true;
  for (unsigned byte = 0; byte <= 0xF4; ++byte) {
    if (byte != 0xC0 && byte != 0xC1 && !single[byte]) covers_all_bytes_ = false;
  }
}

TokenTries::TokenTries(const Tokenizer& tokenizer)
    : vocab_size(tokenizer.vocab_size()), next(texts_of(tokenizer, false, nullptr)) {
  TokenTexts at_start = texts_of(tokenizer, true, &silent);
  if (at_start != texts_of(tokenizer, false, nullptr)) {
    first = std::make_shared<const TokenTrie>(std::move(at_start));
  }
}

std::shared_ptr<const TokenTries> token_tries(const std::shared_ptr<const Tokenizer>& tokenizer) {
  struct Known {
    std::weak_ptr<const Tokenizer> tokenizer;
    std::weak_ptr<const TokenTries> tries;
  };
  static std::mutex mutex;
  static std::vector<Known> all;
  const std::lock_guard lock(mutex);
  std::erase_if(
      all, [](const Known& known) { return known.tokenizer.expired() || known.tries.expired(); });
  for (const Known& known : all) {
    if (known.tokenizer.lock() != tokenizer) continue;
    if (auto tries = known.tries.lock()) return tries;
  }
  auto tries = std::make_shared<const TokenTries>(*tokenizer);
  all.push_back({tokenizer, tries});
  return tries;
}

}  // namespace llmctl::grammar
