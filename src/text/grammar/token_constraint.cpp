#include "text/grammar/token_constraint.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "text/grammar/gbnf.h"
#include "text/grammar/json_schema.h"
#include "text/grammar/regex_syntax.h"
#include "text/grammar/token_masks.h"

namespace llmctl {

grammar::Grammar parse_constraint(const ConstraintSpec& spec) {
  const int given = !spec.choices.empty() + spec.regex.has_value() + spec.json_schema.has_value() +
                    spec.grammar.has_value();
  require(given == 1, ErrorCode::kUsage,
          "expected one of choices, regex, json_schema and grammar, got ", given);
  if (!spec.choices.empty()) return grammar::parse_choices(spec.choices);
  if (spec.json_schema) {
    return grammar::parse_json_schema(*spec.json_schema, spec.source, {spec.json_space});
  }
  if (spec.grammar) return grammar::parse_gbnf(*spec.grammar, spec.source);
  grammar::Grammar grammar;
  grammar.add("regex", grammar::parse_regex(*spec.regex, spec.source));
  return grammar;
}

/// Of all texts of one constraint.
struct TokenConstraint::Shared {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::unique_ptr<grammar::TokenMasks> masks;
  bool finish_in_time = false;

  /// Places by the tokens that lead to them from the start.
  struct Known {
    std::vector<TokenId> tokens;
    TokenConstraint place;
  };
  mutable std::mutex mutex = {};
  mutable std::list<Known> known = {};  // the last used first
  mutable std::unordered_map<std::uint64_t, std::list<Known>::iterator> by_hash = {};
  mutable std::size_t known_tokens = 0;

