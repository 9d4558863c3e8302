// for_each_record: JSON lines, JSON arrays, comma- and tab-separated tables as JSON objects.
#include <algorithm>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/white_space.h"
#include "io/text_format.h"
#include "io/text_source.h"

namespace llmctl {

namespace {

namespace fs = std::filesystem;
using RecordUse = std::function<bool(std::uint64_t, const Json&)>;

/// Where records go, and rows that are none.
struct Taker {
  const RecordUse& use;
  const BadRecord& bad;

  bool operator()(std::uint64_t number, const Json& record) const { return use(number, record); }
  void refuse(const Error& error) const {
    if (!bad) throw error;
    bad(error);
  }
};

void read_json_lines(const fs::path& path, const Taker& take) {
  for_each_checked_line(path, [&](std::uint64_t number, std::string_view line, const Error* bad) {
    if (bad != nullptr) {
      take.refuse(*bad);
      return true;
    }
    if (is_blank(line)) return true;
    Json record;
    try {
      record = record_of_line(line, concat(path, ":", number));
    } catch (const Error& error) {
      take.refuse(error);
      return true;
    }
    return take(number, record);
  });
}

void read_json_array(const fs::path& path, const Taker& take) {
  std::string text;
  for_each_text_line(path, [&](std::uint64_t, std::string_view line) {
    require(text.size() + line.size() <= kMaxTextUnit, ErrorCode::kData, path, ": larger than ",
            kMaxTextUnit >> 20, " MiB; give large data as .jsonl, one object per line");
    text.append(line) += '\n';
    return true;
  });
  const Json document = parse_json(text, path.string(), {.max_bytes = text.size()});
  const bool wrapped =
      document.is_object() && document.contains("data") && document["data"].is_array();
  const bool record_itself =
      document.is_object() && !document.contains("data") &&
      std::any_of(document.begin(), document.end(), [](const Json& v) { return v.is_string(); });
  if (record_itself) {
    take(1, document);
    return;
  }
  require(document.is_array() || wrapped, ErrorCode::kData, path,
          ": expected a list of objects, an object whose \"data\" is one, or JSON Lines");
  std::uint64_t number = 0;
  for (const Json& record : wrapped ? document["data"] : document) {
    ++number;
    if (!record.is_object()) {
      take.refuse(Error(
          ErrorCode::kData,
          concat(path, ": element ", number, ": expected an object, got ", record.type_name())));
      continue;
    }
    if (!take(number, record)) return;
  }
}

/// Rows of fields become objects under the names of the first row.
class Table {
 public:
  Table(const fs::path& path, const Taker& take) : path_(path), take_(take) {}

  /// Takes an error of the current row, or of the header, which is thrown.
  void refuse(const Error& error) const {
    if (names_.empty()) throw error;
    take_.refuse(error);
  }

  bool row(std::uint64_t line, std::vector<std::string> fields) {
    if (names_.empty()) {
      // pandas and R write the rows' numbers as a first column, without a name.
      index_ = fields.size() > 1 && (fields[0].empty() || fields[0] == "Unnamed: 0");
      std::set<std::string> seen;
      for (std::string& name : fields) name = std::string(trim_white_space(name));  // "text, label"
      for (std::size_t i = index_ ? 1 : 0; i < fields.size(); ++i) {
        require(!fields[i].empty() && seen.insert(fields[i]).second, ErrorCode::kData, path_, ":",
                line, ": column names in the first row must differ and not be empty, got '",
                fields[i], "' (column ", i + 1, ")");
      }
      names_ = std::move(fields);
      return true;
    }
    if (fields.size() != names_.size()) {
      refuse(Error(ErrorCode::kData,
                   concat(path_, ":", line, ": ", fields.size(), " fields, expected ",
                          names_.size(), " as in the first row")));
      return true;
    }
    Json record = Json::object();
    for (std::size_t i = index_ ? 1 : 0; i < fields.size(); ++i) {
      record[names_[i]] = std::move(fields[i]);
    }
    return take_(line, record);
  }

 private:
  const fs::path& path_;
  const Taker& take_;
  std::vector<std::string> names_;
  bool index_ = false;  // the first column is passed over
};

/// Whether a field is written as CSV quotes one that has quotation marks inside.
bool is_quoted_as_csv(std::string_view field) {
  if (field.size() < 4 || !field.starts_with('"') || !field.ends_with('"')) return false;
  const std::string_view inside = field.substr(1, field.size() - 2);
  std::size_t doubled = 0;
  for (std::size_t at = 0; (at = inside.find('"', at)) != inside.npos; at += 2) {
    if (inside.substr(at, 2) != "\"\"") return false;
    ++doubled;
  }
  return doubled > 0;
}

/// Tells, once for each file, of fields whose quotation marks are taken for text: pandas and R
/// quote in .tsv as in CSV. Most of those who write .tsv do not, so that such fields stay as they
/// are.
void warn_of_quoted_fields(const fs::path& path, std::uint64_t quoted) {
  static std::mutex mutex;
  static std::set<fs::path> told;
  const std::lock_guard lock(mutex);
  if (quoted == 0 || !told.insert(path).second) return;
  log_warning(path.string(), ": ", quoted, quoted == 1 ? " field is" : " fields are",
              " in quotation marks with doubled ones inside, as CSV has them, which .tsv keeps as "
              "they are; name the file .csv to have them read");
}

void read_tsv(const fs::path& path, const Taker& take) {
  Table table(path, take);
  std::uint64_t quoted = 0;
  for_each_checked_line(path, [&](std::uint64_t number, std::string_view line, const Error* bad) {
    if (bad != nullptr) {
      table.refuse(*bad);
      return true;
    }
    if (line.empty()) return true;
    std::vector<std::string> fields;
    for (std::size_t begin = 0; begin <= line.size();) {
      const std::size_t end = std::min(line.find('\t', begin), line.size());
      fields.emplace_back(line.substr(begin, end - begin));
      if (is_quoted_as_csv(fields.back())) ++quoted;
      begin = end + 1;
    }
    return table.row(number, std::move(fields));
  });
  warn_of_quoted_fields(path, quoted);
}

/// RFC 4180, one line at a time; a quote inside an unquoted field is taken as it is.
class CsvReader {
 public:
  CsvReader(const fs::path& path, char separator, const Taker& take)
      : path_(path), separator_(separator), table_(path, take) {}

