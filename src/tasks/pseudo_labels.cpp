#include "tasks/pseudo_labels.h"

#include <algorithm>

#include "base/strings.h"
#include "base/white_space.h"
#include "io/text_format.h"
#include "io/text_source.h"
#include "tasks/classification_config.h"
#include "tasks/records.h"

namespace llmctl {
namespace {

void read_lines(const std::filesystem::path& file, BadRows& bad, std::vector<LabelledText>& out) {
  for_each_checked_line(file,
                        [&](std::uint64_t number, std::string_view line, const Error* broken) {
                          if (broken != nullptr) {
                            bad.add(broken->what());
                            return true;
                          }
                          if (is_blank(line)) return true;
                          LabelledText text;
                          text.id = out.size();
                          text.text = std::string(line);
                          text.place = concat(file.string(), ":", number);
                          out.push_back(std::move(text));
                          return true;
                        });
}

/// What a label of the text must reach at least, by class.
std::vector<double> least_probabilities(const ClassDecision& decision,
                                        const SelfTrainingConfig& section) {
  std::vector<double> least(decision.names.size(), section.threshold);
  for (const auto& [label, threshold] : section.thresholds) {
    const auto id = label_id(label, decision.names);
    require(id.has_value(), ErrorCode::kConfig, "self_training.thresholds: unknown class '", label,
            "', expected one of ", join(decision.names), did_you_mean(label, decision.names));
    least[*id] = threshold;
  }
  return least;
}

struct Candidate {
  std::size_t text;
  std::vector<std::size_t> classes;
  double confidence;
};

/// The texts that are sure enough, in their order.
std::vector<Candidate> candidates_of(const ClassDecision& decision,
                                     const std::vector<std::vector<float>>& values,
                                     const std::vector<double>& least) {
  std::vector<Candidate> out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::vector<float>& row = values[i];
    if (decision.problem == ProblemType::kSingleLabel) {
      const std::size_t best = decision.chosen(row).front();
      if (row[best] >= least[best]) out.push_back({i, {best}, row[best]});
      continue;
    }
    Candidate candidate{i, {}, 1};
    bool sure = true;
    for (std::size_t id = 0; id < row.size(); ++id) {
      const double present = row[id], absent = 1 - present;
      sure = sure && std::max(present, absent) >= least[id];
      candidate.confidence = std::min(candidate.confidence, std::max(present, absent));
      if (present > absent) candidate.classes.push_back(id);
    }
    if (sure) out.push_back(std::move(candidate));
  }
  return out;
}

/// Keeps of each class (of several labels: set of them) the surest ones, in the order of the texts.
void keep_surest(std::vector<Candidate>& candidates, std::size_t most) {
  std::stable_sort(
      candidates.begin(), candidates.end(),
      [](const Candidate& a, const Candidate& b) { return a.confidence > b.confidence; });
  std::map<std::vector<std::size_t>, std::size_t> taken;
  std::erase_if(candidates,
                [&](const Candidate& candidate) { return ++taken[candidate.classes] > most; });
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.text < b.text; });
}

}  // namespace

std::vector<LabelledText> read_unlabelled_texts(const std::vector<std::filesystem::path>& files,
                                                const SequenceClassificationConfig& config,
                                                BadRows& bad) {
  std::vector<LabelledText> texts;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (text_format(files[i]) == "text") {
      require(config.pairs != true, ErrorCode::kData, files[i].string(),
              ": lines of text, and what is learnt are pairs; expected records of two texts");
      read_lines(files[i], bad, texts);
    } else {
      read_labelled_texts(files[i], {config, ProblemType::kSingleLabel, i, false}, bad, texts);
    }
  }
  return texts;
}

Json record_of(const LabelledText& text, const SequenceClassificationConfig& config, bool pairs) {
  Json record = {{"id", text.id}};
  const std::string field = config.text_field.value_or("text");
  record[field] = text.text;
  if (pairs) {
    record[config.pair_field.value_or(usual_pair_field(field))] =
        text.pair ? Json(*text.pair) : Json();
  }
  return record;
}

TaughtRecords sure_labels(const ClassDecision& decision, const std::vector<LabelledText>& texts,
                          const std::vector<std::vector<float>>& values,
                          const SequenceClassificationConfig& config,
                          const SelfTrainingConfig& section) {
  require(decision.problem != ProblemType::kRegression, ErrorCode::kConfig,
          "self_training: numbers (problem_type regression) have no probabilities to choose by");
  std::vector<Candidate> candidates =
      candidates_of(decision, values, least_probabilities(decision, section));
  if (section.most_per_class > 0)
    keep_surest(candidates, static_cast<std::size_t>(section.most_per_class));
  TaughtRecords taught;
  taught.seen = texts.size();
  const bool pairs = are_pairs(texts) != false;
  for (const std::string& name : decision.names) taught.counts[name] = 0;
  for (const Candidate& candidate : candidates) {
    std::vector<std::string> labels;
    for (const std::size_t id : candidate.classes) {
      labels.push_back(decision.names[id]);
      ++taught.counts[decision.names[id]];
    }
    Json record = record_of(texts[candidate.text], config, pairs);
    const bool single = decision.problem == ProblemType::kSingleLabel;
    record[config.label_field.value_or("label")] = single ? Json(labels.front()) : Json(labels);
    record[config.weight_field.value_or("weight")] = section.weight;
    record[config.confidence_field.value_or("confidence")] = candidate.confidence;
    taught.records.push_back(std::move(record));
  }
  return taught;
}

}  // namespace llmctl
