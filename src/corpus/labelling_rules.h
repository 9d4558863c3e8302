// Labels of texts from rules that vote: words and regular expressions, each for one label,
// abstaining where they do not occur; and what the votes of rules of unknown accuracy come to
// (Dawid and Skene, 1979; Ratner et al., "Data Programming", 2016).
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/fields.h"

namespace llmctl {

/// One rule. It votes for its label where any of its words occurs or its expression matches, and
/// `unless` does not match.
struct LabellingRule {
  std::string name, label;
  std::vector<std::string> words;
  std::string regex, unless;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("name", self.name, "Name in reports; empty: its words or expression.");
    visit("label", self.label, "The label that it votes for.");
    visit("words", self.words,
          "Words or phrases, in any case; those of Latin, Greek and Cyrillic letters and of digits "
          "not inside longer ones, Chinese ones anywhere.");
    visit("regex", self.regex, "A regular expression (PCRE2).");
    visit("unless", self.unless, "A regular expression of texts on which the rule abstains.");
  }
  void validate(const ConfigNode& node) const;
};

/// A file of rules.
struct LabellingRules {
  std::vector<LabellingRule> rules;
  std::map<std::string, double> prior;
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("rules", self.rules, "The rules.");
    visit("prior", self.prior, "Share of each label among the texts; absent: all equal.",
          Range<double>{0, 1});
  }
  void validate(const ConfigNode& node) const;
};

/// Reads a file of rules (JSON with comments). kMissing, kData.
LabellingRules read_labelling_rules(const std::string& file);

/// The votes of a text: by rule the id of a label, or nothing.
using RuleVotes = std::vector<std::optional<std::size_t>>;

/// Rules, ready to vote. Thread-safe.
class RuleVoter {
 public:
  /// kData for what is no expression.
  explicit RuleVoter(const LabellingRules& rules);
  ~RuleVoter();
  /// The labels of the rules, sorted.
  const std::vector<std::string>& labels() const { return labels_; }
  RuleVotes votes(std::string_view text) const;

 private:
  struct Rule;
  std::vector<std::unique_ptr<Rule>> rules_;
  std::vector<std::string> labels_;
};

/// How far each rule is right where it votes, and how frequent the labels are.
struct LabelModel {
  std::vector<double> accuracies;  ///< by rule
  std::vector<double> prior;       ///< by label
  /// Probabilities of the labels given the votes, which count as independent of each other given
  /// the label; the prior where no rule votes.
  std::vector<double> probabilities(const RuleVotes& votes) const;
};

/// Accuracies that explain best how the rules agree, by expectation maximisation from 0.7 each,
/// held back by two votes of that accuracy; never below chance.
LabelModel fit_label_model(const std::vector<RuleVotes>& votes, std::vector<double> prior);

}  // namespace llmctl
