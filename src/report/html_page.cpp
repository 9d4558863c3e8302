#include "report/html_page.h"

#include <algorithm>

#include "base/error.h"
#include "base/utf8.h"
#include "report/table.h"

namespace llmctl {
namespace {

// Charts have no view box: their bars stretch with the page while their letters keep their size.
constexpr char kStyle[] =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#1c1c1c;background:#fff}"
    "h1{font-size:1.6rem;overflow-wrap:anywhere}h2{font-size:1.2rem;margin-top:2rem}"
    "table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:left;"
    "border-bottom:1px solid #ddd;overflow-wrap:anywhere;vertical-align:top}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:normal}"
    "figure{display:inline-block;margin:0 1rem 1rem 0;max-width:100%;vertical-align:top}"
    "svg{max-width:100%}svg.map{height:auto}svg.bars{width:100%;max-width:50rem}"
    "svg text{font:13px system-ui,sans-serif;fill:currentColor}"
    "rect{fill:#3b6ea5}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#1c1c1c}td,th{border-color:#444}"
    "rect{fill:#7aa7d6}}";

/// Whether a cell holds a number, with its unit perhaps ("12", "1,234", "3.5 %", "18.2 kB").
bool is_number(std::string_view cell) {
  if (cell.empty() || cell[0] < '0' || cell[0] > '9') return false;
  const std::size_t unit = cell.find_first_not_of("0123456789.,");
  return unit == cell.npos || (cell[unit] == ' ' && cell.size() - unit <= 5);
}

std::string cell_of(std::string_view text) {
  return concat(is_number(text) ? "<td class=\"n\">" : "<td>", escape_html(text), "</td>");
}

/// What fits beside a bar on a phone; the whole is told where one points at it.
std::string short_label(std::string_view label) {
  constexpr std::size_t kColumns = 14;
  if (display_width(label) <= kColumns) return std::string(label);
  std::string out;
  for (std::size_t at = 0; at < label.size();) {
    const std::size_t begin = at;
    next_code_point(label, at);
    if (display_width(out) + display_width(label.substr(begin, at - begin)) >= kColumns) break;
    out += label.substr(begin, at - begin);
  }
  return out + "…";
}

}  // namespace

std::string format_whole(std::uint64_t value) {
  std::string text = std::to_string(value);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

void HtmlPage::heading(const std::string& text) {
  body_ += "<h2>" + escape_html(text) + "</h2>\n";
}

void HtmlPage::facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  body_ += "<table>\n";
  for (const auto& [name, value] : facts) {
    body_ += "<tr><th scope=\"row\">" + escape_html(name) + "</th>" + cell_of(value) + "</tr>\n";
  }
  body_ += "</table>\n";
}

void HtmlPage::table(const std::vector<std::string>& columns,
                     const std::vector<std::vector<std::string>>& rows) {
  body_ += "<table>\n<tr>";
  for (const auto& column : columns) body_ += "<th scope=\"col\">" + escape_html(column) + "</th>";
  body_ += "</tr>\n";
  for (const auto& row : rows) {
    body_ += "<tr>";
    for (const auto& cell : row) body_ += cell_of(cell);
    body_ += "</tr>\n";
  }
  body_ += "</table>\n";
}

void HtmlPage::bars(const std::string& caption, const std::vector<Bar>& bars) {
  constexpr int kRow = 22, kLabels = 30, kWidth = 48;  // pixels high; per cent of the page wide
  double most = 0;
  for (const Bar& bar : bars) most = std::max(most, bar.value);
  const int height = kRow * static_cast<int>(bars.size()) + 4;
  body_ += concat("<svg class=\"bars\" role=\"img\" aria-label=\"", escape_html(caption),
                  "\" height=\"", height, "\">\n<title>", escape_html(caption), "</title>\n");
  int y = 2;
  for (const Bar& bar : bars) {
    const double width = most > 0 ? bar.value / most * kWidth : 0;
    body_ +=
        concat("<g><title>", escape_html(bar.label), ": ", escape_html(bar.note),
               "</title><text x=\"", kLabels - 1, "%\" y=\"", y + 15, "\" text-anchor=\"end\">",
               escape_html(short_label(bar.label)), "</text><rect x=\"", kLabels, "%\" y=\"", y + 2,
               "\" width=\"", format_number(std::max(width, 0.2), 1), "%\" height=\"", kRow - 6,
               "\"/><text x=\"", format_number(kLabels + width + 1, 1), "%\" y=\"", y + 15, "\">",
               escape_html(bar.note), "</text></g>\n");
    y += kRow;
  }
  body_ += "</svg>\n";
}

void HtmlPage::heat_map(const std::string& caption, const std::vector<std::string>& rows,
                        const std::vector<std::string>& columns, const std::vector<float>& values) {
  constexpr std::size_t kCell = 16, kLabels = 120;
  const std::size_t width = kLabels + kCell * columns.size() + 4,
                    height = kLabels + kCell * rows.size() + 4;
  body_ += concat("<figure><figcaption>", escape_html(caption),
                  "</figcaption>\n<svg class=\"map\" role=\"img\" aria-label=\"",
                  escape_html(caption), "\" viewBox=\"0 0 ", width, " ", height, "\" width=\"",
                  width, "\" height=\"", height, "\">\n");
  for (std::size_t column = 0; column < columns.size(); ++column) {
    const std::size_t x = kLabels + kCell * column + kCell / 2 + 4;
    body_ += concat("<text transform=\"translate(", x, ",", kLabels - 4, ") rotate(-90)\">",
                    escape_html(columns[column]), "</text>\n");
  }
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const std::size_t y = kLabels + kCell * row;
    body_ += concat("<text x=\"", kLabels - 4, "\" y=\"", y + 13, "\" text-anchor=\"end\">",
                    escape_html(rows[row]), "</text>\n");
    for (std::size_t column = 0; column < columns.size(); ++column) {
      const double value = values[row * columns.size() + column];
      body_ += concat("<rect x=\"", kLabels + kCell * column, "\" y=\"", y, "\" width=\"", kCell,
                      "\" height=\"", kCell, "\" fill-opacity=\"", format_number(value, 3),
                      "\"><title>", escape_html(rows[row]), " → ", escape_html(columns[column]),
                      ": ", format_number(value, 3), "</title></rect>\n");
    }
  }
  body_ += "</svg></figure>\n";
}

std::string HtmlPage::text() const {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>" +
         escape_html(title_) + "</title>\n<style>" + kStyle + "</style>\n</head>\n<body>\n<h1>" +
         escape_html(title_) + "</h1>\n" + body_ + "</body>\n</html>\n";
}

}  // namespace llmctl
