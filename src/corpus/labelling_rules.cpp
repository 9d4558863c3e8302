#include "corpus/labelling_rules.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "config/load.h"
#include "text/regex.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

constexpr double kFirstGuess = 0.7, kGuessVotes = 2;
constexpr int kRounds = 100;
constexpr double kMostSure = 0.999;

/// Letters and digits of scripts whose words stand between blanks as they are: Latin, Greek,
/// Cyrillic, Armenian. Others write words together, or parts of words on to them.
bool joins_words(char32_t c) {
  return is_alphanumeric(c) && (c < 0x590 || (c >= 0x1E00 && c < 0x2000));
}

char32_t first_of(std::string_view text) {
  std::size_t offset = 0;
  return next_code_point(text, offset);
}

char32_t last_of(std::string_view text) {
  std::size_t begin = text.size() - 1;
  while (begin > 0 && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) --begin;
  return first_of(text.substr(begin));
}

/// Whether a word occurs in a text, both in lower case, and is no part of a longer word there.
bool occurs(std::string_view text, std::string_view word) {
  for (std::size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
    const std::string_view before = text.substr(0, at), behind = text.substr(at + word.size());
    const bool joined_before =
        !before.empty() && joins_words(first_of(word)) && joins_words(last_of(before));
    const bool joined_behind =
        !behind.empty() && joins_words(last_of(word)) && joins_words(first_of(behind));
    if (!joined_before && !joined_behind) return true;
  }
  return false;
}

bool matches(const Regex& regex, std::string_view text) {
  bool found = false;
  const TextRange whole{0, static_cast<std::uint32_t>(text.size())};
  regex.for_each_match(text, whole, [&](TextRange) { found = true; });
  return found;
}

std::string name_of(const LabellingRule& rule) {
  if (!rule.name.empty()) return rule.name;
  return rule.regex.empty() ? join(rule.words) : rule.regex;
}

}  // namespace

void LabellingRule::validate(const ConfigNode& node) const {
  if (label.empty()) node.fail("label", "missing; name the label that the rule votes for");
  if (words.empty() == regex.empty()) node.fail("", "expected one of words and regex");
  if (std::any_of(words.begin(), words.end(), [](const std::string& word) { return word.empty(); }))
    node.fail("words", "an empty word occurs in every text");
}

void LabellingRules::validate(const ConfigNode& node) const {
  std::set<std::string> labels;
  for (const LabellingRule& rule : rules) labels.insert(rule.label);
  if (labels.size() < 2) node.fail("rules", "expected rules for two labels and more");
  double sum = 0;
  for (const auto& [label, share] : prior) {
    if (!labels.contains(label)) node.fail("prior", concat("no rule votes for '", label, "'"));
    sum += share;
  }
  if (!prior.empty() && (prior.size() != labels.size() || std::abs(sum - 1) > 1e-3))
    node.fail("prior", "expected a share for each label, 1 in all");
}

LabellingRules read_labelling_rules(const std::string& file) {
  const JsonDocument document = load_config_file(file);
  LabellingRules rules;
  read_config(ConfigNode(&document.value, "", &document, ErrorCode::kData), rules);
  for (LabellingRule& rule : rules.rules) rule.name = name_of(rule);
  return rules;
}

struct RuleVoter::Rule {
  std::size_t label = 0;
  std::vector<std::string> words;
  std::unique_ptr<Regex> regex, unless;
};

RuleVoter::RuleVoter(const LabellingRules& rules) {
  std::set<std::string> labels;
  for (const LabellingRule& rule : rules.rules) labels.insert(rule.label);
  labels_.assign(labels.begin(), labels.end());
  for (const LabellingRule& rule : rules.rules) {
    auto made = std::make_unique<Rule>();
    made->label = static_cast<std::size_t>(
        std::lower_bound(labels_.begin(), labels_.end(), rule.label) - labels_.begin());
    for (const std::string& word : rule.words) made->words.push_back(to_lower(word));
    const std::string place = concat("rule '", name_of(rule), "'");
    if (!rule.regex.empty()) made->regex = std::make_unique<Regex>(rule.regex, place);
    if (!rule.unless.empty()) made->unless = std::make_unique<Regex>(rule.unless, place);
    rules_.push_back(std::move(made));
  }
}

RuleVoter::~RuleVoter() = default;

RuleVotes RuleVoter::votes(std::string_view text) const {
  const std::string lower = to_lower(text);
  RuleVotes votes;
  for (const auto& rule : rules_) {
    bool fires = rule->regex ? matches(*rule->regex, text)
                             : std::any_of(rule->words.begin(), rule->words.end(),
                                           [&](const auto& word) { return occurs(lower, word); });
    if (fires && rule->unless) fires = !matches(*rule->unless, text);
    votes.push_back(fires ? std::optional(rule->label) : std::nullopt);
  }
  return votes;
}

std::vector<double> LabelModel::probabilities(const RuleVotes& votes) const {
  const auto others = static_cast<double>(prior.size() - 1);
  std::vector<double> logs(prior.size());
  for (std::size_t label = 0; label < prior.size(); ++label) {
    logs[label] = std::log(prior[label]);
    for (std::size_t rule = 0; rule < votes.size(); ++rule) {
      if (!votes[rule]) continue;
      const double accuracy = accuracies[rule];
      logs[label] += std::log(*votes[rule] == label ? accuracy : (1 - accuracy) / others);
    }
  }
  const double greatest = *std::max_element(logs.begin(), logs.end());
  double sum = 0;
  for (double& value : logs) sum += value = std::exp(value - greatest);
  for (double& value : logs) value /= sum;
  return logs;
}

LabelModel fit_label_model(const std::vector<RuleVotes>& votes, std::vector<double> prior) {
  const std::size_t rules = votes.empty() ? 0 : votes.front().size();
  const double chance = 1 / static_cast<double>(prior.size());
  LabelModel model{std::vector(rules, kFirstGuess), std::move(prior)};
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> right(rules, kFirstGuess * kGuessVotes), cast(rules, kGuessVotes);
    for (const RuleVotes& row : votes) {
      const std::vector<double> shares = model.probabilities(row);
      for (std::size_t rule = 0; rule < rules; ++rule) {
        if (!row[rule]) continue;
        right[rule] += shares[*row[rule]];
        cast[rule] += 1;
      }
    }
    for (std::size_t rule = 0; rule < rules; ++rule)
      model.accuracies[rule] = std::clamp(right[rule] / cast[rule], chance, kMostSure);
  }
  return model;
}

}  // namespace llmctl
