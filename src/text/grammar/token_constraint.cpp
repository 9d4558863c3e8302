#include "text/grammar/token_constraint.h"

#include <algorithm>
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
  bool finish_in_time;
};

TokenConstraint make_constraint(const ConstraintSpec& spec,
                                std::shared_ptr<const Tokenizer> tokenizer,
                                std::vector<TokenId> ends) {
  auto automaton = std::make_shared<const grammar::Automaton>(parse_constraint(spec));
  auto tries = grammar::token_tries(tokenizer);
  TokenConstraint constraint;
  constraint.shared_ = std::make_shared<const TokenConstraint::Shared>(
      TokenConstraint::Shared{std::move(tokenizer),
                              std::make_unique<grammar::TokenMasks>(
                                  std::move(automaton), std::move(tries), std::move(ends)),
                              spec.finish_in_time});
  constraint.place_ = constraint.shared_->masks->start();
  require(constraint.shared_->masks->can_start(false) || constraint.shared_->masks->can_start(true),
          ErrorCode::kData, "no tokens of the vocabulary spell a text that the grammar allows");
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
  start.first_ = !continues;
  return start;
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
