// Questions on passages as users bring them: SQuAD 1.1 and 2.0, CMRC 2018 in both of its forms,
// flat records and plain text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config/json.h"
#include "tasks/bad_rows.h"
#include "tasks/predictions.h"
#include "text/tokenizer.h"

namespace llmctl {

struct QaItem {
  std::string id, question;
  std::size_t context = 0;           ///< index into QaData::contexts
  std::vector<std::string> answers;  ///< references; none: the passage does not answer the question
  /// Where the first answer that occurs in the passage stands, in bytes of the passage. Nothing for
  /// questions without an answer and for those whose answers do not occur.
  std::optional<ByteSpan> span;
  std::string place = {};  ///< "FILE: data[0].paragraphs[2].qas[1]", "FILE:LINE"
};

/// Items and their passages, and what reading them met.
struct QaData {
  std::vector<std::string> contexts;
  std::vector<QaItem> items;
  std::size_t moved = 0;  ///< answers that stood elsewhere than answer_start says

  /// True when some item has no answer (SQuAD 2.0).
  bool has_unanswerable() const;
};

/// Appends a file's items. The forms:
///   SQuAD      {"data": [{"paragraphs": [{"context", "qas": [{"id", "question", "answers":
///   [{"text",
///              "answer_start"}], "is_impossible"}]}]}]}, answer_start in code points of the
///              passage
///   CMRC 2018  the same, or a list of {"context_id", "context_text", "qas": [{"query_id",
///   "query_text",
///              "answers": ["…"]}]}
///   flat       .jsonl, or a list, of {"id", "question", "context", "answers"}, answers also in
///   columns {"text": [],
///              "answer_start": []}, or texts with "answer_start" (of a list of texts a list)
///              beside them in the record
///   tables     .csv and .tsv, a row for each question: columns question, context and answer
///   (empty:
///              the passage does not answer it), perhaps id and answer_start
///   text       passages with "Q:" and "A:" lines below them (tasks/qa_text.h)
/// An answer that does not stand at its answer_start is taken where it occurs nearest to it. Items
/// and passages that cannot be read, or whose text is empty, are noted in `bad`; what spoils the
/// file as a whole is kData.
void read_qa_file(const std::filesystem::path& file, BadRows& bad, QaData& data);

/// Takes out items that cannot be learnt from, since their answers do not occur in their passages,
/// and notes them in `bad`.
void drop_unfound_answers(QaData& data, BadRows& bad);
/// Warns of items that are scored though their answers do not occur in their passages: nothing that
/// a model marks there is one.
void warn_of_unfound_answers(const QaData& data);
/// Takes out items whose id an earlier one has, and notes them in `bad`.
void drop_repeated_ids(QaData& data, BadRows& bad);

/// A predictions file: {"id": "answer"} as the official scripts read it, or records as
/// read_predictions() takes them. kData, kMissing.
std::vector<Prediction> read_qa_predictions(const std::filesystem::path& file);

}  // namespace llmctl
