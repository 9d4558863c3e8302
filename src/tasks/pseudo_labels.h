// Which texts a classifier is sure enough of to be learnt from.
#pragma once

#include <string>
#include <vector>

#include "tasks/class_decision.h"
#include "tasks/labelled_texts.h"
#include "tasks/teacher.h"

namespace llmctl {

/// Reads texts without labels: records, or the lines of a plain text that are not blank.
std::vector<LabelledText> read_unlabelled_texts(const std::vector<std::filesystem::path>& files,
                                                const SequenceClassificationConfig& config,
                                                BadRows& bad);

/// The record of a text as `config` reads it back, without a label. `pairs`: some text of the file
/// has a second one beside it, so that where there is none this is said.
Json record_of(const LabelledText& text, const SequenceClassificationConfig& config, bool pairs);

/// The texts whose labels reach the section's thresholds: of one label its probability, of several
/// labels each label's or its absence's (the least of them is the confidence). `values` are
/// probabilities [texts][classes].
TaughtRecords sure_labels(const ClassDecision& decision, const std::vector<LabelledText>& texts,
                          const std::vector<std::vector<float>>& values,
                          const SequenceClassificationConfig& config,
                          const SelfTrainingConfig& section);

}  // namespace llmctl
