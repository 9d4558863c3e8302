#include "report/html_page.h"

#include <algorithm>

#include "base/error.h"
#include "report/table.h"

namespace llmctl {
namespace {

constexpr char kStyle[] =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#1c1c1c;background:#fff}"
    "h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}"
    "table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:left;"
    "border-bottom:1px solid #ddd}"
    "svg{max-width:100%;height:auto}svg text{font:13px system-ui,sans-serif;fill:currentColor}"
    "rect{fill:#3b6ea5}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#1c1c1c}td,th{border-color:#444}"
    "rect{fill:#7aa7d6}}";

}  // namespace

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
    body_ += "<tr><th scope=\"row\">" + escape_html(name) + "</th><td>" + escape_html(value) +
             "</td></tr>\n";
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
    for (const auto& cell : row) body_ += "<td>" + escape_html(cell) + "</td>";
    body_ += "</tr>\n";
  }
  body_ += "</table>\n";
}

void HtmlPage::bars(const std::string& caption, const std::vector<Bar>& bars) {
  constexpr int kRow = 22, kLabels = 170, kWidth = 480;
  double most = 0;
  for (const Bar& bar : bars) most = std::max(most, bar.value);
  const int height = kRow * static_cast<int>(bars.size()) + 4;
  body_ += concat("<svg role=\"img\" aria-label=\"", escape_html(caption), "\" viewBox=\"0 0 800 ",
                  height, "\" width=\"800\" height=\"", height, "\">\n<title>",
                  escape_html(caption), "</title>\n");
  int y = 2;
  for (const Bar& bar : bars) {
    const int width = most > 0 ? static_cast<int>(bar.value / most * kWidth + 0.5) : 0;
    body_ +=
        concat("<text x=\"", kLabels - 8, "\" y=\"", y + 15, "\" text-anchor=\"end\">",
               escape_html(bar.label), "</text><rect x=\"", kLabels, "\" y=\"", y + 2,
               "\" width=\"", std::max(width, 1), "\" height=\"", kRow - 6, "\"/><text x=\"",
               kLabels + width + 6, "\" y=\"", y + 15, "\">", escape_html(bar.note), "</text>\n");
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
                  "</figcaption>\n<svg role=\"img\" aria-label=\"", escape_html(caption),
                  "\" viewBox=\"0 0 ", width, " ", height, "\" width=\"", width, "\" height=\"",
                  height, "\">\n");
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
