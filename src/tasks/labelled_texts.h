// Texts with labels as users bring them: .jsonl, .json, .csv, .tsv.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/json.h"
#include "tasks/answer.h"
#include "tasks/bad_rows.h"
#include "tasks/classification_config.h"
#include "tasks/records.h"

namespace llmctl {

struct LabelledText {
  Json id;  ///< the record's "id", else its number from 0 over all files
  std::string text;
  std::optional<std::string> pair;
  std::vector<std::string> labels;   ///< as written; of one label a single one
  double value = 0;                  ///< of regression, instead of labels
  double weight = 1;                 ///< weight × confidence; 0: without a label
  std::vector<std::size_t> classes;  ///< ids of the labels, sorted; resolve_classes() fills them
  std::size_t file = 0;              ///< index of its file
  std::string place = {};            ///< "FILE:LINE"

  /// The labels or the value, for people.
  std::string label() const;
};

/// How files are read.
struct LabelledReading {
  const SequenceClassificationConfig& config;
  ProblemType problem = ProblemType::kSingleLabel;
  std::size_t file = 0;      ///< index of the file
  bool need_label = true;    ///< records without one are bad; otherwise labels are not read
  bool allow_empty = false;  ///< texts may be empty: they are references of predictions
};

/// Appends the records of a file. Noted in `bad`: no text or an empty one, no label or one of
/// another kind where it is needed, a weight or confidence that is none.
void read_labelled_texts(const std::filesystem::path& file, const LabelledReading& how,
                         BadRows& bad, std::vector<LabelledText>& out);

/// The records of several files, numbered from 0.
std::vector<LabelledText> read_labelled_texts(const std::vector<std::filesystem::path>& files,
                                              LabelledReading how, BadRows& bad);

/// Whether all texts have a second one, or none has; nothing where some have.
std::optional<bool> are_pairs(const std::vector<LabelledText>& texts);

/// The field in which the second text stands beside a first text in this field ("pair" where there
/// is no usual one).
std::string usual_pair_field(const std::string& text_field);

/// The text and its pair in a single input ({"text": …}).
LabelledText read_text_input(const AnswerInput& input, const SequenceClassificationConfig& config);

/// A class as it is compared: white space around it left out, an integral number ("0.0", "+3")
/// spelled as an integer.
std::string class_name(const std::string& label);

/// The labels of one string: the elements of a list as Python, numpy or JSON writes it, which the
/// cells of data frames hold; else what is not blank between separators (an empty one: none).
std::vector<std::string> split_labels(const std::string& text, const std::string& separator);

/// The names that labels come down to, sorted: by number when all are integers, else by name.
std::vector<std::string> label_names(const std::vector<LabelledText>& texts);

/// Index of a label among `names`, compared as class names; "LABEL_3", as transformers calls a
/// class without a name, is the number 3. Never by position.
std::optional<std::size_t> label_id(const std::string& label,
                                    const std::vector<std::string>& names);

/// Fills the ids of the texts' labels. Texts with an unknown one are noted in `bad` and taken out.
void resolve_classes(std::vector<LabelledText>& texts, const std::vector<std::string>& names,
                     BadRows& bad);

/// Says in a line each what the spelling of classes made of them, and warns of what is probably no
/// class. Records whose label is a number with a fraction, a score, or missing (NaN) are noted in
/// `bad` and taken out.
void review_labels(std::vector<LabelledText>& texts, BadRows& bad);

/// Of each text its class (the set of its labels; of values: their tenth), as a name of a group.
std::vector<std::string> class_groups(const std::vector<LabelledText>& texts, ProblemType problem);

/// Which texts are held out: by hash or tail, or so many of each class (of several labels: of each
/// set of labels; of values: of each tenth of them).
std::vector<bool> held_out_texts(const std::vector<LabelledText>& texts, ProblemType problem,
                                 HeldOutShare share);

}  // namespace llmctl
