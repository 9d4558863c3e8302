// What a file of text is, by its content and its name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace llmctl {

/// The first bytes of a file, decompressed; fewer where it is shorter. kMissing, kData.
std::string read_head(const std::filesystem::path& path, std::size_t size = std::size_t{1} << 16);

/// How a file of text is read: "text", "jsonl", "json", "csv", "tsv", "html", "mediawiki" or
/// "tokens" (.bin). The name's extension says it, and the content where that says otherwise: JSON
/// Lines in a file named .json or .txt, an array in one named .jsonl, a web page named .txt. kData
/// for what is no text (programs, archives, pictures, PDF, Parquet, UTF-16, UTF-32), naming what it
/// is and what to do. kMissing.
std::string text_format(const std::filesystem::path& path);

/// Whether a line is a JSON object with a member, and no more: where the first line that is not
/// blank is one, text_format() takes a text for JSON Lines.
bool is_json_object(std::string_view line);

/// What bytes at the beginning of a file that are no UTF-8 text are, and the remedy, as the end of
/// a message: "a PDF file; extract its text first", "…; convert the text first: iconv -f …".
std::string remedy_of(std::string_view head);

/// What the bytes are when they cannot be text, with the remedy; empty where they may be.
std::string no_text_of(std::string_view head);

}  // namespace llmctl
