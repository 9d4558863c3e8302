// Pages of one file: text, tables and bar charts, nothing fetched from elsewhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llmctl {

/// The text with what HTML gives a meaning escaped.
std::string escape_html(std::string_view text);

/// A count with commas between thousands: "571,544".
std::string format_whole(std::uint64_t value);

/// A bar of a chart.
struct Bar {
  std::string label;
  double value = 0;
  std::string note;  ///< shown behind the bar
};

/// Built from top to bottom.
class HtmlPage {
 public:
  explicit HtmlPage(std::string title) : title_(std::move(title)) {}
  void heading(const std::string& text);
  void facts(const std::vector<std::pair<std::string, std::string>>& facts);
  void table(const std::vector<std::string>& columns,
             const std::vector<std::vector<std::string>>& rows);
  /// Horizontal bars as inline SVG, with the caption as its accessible name; they stretch with the
  /// page, their letters do not. Long labels are cut.
  void bars(const std::string& caption, const std::vector<Bar>& bars);
  /// A cell for each value (row by row, 0 to 1), the darker the larger, in inline SVG; the value is
  /// told where one points at it.
  void heat_map(const std::string& caption, const std::vector<std::string>& rows,
                const std::vector<std::string>& columns, const std::vector<float>& values);
  /// The whole document; follows the reader's light or dark theme.
  std::string text() const;

 private:
  std::string title_, body_;
};

}  // namespace llmctl
