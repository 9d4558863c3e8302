#include "io/text_source.h"

#include <glob.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"

namespace llmctl {

namespace {

namespace fs = std::filesystem;

bool hidden(const fs::path& path) {
  return path.filename().string().starts_with('.');
}

/// All files in a folder and its folders, sorted.
std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error), end;
  while (!error && entry != end) {
    if (hidden(entry->path())) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file(error)) {
      files.push_back(entry->path());
    }
    if (!error) entry.increment(error);
  }
  require(!error, ErrorCode::kMissing, folder, ": ", error.message());
  std::sort(files.begin(), files.end());
  return files;
}

/// What glob(3) finds, sorted by bytes whatever the locale.
std::vector<fs::path> glob_matches(const std::string& pattern) {
  glob_t found{};
  std::vector<fs::path> matches;
  if (::glob(pattern.c_str(), GLOB_BRACE | GLOB_TILDE | GLOB_NOSORT, nullptr, &found) == 0) {
    for (std::size_t i = 0; i < found.gl_pathc; ++i) matches.emplace_back(found.gl_pathv[i]);
  }
  ::globfree(&found);
  std::sort(matches.begin(), matches.end());
  return matches;
}

bool blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

/// One line, without its end.
struct Line {
  std::uint64_t number = 0;  ///< from 1
  std::uint64_t offset = 0;  ///< of its first byte in the (decompressed) file
  std::string_view text;
  bool ended = false;  ///< by a line break; only a file's last line is not
};

void check_utf8(const fs::path& path, const Line& line) {
  const auto bad = find_invalid_utf8(line.text);
  if (!bad) return;
  const auto byte = static_cast<unsigned char>(line.text[*bad]);
  char hex[8];
  std::snprintf(hex, sizeof hex, "0x%02X", byte);
  const bool utf16 = line.offset == 0 && *bad == 0 && (byte == 0xFF || byte == 0xFE);
  fail(ErrorCode::kData, path, ":", line.number, ": invalid UTF-8 at byte ", *bad + 1,
       " of the line (", hex, ", offset ", line.offset + *bad,
       "); convert the text first: iconv -f ", utf16 ? "UTF-16" : "GB18030", " -t UTF-8");
}

/// The lines of a file, checked.
void for_each_line_of(const fs::path& path, const std::function<bool(const Line&)>& use) {
  std::string begun;  // of a line whose end is in a later block
  std::uint64_t number = 0, offset = 0;
  bool stopped = false;
  const auto give = [&](std::string_view text, bool ended) {
    Line line{++number, offset, text, ended};
    offset += text.size() + (ended ? 1 : 0);
    if (number == 1 && line.text.starts_with("\xEF\xBB\xBF")) {
      line.text.remove_prefix(3);
      line.offset = 3;
    }
    check_utf8(path, line);
    if (line.text.ends_with('\r')) line.text.remove_suffix(1);
    stopped = !use(line);
  };
  for_each_block(path, [&](std::string_view block) {
    while (!block.empty() && !stopped) {
      const std::size_t end = block.find('\n');
      const std::string_view piece = block.substr(0, end);
      require(begun.size() + piece.size() <= kMaxTextUnit, ErrorCode::kData, path, ":", number + 1,
              ": the line is longer than ", kMaxTextUnit >> 20, " MiB");
      if (end == std::string_view::npos) {
        begun += piece;
        break;
      }
      block.remove_prefix(end + 1);
      if (begun.empty()) {
        give(piece, true);
      } else {
        begun += piece;
        give(begun, true);
        begun.clear();
      }
    }
    return !stopped;
  });
  if (!stopped && !begun.empty()) give(begun, false);
}

void for_each_json_text(const fs::path& path, const std::function<bool(std::string_view)>& use) {
  for_each_record(path, [&](std::uint64_t number, const Json& record) {
    const auto text = record.find("text");
    require(text != record.end(), ErrorCode::kData, path, ":", number,
            ": the object has no member 'text'");
    require(text->is_string(), ErrorCode::kData, path, ":", number,
            ": 'text' must be a string, got ", text->type_name());
    const std::string& document = text->get_ref<const std::string&>();
    return blank(document) || use(document);
  });
}

}  // namespace

std::vector<fs::path> expand_paths(const std::vector<std::string>& patterns) {
  std::vector<fs::path> files;
  std::set<fs::path> seen;
  for (const std::string& pattern : patterns) {
    std::error_code error;
    const bool literal = fs::exists(pattern, error);
    const std::vector<fs::path> matches =
        literal ? std::vector<fs::path>{pattern} : glob_matches(pattern);
    require(!matches.empty(), ErrorCode::kMissing, pattern,
            pattern.find_first_of("*?[{") == std::string::npos ? ": no such file or folder"
                                                               : ": no file matches the pattern");
    for (const fs::path& match : matches) {
      const bool folder = fs::is_directory(match, error);
      const std::vector<fs::path> found = folder ? files_below(match) : std::vector{match};
      require(!found.empty() || matches.size() > 1, ErrorCode::kMissing, match,
              ": the folder has no files");
      for (const fs::path& file : found) {
        if (seen.insert(fs::weakly_canonical(file, error)).second) files.push_back(file);
      }
    }
  }
  return files;
}

std::string text_extension(const fs::path& path) {
  const auto lower = [](std::string text) {
    for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return text;
  };
  const std::string last = lower(path.extension().string());
  const bool compressed = last == ".gz" || last == ".bz2" || last == ".xz" || last == ".zst";
  return compressed ? lower(path.stem().extension().string()) : last;
}

void for_each_text_line(const fs::path& path,
                        const std::function<bool(std::uint64_t, std::string_view)>& line) {
  for_each_line_of(path, [&](const Line& read) { return line(read.number, read.text); });
}

void for_each_document(const fs::path& path, DocumentSplit split,
                       const std::function<bool(std::string_view)>& document) {
  if (text_extension(path) == ".jsonl") return for_each_json_text(path, document);
  std::string text;
  std::uint64_t begins_at = 1;
  bool stopped = false;
  const auto finish = [&] {
    if (!blank(text)) stopped = !document(text);
    text.clear();
    return !stopped;
  };
  for_each_line_of(path, [&](const Line& line) {
    if (split == DocumentSplit::kLine) {
      return blank(line.text) || document(line.text);
    }
    if (split == DocumentSplit::kBlankLine) {
      if (blank(line.text)) return finish();
      if (!text.empty()) text += '\n';
    }
    if (text.empty()) begins_at = line.number;
    text += line.text;
    if (split == DocumentSplit::kFile && line.ended) text += '\n';
    require(text.size() <= kMaxTextUnit, ErrorCode::kData, path, ":", begins_at,
            ": the document that begins here is longer than ", kMaxTextUnit >> 20,
            " MiB; split it by blank lines or lines");
    return true;
  });
  if (!stopped && split != DocumentSplit::kLine) finish();
}

}  // namespace llmctl
