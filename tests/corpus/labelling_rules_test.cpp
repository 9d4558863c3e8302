#include "corpus/labelling_rules.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "support/expect_error.h"
#include "support/temp_dir.h"

namespace llmctl {
namespace {

using test::expect_error;
using test::TempDir;

LabellingRules rules_of(const std::string& json) {
  const TempDir directory;
  return read_labelling_rules(directory.write("rules.json", json).string());
}

TEST(LabellingRules, VotesOfWordsAndExpressions) {
  const LabellingRules rules = rules_of(R"({"rules": [  // comments are allowed
    {"label": "good", "words": ["kind", "好吃", "well done"]},
    {"label": "bad", "regex": "(?i)not .*again", "unless": "never mind"},
    {"name": "rude", "label": "bad", "words": ["rude"]}]})");
  const RuleVoter voter(rules);
  EXPECT_EQ(voter.labels(), (std::vector<std::string>{"bad", "good"}));
  const auto fired = [&](const std::string& text) {
    std::string out;
    for (const auto& vote : voter.votes(text)) out += vote ? voter.labels()[*vote] + " " : "- ";
    return out;
  };
  EXPECT_EQ(fired("The staff were KIND."), "good - - ");
  EXPECT_EQ(fired("The kindest of all, mankind"), "- - - ") << "inside longer words";
  EXPECT_EQ(fired("这家饭馆的菜很好吃，下次还来"), "good - - ");
  EXPECT_EQ(fired("Not here again! Rude."), "- bad bad ");
  EXPECT_EQ(fired("not here again, but never mind"), "- - - ");
  EXPECT_EQ(rules.rules[0].name, "kind, 好吃, well done");
}

TEST(LabellingRules, WordsOfEveryScriptAreWhole) {
  const RuleVoter voter(rules_of(R"({"rules": [
    {"label": "a", "words": ["не", "né", "caf", "ある", "좋았", "อร่อย"]}, {"label": "b", "words": ["NÃO", "2"]}]})"));
  const auto fired = [&](const std::string& text) {
    const RuleVotes votes = voter.votes(text);
    return std::string(votes[0] ? "a" : "-") + (votes[1] ? "b" : "-");
  };
  EXPECT_EQ(fired("Небо, нет, мне"), "--") << "inside longer words";
  EXPECT_EQ(fired("Я не знаю"), "a-");
  EXPECT_EQ(fired("l’aîné, un café"), "--");
  EXPECT_EQ(fired("«né» en 12, ２０"), "a-");
  EXPECT_EQ(fired("não!"), "-b");
  EXPECT_EQ(fired("没有2个né人"), "ab") << "Chinese stands beside words without blanks";
  EXPECT_EQ(fired("猫である"), "a-") << "so does Japanese";
  EXPECT_EQ(fired("이 영화는 좋았다"), "a-") << "endings are written on";
  EXPECT_EQ(fired("อาหารอร่อยมาก"), "a-");
}

TEST(LabellingRules, Errors) {
  const auto refused = [](const std::string& json, const std::vector<std::string>& parts) {
    expect_error(ErrorCode::kData, parts, [&] { RuleVoter(rules_of(json)); });
  };
  refused(R"({"rules": [{"label": "a", "words": ["x"]}]})", {"two labels"});
  refused(R"({"rules": [{"label": "a"}]})", {"rules.0", "one of words and regex"});
  refused(R"({"rules": [{"label": "a", "words": [""]}]})", {"every text"});
  refused(R"({"rules": [{"label": "a", "word": ["x"]}]})", {"did you mean 'words'?"});
  refused(R"({"rules": [{"label": "a", "regex": "("}, {"label": "b", "words": ["x"]}]})",
          {"rule '('"});
  refused(R"({"rules": [{"label": "a", "regex": "x"}, {"label": "b", "words": ["x"]}],
              "prior": {"a": 0.5}})",
          {"a share for each label"});
}

TEST(LabelModel, OneVoteAndTwo) {
  const LabelModel model{{0.8, 0.6}, {0.5, 0.5}};
  EXPECT_NEAR(model.probabilities({1, std::nullopt})[1], 0.8, 1e-12);
  EXPECT_NEAR(model.probabilities({std::nullopt, std::nullopt})[0], 0.5, 1e-12);
  EXPECT_NEAR(model.probabilities({1, 0})[1], 0.8 * 0.4 / (0.8 * 0.4 + 0.2 * 0.6), 1e-12);
}

TEST(LabelModel, FindsTheAccuraciesOfRulesFromTheirVotesAlone) {
  // Three labels, five rules of known accuracy that vote on 60 of 100 texts.
  const std::vector<double> truth = {0.95, 0.85, 0.75, 0.6, 0.45};
  std::vector<RuleVotes> votes;
  std::vector<std::size_t> labels;
  Random random(random_key(7, "rules"));
  const auto uniform = [&] { return random.uniform(); };
  for (int i = 0; i < 4000; ++i) {
    const auto label = static_cast<std::size_t>(uniform() * 3);
    RuleVotes row;
    for (const double accuracy : truth) {
      if (uniform() > 0.6) {
        row.emplace_back();
      } else {
        const auto other = (label + 1 + static_cast<std::size_t>(uniform() * 2)) % 3;
        row.emplace_back(uniform() < accuracy ? label : other);
      }
    }
    labels.push_back(label);
    votes.push_back(row);
  }
  const LabelModel model = fit_label_model(votes, std::vector<double>(3, 1.0 / 3));
  for (std::size_t rule = 0; rule < truth.size(); ++rule)
    EXPECT_NEAR(model.accuracies[rule], truth[rule], 0.04) << rule;
  // And is righter than the majority of the votes.
  int by_model = 0, by_majority = 0;
  for (std::size_t i = 0; i < votes.size(); ++i) {
    const auto best = [](const std::vector<double>& values) {
      return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) -
                                      values.begin());
    };
    std::vector<double> counts(3);
    for (const auto& vote : votes[i]) {
      if (vote) ++counts[*vote];
    }
    by_model += best(model.probabilities(votes[i])) == labels[i] ? 1 : 0;
    by_majority += best(counts) == labels[i] ? 1 : 0;
  }
  EXPECT_GT(by_model, by_majority + 100);
}

TEST(LabelModel, WithoutVotesKeepsTheFirstGuess) {
  const LabelModel model = fit_label_model({{std::nullopt, 0}, {std::nullopt, 0}}, {0.5, 0.5});
  EXPECT_NEAR(model.accuracies[0], 0.7, 1e-12);
  EXPECT_TRUE(fit_label_model({}, {0.5, 0.5}).accuracies.empty());
}

}  // namespace
}  // namespace llmctl
