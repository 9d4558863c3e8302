#include "io/text_format.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "base/utf8.h"
#include "config/json.h"
#include "io/text_source.h"

namespace llmctl {
namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

constexpr std::size_t kMaxHead = std::size_t{16} << 20;  // of a file without line ends

struct Magic {
  std::string_view bytes;
  const char* what;
};

/// Beginnings of files that hold no text.
constexpr std::array kMagic = {
    Magic{"\x7f"
          "ELF"sv,
          "a program (ELF), no text"},
    Magic{"MZ\x90\0"sv, "a program (Windows), no text"},
    Magic{"\xcf\xfa\xed\xfe"sv, "a program (Mach-O), no text"},
    Magic{"\0asm"sv, "a program (WebAssembly), no text"},
    Magic{"%PDF-"sv, "a PDF file; extract its text first, with pdftotext for example"},
    Magic{"PK\x03\x04"sv,
          "a ZIP archive (as .docx, .xlsx and .epub are); unpack or convert it first"},
    Magic{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"sv, "an old Office document; convert it to text first"},
    Magic{"7z\xbc\xaf\x27\x1c"sv, "a 7-Zip archive; unpack it first"},
    Magic{"Rar!\x1a\x07"sv, "a RAR archive; unpack it first"},
    Magic{"PAR1"sv, "a Parquet file"},
    Magic{"ARROW1"sv, "an Arrow file; convert it to .jsonl"},
    Magic{"\x93NUMPY"sv, "an array of NumPy; convert it to .jsonl"},
    Magic{"\x89HDF\r\n"sv, "an HDF5 file; convert it to .jsonl"},
    Magic{"SQLite format 3\0"sv, "a database of SQLite; export a table as .csv"},
    Magic{"GGUF"sv, "the weights of a model (GGUF), no text"},
    Magic{"\x89PNG\r\n"sv, "a picture (PNG), no text"},
    Magic{"\xff\xd8\xff"sv, "a picture (JPEG), no text"},
    Magic{"GIF8"sv, "a picture (GIF), no text"},
    Magic{"OggS"sv, "a recording (Ogg), no text"},
    Magic{"RIFF"sv, "a recording or picture (RIFF), no text"},
    Magic{"ID3"sv, "a recording (MP3), no text"},
};

bool is_control(unsigned char c) {
  return (c < 0x20 && !(c >= 0x08 && c <= 0x0D) && c != 0x1B) || c == 0x7F;
}

/// Whether the bytes beyond ASCII are characters of GB18030, as those of other encodings of East
/// Asia mostly are too.
bool may_be_gb18030(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
    if (byte(0) < 0x80) {
      ++at;
      continue;
    }
    if (at + 4 > text.size()) return true;  // the head's end may cut one
    if (byte(0) == 0x80 || byte(0) == 0xFF) return false;
    if (byte(1) >= 0x30 && byte(1) <= 0x39) {
      at += 4;
    } else if (byte(1) >= 0x40 && byte(1) != 0x7F && byte(1) != 0xFF) {
      at += 2;
    } else {
      return false;
    }
  }
  return true;
}

std::string_view skip_blank(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  return begin == text.npos ? std::string_view() : text.substr(begin);
}

/// What JSON the text is: "jsonl", "json", or "" for none. `whole` when the head is all of it.
std::string json_of(std::string_view head, bool whole) {
  const std::string_view text = skip_blank(head);
  if (text.starts_with('[')) {
    const std::string_view inside = skip_blank(text.substr(1));
    if (inside.starts_with(']') && skip_blank(inside.substr(1)).empty()) return "json";
    if (!inside.starts_with('{')) return "";
    const std::string_view key = skip_blank(inside.substr(1));
    return key.starts_with('"') || key.starts_with('}') ? "json" : "";
  }
  if (!text.starts_with('{')) return "";
  const std::size_t end = text.find('\n');
  if (end == text.npos) {
    if (whole) return is_json_object(text) ? "json" : "";
    return skip_blank(text.substr(1)).starts_with('"') ? "json" : "";  // all in one long line
  }
  if (is_json_object(text.substr(0, end))) {
    const std::string_view next = skip_blank(text.substr(end));
    return next.empty() && whole ? "json" : "jsonl";
  }
  const std::string_view key = skip_blank(text.substr(1));
  return key.starts_with('"') ? "json" : "";
}

bool starts_with_word(std::string_view text, std::string_view word) {
  return text.size() >= word.size() &&
         std::equal(word.begin(), word.end(), text.begin(), [](char a, char b) {
           return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b | 32) : b);
         });
}

}  // namespace

bool is_json_object(std::string_view line) {
  line = skip_blank(line);
  if (!line.starts_with('{') || line.find('"') == line.npos) return false;
  const Json value = Json::parse(line, nullptr, false);
  return value.is_object() && !value.empty();
}

