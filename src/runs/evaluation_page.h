// The result of `eval` as an HTML page.
#pragma once

#include <string>

namespace llmctl {

struct EvaluationReport;

/// Scores beside their baselines, the tables behind them, matrices as maps too, and samples.
std::string evaluation_page(const EvaluationReport& report);

}  // namespace llmctl
