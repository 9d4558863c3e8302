// Documents of a source, whatever its format: the one reader of raw text for everything that learns
// from it or describes it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "corpus/prepare_config.h"

namespace llmctl {

/// A file and how it is read.
struct SourceFile {
  std::filesystem::path path;
  SourceConfig how;  ///< with "format" known
};

/// The files of the sources, in order; their formats by content and name. kMissing; kData for what
/// is no text (Parquet, PDF, archives, …), with the remedy.
std::vector<SourceFile> source_files(const std::vector<SourceConfig>& sources);

/// A document and where it begins.
struct SourceDocument {
  std::string_view text;
  /// Line of a text or of JSON Lines, row's line of a table, element of an array, page of a dump,
  /// from 1.
  std::uint64_t place = 1;
};

/// What a reader met that its user should hear of.
struct ReadingNotes {
  std::map<std::string, std::uint64_t> end_marks;  ///< lines that ended documents
  std::map<std::string, std::uint64_t> marks;      ///< names of special tokens kept as text
  std::uint64_t nulls = 0;                         ///< records whose text is null, passed over
  std::string first_null;                          ///< FILE:PLACE of the first
  /// One line for each kind of thing met: what was found, what was done.
  void log() const;
};

/// Documents of a file, in order, none of them blank; returning false stops. Of records the text is
/// the fields named in `how.fields`, or else the first of kTextFields that the file's first record
/// has, or a table's only column. kData naming file and place, and the fields that there are.
void for_each_source_document(const SourceFile& file,
                              const std::function<bool(const SourceDocument&)>& document,
                              ReadingNotes* notes = nullptr);

/// Names of special tokens of the usual tokenizers in a text, added to `counts`: they stay text,
/// since training takes no text for a special token.
void count_special_marks(std::string_view text, std::map<std::string, std::uint64_t>& counts);

}  // namespace llmctl
