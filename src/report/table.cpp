#include "report/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "base/terminal.h"
#include "base/utf8.h"

namespace llmctl {
namespace {

constexpr std::size_t kGap = 2;        // columns between two cells
constexpr std::size_t kNarrowest = 8;  // no column is cut below this

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  return escape_control(replace_invalid_utf8(text));
}

/// The longest beginning that fits `width` columns, with "…" in the last where something is cut.
std::string cut(const std::string& text, std::size_t width) {
  if (display_width(text) <= width) return text;
  std::string out;
  std::size_t used = 1;
  for (std::size_t offset = 0; offset < text.size();) {
    const std::size_t begin = offset;
    next_code_point(text, offset);
    const std::string piece = text.substr(begin, offset - begin);
    used += display_width(piece);
    if (used > width) break;
    out += piece;
  }
  return out + "…";
}

std::string pad(const std::string& text, std::size_t width, Align align) {
  const std::size_t used = display_width(text);
  const std::string space(width > used ? width - used : 0, ' ');
  return align == Align::kRight ? space + text : text + space;
}

void strip_end(std::string& line) {
  line.erase(line.find_last_not_of(' ') + 1);
  line += '\n';
}

}  // namespace

std::string format_number(double value, int digits) {
  if (!std::isfinite(value)) return "–";
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

Table::Table(std::vector<TableColumn> columns) : columns_(std::move(columns)) {}

void Table::add_row(std::vector<std::string> cells) {
  require(cells.size() == columns_.size(), ErrorCode::kInternal, "table: ", cells.size(),
          " cells for ", columns_.size(), " columns");
  for (std::string& cell : cells) cell = one_line(std::move(cell));
  rows_.push_back(std::move(cells));
}

std::string Table::render(int fd, std::size_t width) const {
  if (width == 0 && is_terminal(fd)) width = static_cast<std::size_t>(terminal_width(fd));
  std::vector<std::size_t> widths;
  std::size_t total = 0;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t widest = display_width(columns_[c].header);
    for (const auto& row : rows_) widest = std::max(widest, display_width(row[c]));
    widths.push_back(widest);
    total += widest + (c > 0 ? kGap : 0);
  }
  if (width > 0 && total > width) {
    std::size_t widest = columns_.size();
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (columns_[c].align == Align::kLeft &&
          (widest == columns_.size() || widths[c] > widths[widest])) {
        widest = c;
      }
    }
    if (widest < columns_.size()) {
      const std::size_t others = total - widths[widest];
      const std::size_t left = width > others ? width - others : 0;
      widths[widest] = std::min(widths[widest], std::max(left, kNarrowest));
    }
  }
  std::string out, header, rule;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    const std::string gap(c > 0 ? kGap : 0, ' ');
    header += gap + pad(cut(columns_[c].header, widths[c]), widths[c], columns_[c].align);
    rule += gap;
    for (std::size_t i = 0; i < widths[c]; ++i) rule += "─";
  }
  header.erase(header.find_last_not_of(' ') + 1);
  out += styled(fd, Style::kBold, header) + '\n' + styled(fd, Style::kDim, rule) + '\n';
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      line += std::string(c > 0 ? kGap : 0, ' ') +
              pad(cut(row[c], widths[c]), widths[c], columns_[c].align);
    }
    strip_end(line);
    out += line;
  }
  return out;
}

std::string render_facts(int fd, const std::string& title,
                         const std::vector<std::pair<std::string, std::string>>& facts) {
  std::size_t widest = 0;
  for (const auto& [key, value] : facts) widest = std::max(widest, display_width(key));
  std::string out = title.empty() ? "" : styled(fd, Style::kBold, one_line(title)) + '\n';
  for (const auto& [key, value] : facts) {
    std::size_t begin = 0;
    bool first = true;
    while (begin <= value.size()) {
      const std::size_t end = std::min(value.find('\n', begin), value.size());
      const std::string name = pad(first ? one_line(key) : "", widest, Align::kLeft);
      std::string line = "  " + (first ? styled(fd, Style::kCyan, name) : name) + "  " +
                         one_line(value.substr(begin, end - begin));
      strip_end(line);
      out += line;
      first = false;
      begin = end + 1;
    }
  }
  return out;
}

}  // namespace llmctl
