// Texts with classes as users bring them: .jsonl, .json, .csv, .tsv.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/json.h"
#include "tasks/sequence_classification.h"

namespace llmctl {

struct LabelledText {
  Json id;  ///< the record's "id", else its number from 0 over all files
  std::string text;
  std::optional<std::string> pair;
  std::string label;  ///< as written; "" where the record has none
  double weight = 1;
  std::size_t file = 0;      ///< index of its file
  std::uint64_t record = 0;  ///< its number there, from 1
};

/// Appends the records of file number `index`. kData naming file and record: no text, no label (if
/// `need_label`), a weight that is negative or not a number.
void read_labelled_texts(const std::filesystem::path& file, std::size_t index,
                         const SequenceClassificationConfig& config, bool need_label,
                         std::vector<LabelledText>& out);

/// The text and its pair in a single input ({"text": …}).
LabelledText read_text_input(const AnswerInput& input, const SequenceClassificationConfig& config);

/// A class as it is compared: white space around it left out, an integral number ("0.0", "+3")
/// spelled as an integer.
std::string class_name(const std::string& label);

/// The names that labels come down to, sorted: by number when all are integers, else by name.
std::vector<std::string> label_names(const std::vector<LabelledText>& texts);

/// Index of a label among `names`, compared as class names; "LABEL_3", as transformers calls a
/// class without a name, is the number 3. Never by position.
std::optional<std::size_t> label_id(const std::string& label,
                                    const std::vector<std::string>& names);

/// Says in a line each what the spelling of classes made of them, and warns of what is probably no
/// class. kData, naming the record: a number with a fraction, which is a score.
void review_labels(const std::vector<LabelledText>& texts,
                   const std::vector<std::filesystem::path>& files);

}  // namespace llmctl
