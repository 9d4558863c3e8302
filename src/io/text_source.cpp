#include "io/text_source.h"

#include <glob.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "base/white_space.h"
#include "io/text_format.h"

namespace llmctl {

namespace {

namespace fs = std::filesystem;

bool hidden(const fs::path& path) {
  return path.filename().string().starts_with('.');
}

/// Adds all files in a folder and its folders, linked ones too; each folder once, so that links in
/// a circle end.
void add_files_below(const fs::path& folder, std::set<fs::path>& entered,
                     std::vector<fs::path>& files) {
  std::error_code error;
  if (!entered.insert(fs::canonical(folder, error)).second) return;
  fs::directory_iterator entry(folder, error), end;
  for (; !error && entry != end; entry.increment(error)) {
    const fs::path path = entry->path();
    if (hidden(path)) continue;
    std::error_code unknown;
    const fs::file_status status = fs::status(path, unknown);
    require(fs::exists(status), ErrorCode::kMissing, path, ": a link that leads nowhere");
    if (fs::is_directory(status)) {
      add_files_below(path, entered, files);
    } else if (fs::is_regular_file(status)) {
      files.push_back(path);
    }
  }
  require(!error, ErrorCode::kMissing, folder, ": ", error.message());
}

std::vector<fs::path> files_below(const fs::path& folder) {
  std::set<fs::path> entered;
  std::vector<fs::path> files;
  add_files_below(folder, entered, files);
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
  // What the file is, its beginning tells; what the bytes are, those around them.
  std::string around = read_head(path, 4096);
  if (no_text_of(around).empty()) {
    std::size_t begin = *bad < 4096 ? 0 : *bad - 4096;
    while (begin < *bad && (line.text[begin] & 0xC0) == 0x80) ++begin;
    if (find_invalid_utf8(around) || line.offset < around.size()) around.clear();
    around += line.text.substr(begin, 8192);
  }
  fail(ErrorCode::kData, path, ":", line.number, ": invalid UTF-8 at byte ", *bad + 1,
       " of the line (", hex, ", offset ", line.offset + *bad, "); ", remedy_of(around));
}

/// The lines of a file, in whatever encoding.
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
    if (line.text.ends_with('\r')) line.text.remove_suffix(1);
    stopped = !use(line);
  };
  bool first = true;
  for_each_block(path, [&](std::string_view block) {
    if (std::exchange(first, false) && block.find('\0') != block.npos) {
      const std::string what = no_text_of(block);  // Latin text in UTF-16 is valid UTF-8
      require(what.empty(), ErrorCode::kData, path, ": the file is ", what);
    }
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
  for_each_line_of(path, [&](const Line& read) {
    check_utf8(path, read);
    return line(read.number, read.text);
  });
}

void for_each_checked_line(
    const fs::path& path,
    const std::function<bool(std::uint64_t, std::string_view, const Error*)>& line) {
  for_each_line_of(path, [&](const Line& read) {
    try {
      check_utf8(path, read);
    } catch (const Error& bad) {
      return line(read.number, read.text, &bad);
    }
    return line(read.number, read.text, nullptr);
  });
}

DocumentSplit document_split_of(const std::string& name) {
  const auto found = std::find(kDocumentSplits.begin(), kDocumentSplits.end(), name);
  require(found != kDocumentSplits.end(), ErrorCode::kConfig, "split: expected ",
          "blank_line, line or file, got '", name, "'");
  return static_cast<DocumentSplit>(found - kDocumentSplits.begin());
}

const std::string& name_of(DocumentSplit split) {
  return kDocumentSplits[static_cast<std::size_t>(split)];
}

bool is_end_mark(std::string_view line) {
  const std::size_t begin = std::min(line.find_first_not_of(" \t\r"), line.size());
  line.remove_prefix(begin);
  if (!line.starts_with('<')) return false;
  line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
  return line == "<|endoftext|>" || line == "<|end_of_text|>" || line == "</s>" || line == "<eos>";
}

bool has_end_marks(const fs::path& path) {
  const std::string head = read_head(path, std::size_t{1} << 18);
  for (std::size_t at = 0; (at = head.find('<', at)) != head.npos; ++at) {
    const std::size_t begin = head.rfind('\n', at) + 1;  // npos + 1 is the beginning
    if (is_end_mark(std::string_view(head).substr(begin, head.find('\n', at) - begin))) return true;
  }
  return false;
}

void for_each_document(const fs::path& path, DocumentSplit split,
                       const std::function<bool(std::uint64_t, std::string_view)>& document,
                       std::map<std::string, std::uint64_t>* end_marks) {
  const bool blank_lines_end = split == DocumentSplit::kBlankLine && !has_end_marks(path);
  std::string text;
  std::uint64_t begins_at = 1;
  bool stopped = false;
  const auto finish = [&] {
    // The line breaks before an end mark are the mark's, not the text's.
    if (split == DocumentSplit::kBlankLine) {
      while (text.ends_with('\n')) text.pop_back();
    }
    if (!is_blank(text)) stopped = !document(begins_at, text);
    text.clear();
    return !stopped;
  };
  for_each_line_of(path, [&](const Line& line) {
    check_utf8(path, line);
    if (is_end_mark(line.text)) {
      if (end_marks) ++(*end_marks)[std::string(trim_white_space(line.text))];
      return finish();
    }
    if (split == DocumentSplit::kLine) {
      return is_blank(line.text) || document(line.number, line.text);
    }
    if (split == DocumentSplit::kBlankLine) {
      const bool blank = is_blank(line.text);
      if (blank && blank_lines_end) return finish();
      if (blank && text.empty()) return true;
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
