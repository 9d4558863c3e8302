// Text as users have it: files, folders and globs; plain or gz/bz2/xz/zst; documents split by file,
// line or blank line; records of labelled data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/json.h"

namespace llmctl {

/// A line, document or quoted field longer than this is refused (kData): no text has one, and
/// memory stays bounded.
inline constexpr std::uint64_t kMaxTextUnit = std::uint64_t{1} << 30;

/// Files that the patterns name, each once, in the order of the patterns: a file, a folder (all
/// files in it and its folders, linked ones too, sorted by path; names that begin with '.' left
/// out) or a glob (*,
/// ?, [], {}; matches sorted). kMissing, naming the pattern, where one names none.
std::vector<std::filesystem::path> expand_paths(const std::vector<std::string>& patterns);

/// The extension without compression's: ".jsonl" of "a.jsonl.gz", in lower case.
std::string text_extension(const std::filesystem::path& path);

/// Bytes of a regular file, decompressed as its first bytes say (gzip, bzip2, xz, zstd; by
/// libarchive), in pieces; returning false stops. kMissing, kData (damaged or cut off, naming the
/// file).
void for_each_block(const std::filesystem::path& path,
                    const std::function<bool(std::string_view)>& block);

/// Lines of a possibly compressed UTF-8 text file in bounded memory: CRLF taken as LF, a byte order
/// mark dropped; number from 1; returning false stops. Invalid UTF-8 is kData with line and byte.
void for_each_text_line(const std::filesystem::path& path,
                        const std::function<bool(std::uint64_t, std::string_view)>& line);

/// The same for readers that go on behind a line of invalid UTF-8: it comes as it is, with the
/// error that for_each_text_line() would throw; null for good lines.
void for_each_checked_line(
    const std::filesystem::path& path,
    const std::function<bool(std::uint64_t, std::string_view, const Error* bad)>& line);

/// Where a document ends.
enum class DocumentSplit {
  kBlankLine,  ///< at lines of nothing but white space; in a file with end marks at those alone
  kLine,       ///< at each line; blank ones are left out
  kFile        ///< at the end of the file, whose line breaks are all kept
};
/// "blank_line", "line" and "file" of configurations and manifests.
inline const std::vector<std::string> kDocumentSplits = {"blank_line", "line", "file"};
DocumentSplit document_split_of(const std::string& name);
const std::string& name_of(DocumentSplit split);

/// A mark by which corpora end their texts: "<|endoftext|>" (GPT-2), "<|end_of_text|>" (Llama 3),
/// "</s>", "<eos>".
bool is_end_mark(std::string_view line);
/// Whether a text file's first 256 KiB have a line that is an end mark alone.
bool has_end_marks(const std::filesystem::path& path);

/// Documents of a text file, none of them blank, with the line where each begins; lines are joined
/// by "\n". A line that is an end mark alone ends a document whatever `split` says, and is not part
/// of it: `end_marks` (may be null) counts them by name. Where has_end_marks(), blank lines are
/// part of the documents. Invalid UTF-8 is kData with line and byte.
void for_each_document(const std::filesystem::path& path, DocumentSplit split,
                       const std::function<bool(std::uint64_t, std::string_view)>& document,
                       std::map<std::string, std::uint64_t>* end_marks = nullptr);

/// Takes the error of a row that is no record.
using BadRecord = std::function<void(const Error&)>;

/// Records: each line of JSON Lines, each element of a JSON array (or of an object's "data" member;
/// an object with a text of its own and no such member is one record), each row of .csv (RFC 4180,
/// line breaks in quoted fields too; separated by semicolons or tabs where the header is) or .tsv
/// (no quoting; where it looks quoted, a warning says so) under the header's names. A nameless
/// first column (pandas' index) is passed over. Every record is an object (of strings for tables);
/// the number is its line (arrays: its element), from 1. What the file is, text_format() says.
/// kData names file and line. Rows that are no record (invalid UTF-8, no JSON, another number of
/// fields than the header) are given to `bad`, and the reader goes on behind them; without it they
/// are thrown. What spoils the file as a whole is always thrown: the syntax of an array, the header
/// of a table, a quoted field that never ends.
void for_each_record(const std::filesystem::path& path,
                     const std::function<bool(std::uint64_t, const Json&)>& record,
                     const BadRecord& bad = {});
/// The record of one line of JSON Lines. kData, naming `place`.
Json record_of_line(std::string_view line, const std::string& place);
/// The same as for_each_record() for a file of a known format: "jsonl", "json", "csv" or "tsv".
void for_each_record_of(const std::string& format, const std::filesystem::path& path,
                        const std::function<bool(std::uint64_t, const Json&)>& record,
                        const BadRecord& bad = {});

}  // namespace llmctl
