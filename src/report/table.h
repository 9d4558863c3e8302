// Tables for terminals: columns aligned by the width that their text takes on the screen.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace llmctl {

enum class Align { kLeft, kRight };

struct TableColumn {
  std::string header;
  Align align = Align::kLeft;
};

/// A number as tables show it: `digits` behind the point; "–" for what is not finite.
std::string format_number(double value, int digits = 2);

class Table {
 public:
  explicit Table(std::vector<TableColumn> columns);

  /// One cell per column; line breaks become spaces, control characters visible escapes.
  void add_row(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  /// Header, rule and rows as lines that end in newlines. Colour where `fd` takes it. Where the
  /// table is wider than `width` columns (0: the terminal's, or no limit when `fd` is none), the
  /// widest column of text is cut with "…".
  std::string render(int fd, std::size_t width = 0) const;

 private:
  std::vector<TableColumn> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// A title and one "key  value" line each, keys aligned: what a run closes with. Values may hold
/// several lines.
std::string render_facts(int fd, const std::string& title,
                         const std::vector<std::pair<std::string, std::string>>& facts);

}  // namespace llmctl