std::string read_head(const fs::path& path, std::size_t size) {
  std::string head;
  for_each_block(path, [&](std::string_view block) {
    head += block.substr(0, size - head.size());
    return head.size() < size;
  });
  return head;
}

std::string no_text_of(std::string_view head) {
  for (const Magic& magic : kMagic) {
    if (head.starts_with(magic.bytes)) return magic.what;
  }
  // The length of its header, of less than 4 GiB, and the header.
  if (head.size() > 9 && head.substr(4, 6) == "\0\0\0\0{\""sv) {
    return "the weights of a model (safetensors), no text";
  }
  if (head.size() > 262 && head.substr(257).starts_with("ustar")) {
    return "a tar archive; unpack it first";
  }
  // Before UTF-16, whose little-endian mark begins that of UTF-32.
  if (head.starts_with("\xff\xfe\0\0"sv) || head.starts_with("\0\0\xfe\xff"sv)) {
    return "UTF-32; convert the text first: iconv -f UTF-32 -t UTF-8";
  }
  if (head.starts_with("\xff\xfe") || head.starts_with("\xfe\xff")) {
    return "UTF-16; convert the text first: iconv -f UTF-16 -t UTF-8";
  }
  const std::string_view some = head.substr(0, 4096);
  std::size_t even = 0, odd = 0, controls = 0;
  for (std::size_t i = 0; i < some.size(); ++i) {
    if (some[i] == '\0') ++(i % 2 == 0 ? even : odd);
    controls += is_control(static_cast<unsigned char>(some[i]));
  }
  // Half of the bytes of Latin text in UTF-16 are NUL, all on the same side.
  if (some.size() >= 8 && std::max(even, odd) * 4 > some.size() &&
      std::min(even, odd) * 32 < some.size()) {
    return concat("UTF-16 without a byte order mark; convert the text first: iconv -f UTF-16",
                  even > odd ? "BE" : "LE", " -t UTF-8");
  }
  if (some.size() >= 64 && controls * 8 > some.size()) return "binary data, no text";
  return "";
}

std::string remedy_of(std::string_view head) {
  if (std::string what = no_text_of(head); !what.empty()) return "the file is " + what;
  const auto bad = find_invalid_utf8(head);
  bool characters = false;
  for (const char c : head.substr(0, bad.value_or(head.size()))) characters |= (c & 0x80) != 0;
  if (characters) {
    return "the text before it is UTF-8: one character is damaged; mend it, or drop it: iconv -f "
           "UTF-8 -t UTF-8 -c";
  }
  return concat("convert the text first: iconv -f ",
                may_be_gb18030(head) ? "GB18030" : "WINDOWS-1252",
                " -t UTF-8 (or what it is written in)");
}

std::string text_format(const fs::path& path) {
  const std::string extension = text_extension(path);
  if (extension == ".bin") return "tokens";
  std::string head = read_head(path);
  const auto parquet = [&] {
    return concat(
        "Parquet is not read; convert it: python3 -c \"import pandas; "
        "pandas.read_parquet('",
        path.filename().string(), "').to_json('", path.stem().string(),
        ".jsonl', orient='records', lines=True, force_ascii=False)\"");
  };
  const std::string what = no_text_of(head);
  require(extension != ".parquet" && what != "a Parquet file", ErrorCode::kData, path, ": ",
          parquet());
  require(what.empty(), ErrorCode::kData, path, ": the file is ", what);
  constexpr std::size_t kHead = std::size_t{1} << 16;
  const bool may_be_json =
      extension == ".json" || extension == ".jsonl" || skip_blank(head).starts_with('{');
  if (may_be_json && head.size() == kHead &&
      skip_blank(head).find('\n') == std::string_view::npos) {
    head = read_head(path, kMaxHead);
  }
  const std::string json = json_of(head, head.size() < kHead);
  if (extension == ".json") return json.empty() ? "json" : json;
  if (extension == ".jsonl" || extension == ".ndjson") {
    return json == "json" && skip_blank(head).starts_with('[') ? "json" : "jsonl";
  }
  const std::string_view text = skip_blank(head);
  const bool page = starts_with_word(text, "<!doctype html") || starts_with_word(text, "<html");
  if (extension == ".html" || extension == ".htm" || extension == ".xhtml") return "html";
  if (text.find("<mediawiki") < 1024) return "mediawiki";
  if (extension == ".xml") return page ? "html" : "mediawiki";
  if (extension == ".csv" || extension == ".tsv")
    return json == "jsonl" ? json : extension.substr(1);
  if (page) return "html";
  if (json != "json" || text.starts_with('[')) return json.empty() ? "text" : json;
  // One object: a line of JSON Lines, or one that a text begins with.
  const bool one_line = skip_blank(text.substr(std::min(text.find('\n'), text.size()))).empty();
  return one_line && head.size() < kHead ? "jsonl" : "text";
}

}  // namespace llmctl
