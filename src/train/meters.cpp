#include "train/meters.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace llmctl {
namespace {

double mean(double sum, double count) {
  return count > 0 ? sum / count : 0;
}

/// Rounded to milliseconds: more digits say nothing.
double unix_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()) /
         1000;
}

/// Lines of `path` that belong to steps up to `step`; `dropped` says whether there were others.
std::string lines_up_to(const fs::path& path, std::int64_t step, bool& dropped) {
  std::string kept;
  const std::string text = read_file(path);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;  // a broken last line
    const Json record =
        Json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                    text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    if (record.is_object() && record.contains("step") && record["step"].is_number_integer() &&
        record["step"].get<std::int64_t>() <= step) {
      kept.append(text, begin, end + 1 - begin);
    }
    begin = end + 1;
  }
  dropped = kept.size() != text.size();
  return kept;
}

}  // namespace

double total_loss(const std::vector<TermSum>& terms) {
  double total = 0;
  for (const TermSum& term : terms) total += term.coefficient * mean(term.sum, term.count);
  return total;
}

void LossMeter::add(const std::vector<TermSum>& terms, double tokens, double seconds) {
  if (terms_.empty()) {
    terms_ = terms;
  } else {
    for (std::size_t i = 0; i < terms_.size() && i < terms.size(); ++i) {
      terms_[i].sum += terms[i].sum;
      terms_[i].count += terms[i].count;
      for (const auto& [name, value] : terms[i].extras) terms_[i].extras[name] += value;
    }
  }
  ++steps_;
  tokens_ += tokens;
  seconds_ += seconds;
}

void LossMeter::add_skipped(double tokens, double seconds) {
  ++steps_;
  ++skipped_;
  tokens_ += tokens;
  seconds_ += seconds;
}

bool LossMeter::learnt() const {
  return std::any_of(terms_.begin(), terms_.end(),
                     [](const TermSum& term) { return term.count > 0; });
}

double LossMeter::loss() const {
  return learnt() ? total_loss(terms_) : std::numeric_limits<double>::quiet_NaN();
}

void LossMeter::describe(Json& record) const {
  if (learnt() || terms_.empty()) record["loss"] = loss();
  for (const TermSum& term : terms_) {
    if (term.count == 0) continue;
    if (terms_.size() > 1) record[term.name] = mean(term.sum, term.count);
    for (const auto& [name, value] : term.extras) record[name] = mean(value, term.count);
  }
  if (skipped_ > 0) record["skipped"] = skipped_;
}

Json LossMeter::state() const {
  Json terms = Json::array();
  for (const TermSum& term : terms_) {
    terms.push_back({{"name", term.name},
                     {"sum", term.sum},
                     {"count", term.count},
                     {"coefficient", term.coefficient},
                     {"extras", term.extras}});
  }
  return {{"terms", terms},
          {"steps", steps_},
          {"skipped", skipped_},
          {"tokens", tokens_},
          {"seconds", seconds_}};
}

void LossMeter::restore(const Json& state) {
  reset();
  try {
    for (const Json& term : state.at("terms")) {
      terms_.push_back({term.at("name").get<std::string>(), term.at("sum").get<double>(),
                        term.at("count").get<double>(), term.at("coefficient").get<double>(),
                        term.at("extras").get<std::map<std::string, double>>()});
    }
    steps_ = state.at("steps").get<std::int64_t>();
    skipped_ = state.at("skipped").get<std::int64_t>();
    tokens_ = state.at("tokens").get<double>();
    seconds_ = state.at("seconds").get<double>();
  } catch (const Json::exception& error) {
    fail(ErrorCode::kData, "trainer.json: meters: ", error.what());
  }
}

MetricsFile::MetricsFile(const fs::path& run_directory, std::int64_t step)
    : path_(run_directory / "metrics.jsonl") {
  if (fs::exists(path_)) {
    try {
      bool dropped = false;
      const std::string kept = lines_up_to(path_, step, dropped);
      if (dropped) write_file(path_, kept);
    } catch (const Error& error) {
      log_warning("records of steps after ", step, " stay in ", path_.string(), ": ", error.what());
    }
  }
  file_ = AppendFile(path_);
  events_ = EventFile(run_directory / "tensorboard");
}

void MetricsFile::write(const Json& record) {
  if (!file_.is_open()) return;
  Json line = {{"time", unix_time()}};
  Json non_finite = Json::array();
  std::vector<std::pair<std::string, double>> scalars;
  const std::string prefix = record.value("split", "") + "/";
  for (const auto& [key, value] : record.items()) {
    if (value.is_number() && key != "step") scalars.emplace_back(prefix + key, value.get<double>());
    if (value.is_number_float() && !std::isfinite(value.get<double>())) {
      line[key] = nullptr;
      non_finite.push_back(key);
    } else {
      line[key] = value;
    }
  }
  if (!non_finite.empty()) line["non_finite"] = std::move(non_finite);
  bool written = file_.append(dump_json(line) + "\n");
  written &=
      events_.scalars(record.value("step", std::int64_t{0}), line["time"].get<double>(), scalars);
  if (written) return;
  if (!warned_) log_warning("cannot write to ", path_.string(), " (disk full?); the run goes on");
  warned_ = true;
}

}  // namespace llmctl
