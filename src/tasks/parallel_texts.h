// Parallel texts as users bring them: two text files, .tsv, .csv, .jsonl, .json, .tmx.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "config/json.h"
#include "tasks/bad_rows.h"
#include "tasks/translation.h"

namespace llmctl {

/// A text and its translation.
struct TextPair {
  Json id;  ///< the record's "id", else its number from 0 over all files and directions
  std::string source, target;
  std::size_t direction = 0;  ///< index into the task's
  std::size_t record = 0;     ///< the same for the pairs of one record
  std::size_t file = 0;       ///< index of its file in the list that was read
  std::string place = {};     ///< "FILE:LINE"
};

/// The pairs of some files, each in every direction that it has both languages of:
///   text     two files of as many lines, "train.en" and "train.de": they differ in the part of
///            their name that is the language; naming one of them is enough
///   .tsv     under a header with a direction's languages or a field that is known (source, src,
///            target, tgt, translation, …); without such a header the first two columns are source
///            and target of the only direction
///   .csv, .jsonl, .json   fields likewise, or {"translation": {"en": …, "de": …}}; records of
///            several directions under other names say theirs (source_language, target_language)
///   .tmx     units with segments in both languages
/// Where both languages name a field, those count. "en-US" is an "en", where the task does not
/// itself tell the two apart. The section's own fields hold what a record says, else the first
/// direction, and its reverse the other way round.
/// Noted in `bad` as FILE:LINE: lines that lack their counterpart, a missing field, records that
/// say other languages, an empty text beside one that is not, bytes that are no UTF-8. Blank lines
/// of both files and units without both languages are passed over and counted. kMissing: no
/// counterpart of a text file; kConfig: languages that a file needs are not named.
std::vector<TextPair> read_pairs(const std::vector<std::filesystem::path>& files,
                                 const TranslationConfig& config, BadRows& bad);

/// The source text and the direction (an index) of one input: {"text": …} or any of the forms
/// above, without a translation and without the mark of its direction (">>de<<") where it begins
/// with that. kData, naming the place, also where it says other languages or begins with the mark
/// of another direction.
struct SourceText {
  std::string text;
  std::size_t direction = 0;
};
/// `to` names the language where the input does not; empty: the only one.
SourceText read_source(const AnswerInput& input, const TranslationConfig& config,
                       const std::string& to = "");

}  // namespace llmctl
