#include "runs/labelling.h"

#include <algorithm>

#include "base/error.h"
#include "base/output.h"
#include "base/threads.h"
#include "corpus/labelling_rules.h"
#include "io/text_source.h"
#include "tasks/classification_config.h"
#include "tasks/pseudo_labels.h"

namespace llmctl {
namespace {

std::vector<double> prior_of(const LabellingRules& rules, const std::vector<std::string>& labels) {
  std::vector<double> prior(labels.size(), 1 / static_cast<double>(labels.size()));
  for (std::size_t id = 0; id < labels.size(); ++id) {
    const auto given = rules.prior.find(labels[id]);
    if (given != rules.prior.end()) prior[id] = std::max(given->second, 1e-6);
  }
  return prior;
}

std::vector<RuleReport> rule_reports(const LabellingRules& rules,
                                     const std::vector<RuleVotes>& votes, const LabelModel& model) {
  std::vector<RuleReport> reports;
  for (std::size_t r = 0; r < rules.rules.size(); ++r) {
    RuleReport report{rules.rules[r].name, rules.rules[r].label, 0, 0, 0, model.accuracies[r]};
    for (const RuleVotes& row : votes) {
      if (!row[r]) continue;
      bool overlaps = false, conflicts = false;
      for (std::size_t other = 0; other < row.size(); ++other) {
        if (other == r || !row[other]) continue;
        overlaps = true;
        conflicts = conflicts || row[other] != row[r];
      }
      ++report.votes;
      report.overlaps += overlaps ? 1 : 0;
      report.conflicts += conflicts ? 1 : 0;
    }
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace

LabellingReport label_texts(const LabellingRequest& request) {
  const LabellingRules rules = read_labelling_rules(request.rules);
  const RuleVoter voter(rules);
  const auto files = expand_paths(request.inputs);
  check_output_file(request.output, request.overwrite, files);
  SequenceClassificationConfig config;
  if (!request.text_field.empty()) config.text_field = request.text_field;
  BadRows bad(request.skip_bad);
  const std::vector<LabelledText> texts = read_unlabelled_texts(files, config, bad);
  bad.settle();
  require(!texts.empty(), ErrorCode::kData, files.front().string(), ": no texts");

  std::vector<RuleVotes> votes(texts.size());
  parallel_for(texts.size(), [&](std::size_t i) {
    votes[i] = voter.votes(texts[i].pair ? texts[i].text + "\n" + *texts[i].pair : texts[i].text);
  });
  const LabelModel model = fit_label_model(votes, prior_of(rules, voter.labels()));
  LabellingReport report;
  report.texts = texts.size();
  report.rules = rule_reports(rules, votes, model);
  std::string lines;
  const bool pairs = are_pairs(texts) != false;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const bool any = std::any_of(votes[i].begin(), votes[i].end(),
                                 [](const auto& vote) { return vote.has_value(); });
    if (!any) continue;
    ++report.voted;
    const std::vector<double> shares = model.probabilities(votes[i]);
    const auto best = std::max_element(shares.begin(), shares.end());
    if (*best < request.threshold) continue;
    // Votes that say as much for one label as for another say nothing.
    if (std::count_if(shares.begin(), shares.end(),
                      [&](double share) { return share > *best - 1e-9; }) > 1)
      continue;
    ++report.written;
    Json record = record_of(texts[i], config, pairs);
    record["label"] = voter.labels()[static_cast<std::size_t>(best - shares.begin())];
    record["confidence"] = *best;
    lines += dump_json(record) + "\n";
  }
  write_output(request.output, lines);
  return report;
}

Json LabellingReport::to_json() const {
  Json json = {{"texts", texts}, {"voted", voted}, {"written", written}, {"rules", Json::array()}};
  for (const RuleReport& rule : rules) {
    json["rules"].push_back({{"name", rule.name},
                             {"label", rule.label},
                             {"votes", rule.votes},
                             {"overlaps", rule.overlaps},
                             {"conflicts", rule.conflicts},
                             {"accuracy", rule.accuracy}});
  }
  return json;
}

}  // namespace llmctl