  std::optional<TokenConstraint> find(std::span<const TokenId> tokens, bool first) const;
  void keep(std::span<const TokenId> tokens, bool first, const TokenConstraint& place) const;
};

namespace {

/// Tokens of the texts whose places are kept.
constexpr std::size_t kMostKnownTokens = 1'000'000;

/// What decides what becomes of a specification.
std::string key_of(const ConstraintSpec& spec, const std::vector<TokenId>& ends) {
  const Json parts = {spec.choices,
                      spec.regex.value_or(""),
                      spec.regex.has_value(),
                      spec.json_schema.value_or(Json()),
                      spec.json_schema.has_value(),
                      spec.grammar.value_or(""),
                      spec.json_space,
                      spec.finish_in_time,
                      ends};
  return dump_json(parts);
}

std::uint64_t hash_of(std::span<const TokenId> tokens, bool first) {
  std::uint64_t hash = first;
  for (const TokenId id : tokens) {
    hash = (hash ^ static_cast<std::uint32_t>(id)) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 32;
  }
  return hash;
}

}  // namespace

std::optional<TokenConstraint> TokenConstraint::Shared::find(std::span<const TokenId> tokens,
                                                             bool first) const {
  const std::lock_guard lock(mutex);
  const auto found = by_hash.find(hash_of(tokens, first));
  if (found == by_hash.end()) return std::nullopt;
  if (!std::ranges::equal(found->second->tokens, tokens)) return std::nullopt;
  known.splice(known.begin(), known, found->second);
  return known.front().place;
}

void TokenConstraint::Shared::keep(std::span<const TokenId> tokens, bool first,
                                   const TokenConstraint& place) const {
  const std::lock_guard lock(mutex);
  const auto drop = [&](std::list<Known>::iterator entry) {
    known_tokens -= entry->tokens.size();
    by_hash.erase(hash_of(entry->tokens, entry->place.began_first_));
    known.erase(entry);
  };
  const std::uint64_t hash = hash_of(tokens, first);
  if (const auto found = by_hash.find(hash); found != by_hash.end()) drop(found->second);
  // Without what they share: else it would hold itself.
  TokenConstraint own = place;
  own.shared_ = nullptr;
  known.push_front({{tokens.begin(), tokens.end()}, std::move(own)});
  by_hash[hash] = known.begin();
  known_tokens += tokens.size();
  while (known_tokens > kMostKnownTokens && known.size() > 1) drop(std::prev(known.end()));
}

TokenConstraint make_constraint(const ConstraintSpec& spec,
                                std::shared_ptr<const Tokenizer> tokenizer,
                                std::vector<TokenId> ends) {
  require(std::any_of(ends.begin(), ends.end(),
                      [&](TokenId id) { return id >= 0 && id < tokenizer->vocab_size(); }),
          ErrorCode::kData,
          "a constrained text needs a token that ends it, the model has none; set eos_token_id");
  using Shared = TokenConstraint::Shared;
  struct Compiled {
    std::weak_ptr<const Tokenizer> tokenizer;
    std::string key;
    std::weak_ptr<const Shared> shared;
  };
  static std::mutex mutex;
  static std::vector<Compiled> all;
  const std::string key = key_of(spec, ends);
  const std::lock_guard lock(mutex);
  std::erase_if(all, [](const Compiled& one) { return one.shared.expired(); });
  TokenConstraint constraint;
  for (const Compiled& one : all) {
    if (one.key == key && one.tokenizer.lock() == tokenizer) constraint.shared_ = one.shared.lock();
  }
  if (!constraint.shared_) {
    auto shared = std::make_shared<Shared>();
    shared->tokenizer = tokenizer;
    shared->masks = std::make_unique<grammar::TokenMasks>(
        std::make_shared<const grammar::Automaton>(parse_constraint(spec)),
        grammar::token_tries(tokenizer), std::move(ends));
    shared->finish_in_time = spec.finish_in_time;
    require(shared->masks->can_start(false) || shared->masks->can_start(true), ErrorCode::kData,
            "no tokens of the vocabulary spell a text that the grammar allows");
    constraint.shared_ = std::move(shared);
    all.push_back({tokenizer, key, constraint.shared_});
  }
  constraint.place_ = constraint.shared_->masks->start();
  return constraint;
}

TokenConstraint TokenConstraint::at_start(bool continues) const {
  TokenConstraint start;
  if (!shared_) return start;
  require(shared_->masks->can_start(!continues), ErrorCode::kData,
          "no tokens of the vocabulary spell a text that the grammar allows",
          continues ? "; behind a prompt the vocabulary's words begin with a space" : "");
  start.shared_ = shared_;
  start.place_ = shared_->masks->start();
  start.first_ = start.began_first_ = !continues;
  return start;
}

TokenConstraint TokenConstraint::behind(std::span<const TokenId> tokens) const {
  if (tokens.empty()) return *this;
  TokenConstraint place = *this;
  std::size_t from = 0;
  if (auto known = shared_->find(tokens, began_first_)) {
    place = std::move(*known);
    place.shared_ = shared_;
    return place;
  }
  if (auto known = shared_->find(tokens.first(tokens.size() - 1), began_first_)) {
    place = std::move(*known);
    place.shared_ = shared_;
    from = tokens.size() - 1;
  }
  for (; from < tokens.size(); ++from) place.accept(tokens[from]);
  shared_->keep(tokens, began_first_, place);
  return place;
}

std::shared_ptr<const TokenMask> TokenConstraint::allowed(std::int64_t further) {
  grammar::MaskOptions options{.at_start = first_, .silent = first_ && !silent_};
  if (shared_->finish_in_time) {
    options.room = static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(further, 0, std::numeric_limits<std::uint32_t>::max()));
  }
  return shared_->masks->mask(place_, options);
}

bool TokenConstraint::accept(TokenId id) {
  if (shared_->tokenizer->is_special(id)) return place_.id != grammar::MatcherStates::kDead;
  DecodeState state{.at_start = first_};
  const std::string text = shared_->tokenizer->decode_next(id, state, false);
  first_ = state.at_start;
  silent_ = silent_ || text.empty();
  return shared_->masks->accept(place_, text);
}

bool TokenConstraint::can_end() const {
  return shared_->masks->complete(place_);
}

}  // namespace llmctl
