// Text as users have it: files, folders and globs; plain or gz/bz2/xz/zst; documents split by file,
// line or blank line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/json.h"

namespace llmctl {

/// Files that a pattern names: a file, a folder (its files, sorted, hidden ones left out) or a
/// glob. kMissing when none.
std::vector<std::filesystem::path> expand_paths(const std::vector<std::string>& patterns);

/// Bytes of a file, decompressed as its first bytes say (libarchive), in pieces. kMissing, kData
/// (damaged, naming the file).
void for_each_block(const std::filesystem::path& path,
                    const std::function<bool(std::string_view)>& block);

/// Lines of a possibly compressed text file in bounded memory: CRLF taken as LF, a byte order mark
/// dropped; number from 1. Returning false stops.
void for_each_text_line(const std::filesystem::path& path,
                        const std::function<bool(std::uint64_t, std::string_view)>& line);

/// Where a document ends.
enum class DocumentSplit { kBlankLine, kLine, kFile };

/// Documents of a text file; invalid UTF-8 is kData with the byte's offset and the line.
/// .jsonl files give the member "text" of each line.
void for_each_document(const std::filesystem::path& path, DocumentSplit split,
                       const std::function<bool(std::string_view)>& document);

/// Records of labelled data: each line of .jsonl, each element of a .json array (or its "data"
/// member), each row of .csv (RFC 4180) or .tsv (no quoting) under the header's names. Strings in,
/// objects out; number from 1 (line or element).
void for_each_record(const std::filesystem::path& path,
                     const std::function<bool(std::uint64_t, const Json&)>& record);

}  // namespace llmctl
