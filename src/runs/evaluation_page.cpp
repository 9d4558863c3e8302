#include "runs/evaluation_page.h"

#include "report/html_page.h"
#include "runs/evaluation.h"

namespace llmctl {
namespace {

void add_scores(const EvaluationEntry& entry, HtmlPage& page) {
  std::vector<std::string> columns = {"metric", "score"};
  for (const Baseline& baseline : entry.baselines) columns.push_back(baseline.rule);
  std::vector<std::vector<std::string>> rows;
  for (const Score& score : entry.scores) {
    std::vector<std::string> row = {score.kind.name, format_score(score)};
    for (const Baseline& baseline : entry.baselines) {
      const Score* reached = baseline.scores.find(score.kind.name);
      row.push_back(reached == nullptr ? std::string() : format_score(*reached));
    }
    rows.push_back(std::move(row));
  }
  page.table(columns, rows);
}

void add_table(const EvaluationTable& table, HtmlPage& page) {
  page.heading(table.title);
  if (!table.shades.empty()) {
    std::vector<std::string> names;
    for (const auto& row : table.rows) names.push_back(row.front());
    page.heat_map("shares of each row", names, {table.columns.begin() + 1, table.columns.end()},
                  table.shades);
  }
  page.table(table.columns, table.rows);
}

}  // namespace

std::string evaluation_page(const EvaluationReport& report) {
  HtmlPage page(report.model.empty() ? "Scores" : "Scores of " + report.model);
  for (const EvaluationEntry& entry : report.entries) {
    page.heading(entry.name + " on " + entry.data);
    add_scores(entry, page);
    for (const EvaluationTable& table : entry.tables) {
      if (!table.rows.empty()) add_table(table, page);
    }
    if (entry.samples.empty()) continue;
    page.heading("samples");
    std::vector<std::vector<std::string>> rows;
    for (const std::string& sample : entry.samples) rows.push_back({sample});
    page.table({"prediction   [expected]"}, rows);
  }
  for (const std::string& note : report.notes) page.facts({{"note", note}});
  return page.text();
}

}  // namespace llmctl