  /// `bad`: what is wrong with the line's bytes, which spoils its row; may be null.
  bool line(std::uint64_t number, std::string_view text, const Error* bad) {
    if (bad != nullptr && !spoiled_) spoiled_ = *bad;
    if (quoted_) {
      field_ += '\n';
    } else {
      if (text.empty()) return true;
      begins_at_ = number;
    }
    std::size_t at = 0;
    while (true) {
      if (quoted_) {
        if (!read_quoted(text, at)) return true;  // the field goes on in the next line
        if (at < text.size() && text[at] != separator_) {
          // What follows can not be divided; the next line begins a row again.
          if (!spoiled_) {
            spoiled_ = Error(ErrorCode::kData,
                             concat(path_, ":", number, ": expected ",
                                    separator_ == ',' ? "a comma" : "a separator",
                                    " after the closing quote, got '", text.substr(at, 1),
                                    "'; quotes inside a quoted field are doubled"));
          }
          field_.clear();
          return end_row();
        }
      } else if (at < text.size() && text[at] == '"') {
        quoted_ = true;
        ++at;
        continue;
      } else {
        const std::size_t end = std::min(text.find(separator_, at), text.size());
        field_ = text.substr(at, end - at);
        at = end;
      }
      fields_.push_back(std::exchange(field_, {}));
      if (at == text.size()) return end_row();
      ++at;  // the separator
    }
  }

  void finish() const {
    require(!quoted_, ErrorCode::kData, path_, ":", begins_at_,
            ": a quoted field that begins in this row is never closed");
  }

 private:
  bool end_row() {
    std::vector<std::string> fields = std::exchange(fields_, {});
    const auto spoiled = std::exchange(spoiled_, std::nullopt);
    if (!spoiled) return table_.row(begins_at_, std::move(fields));
    table_.refuse(*spoiled);
    return true;
  }

  /// Takes text up to the closing quote and leaves `at` behind it; false when the line ends first.
  bool read_quoted(std::string_view text, std::size_t& at) {
    while (true) {
      const std::size_t quote = text.find('"', at);
      field_ += text.substr(at, quote - at);
      require(field_.size() <= kMaxTextUnit, ErrorCode::kData, path_, ":", begins_at_,
              ": a field is longer than ", kMaxTextUnit >> 20, " MiB");
      if (quote == std::string_view::npos) return false;
      at = quote + 1;
      if (at == text.size() || text[at] != '"') break;
      field_ += '"';
      ++at;
    }
    quoted_ = false;
    return true;
  }

  const fs::path& path_;
  char separator_;
  Table table_;
  bool quoted_ = false;          // inside a quoted field
  std::uint64_t begins_at_ = 0;  // line of the row
  std::string field_;
  std::vector<std::string> fields_;
  std::optional<Error> spoiled_;  // what is wrong with the row that is being read
};

/// Spreadsheets of much of Europe write semicolons, some tools tabs: what the header has that has
/// no comma.
char separator_of(const fs::path& path) {
  const std::string head = read_head(path);
  const std::string_view header = std::string_view(head).substr(0, head.find('\n'));
  if (header.find(',') != header.npos) return ',';
  return header.find(';') != header.npos ? ';' : header.find('\t') != header.npos ? '\t' : ',';
}

}  // namespace

Json record_of_line(std::string_view line, const std::string& place) {
  Json record;
  try {
    record = parse_json(line, "", {.max_bytes = kMaxTextUnit});
  } catch (const Error& error) {
    // The parser counts the lines of what it is given; the place in the file is ours to say.
    std::string_view what = error.what();
    if (what.starts_with(":1:")) what.remove_prefix(3);
    fail(error.code(), place, ":", what);
  }
  require(record.is_object(), ErrorCode::kData, place,
          ": expected a JSON object on each line, got ", record.type_name());
  return record;
}

void for_each_record_of(const std::string& format, const fs::path& path, const RecordUse& record,
                        const BadRecord& bad) {
  const Taker take{record, bad};
  if (format == "jsonl") return read_json_lines(path, take);
  if (format == "json") return read_json_array(path, take);
  if (format == "tsv") return read_tsv(path, take);
  require(format == "csv", ErrorCode::kData, path,
          ": records are read from .jsonl, .json, .csv and .tsv files (.gz, .bz2, .xz, .zst of "
          "them too), not from '",
          text_extension(path), "'");
  CsvReader reader(path, separator_of(path), take);
  for_each_checked_line(path,
                        [&](std::uint64_t number, std::string_view line, const Error* broken) {
                          return reader.line(number, line, broken);
                        });
  reader.finish();
}

void for_each_record(const fs::path& path, const RecordUse& record, const BadRecord& bad) {
  for_each_record_of(text_format(path), path, record, bad);
}

}  // namespace llmctl
