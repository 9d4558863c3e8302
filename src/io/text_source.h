// Text as users have it: files, folders and globs; plain or gz/bz2/xz/zst; documents split by file,
// line or blank line; records of labelled data.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/json.h"

namespace llmctl {

/// A line, document or quoted field longer than this is refused (kData): no text has one, and
/// memory stays bounded.
inline constexpr std::uint64_t kMaxTextUnit = std::uint64_t{1} << 30;

/// Files that the patterns name, each once, in the order of the patterns: a file, a folder (all
/// files in it and its folders, sorted by path; names that begin with '.' left out) or a glob (*,
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

/// Where a document ends.
enum class DocumentSplit {
  kBlankLine,  ///< at lines of nothing but white space
  kLine,       ///< at each line; blank ones are left out
  kFile        ///< at the end of the file, whose line breaks are all kept
};

/// Documents of a text file, none of them empty; lines are joined by "\n". .jsonl files give the
/// member "text" of each line whatever `split` says. Invalid UTF-8 is kData with line and byte.
void for_each_document(const std::filesystem::path& path, DocumentSplit split,
                       const std::function<bool(std::string_view)>& document);

/// Records of labelled data: each line of .jsonl, each element of a .json array (or of an object's
/// "data" member), each row of .csv (RFC 4180, line breaks in quoted fields too) or .tsv (no
/// quoting) under the header's names. Every record is an object (of strings for .csv and .tsv);
/// the number is its line (.json: its element), from 1. kData names file and line.
void for_each_record(const std::filesystem::path& path,
                     const std::function<bool(std::uint64_t, const Json&)>& record);

}  // namespace llmctl
