#include "models/labels.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace llmctl {
namespace {

constexpr std::int64_t kMostLabels = 1 << 20;

}  // namespace

std::vector<std::string> read_labels(const ConfigNode& config) {
  std::vector<std::string> labels;
  const Json& names = config.child("id2label").value();
  if (!names.is_null()) {
    if (!names.is_object())
      config.fail("id2label", concat("expected an object, got ", names.dump()));
    for (std::size_t id = 0; id < names.size(); ++id) {
      const auto found = names.find(std::to_string(id));
      if (found == names.end() || !found->is_string()) {
        config.fail("id2label", concat("expected a name for each id from 0 to ", names.size() - 1,
                                       ", got none for ", id));
      }
      labels.push_back(found->get<std::string>());
    }
    if (const Json& count = config.child("num_labels").value();
        count.is_number_integer() && count != labels.size()) {
      log_warning("config.json: num_labels is ", count.dump(), ", but id2label names ",
                  labels.size(), " classes, which count");
    }
    return labels;
  }
  const Json& count = config.child("num_labels").value();
  if (count.is_null()) return labels;
  if (!count.is_number_integer() || count.get<std::int64_t>() < 1 ||
      count.get<std::int64_t>() > kMostLabels) {
    config.fail("num_labels",
                concat("expected an integer from 1 to ", kMostLabels, ", got ", count.dump()));
  }
  return numbered_labels(count.get<std::int64_t>());
}

std::vector<std::string> numbered_labels(std::int64_t count) {
  std::vector<std::string> labels;
  for (std::int64_t id = 0; id < count; ++id) labels.push_back("LABEL_" + std::to_string(id));
  return labels;
}

namespace {

constexpr std::pair<ProblemType, const char*> kProblemTypes[] = {
    {ProblemType::kSingleLabel, "single_label_classification"},
    {ProblemType::kMultiLabel, "multi_label_classification"},
    {ProblemType::kRegression, "regression"}};

}  // namespace

ProblemType choose_problem_type(const std::optional<ProblemType>& asked, const ConfigNode& config,
                                std::size_t outputs) {
  if (asked) return *asked;
  const Json& value = config.child("problem_type").value();
  // One class to choose from would always be chosen: a single output is a value.
  const ProblemType implied = outputs == 1 ? ProblemType::kRegression : ProblemType::kSingleLabel;
  if (value.is_null()) return implied;
  for (const auto& [type, name] : kProblemTypes) {
    if (value == name) return type == ProblemType::kSingleLabel ? implied : type;
  }
  config.fail("problem_type",
              concat("expected single_label_classification, multi_label_classification or "
                     "regression, got ",
                     value.dump()));
}

std::optional<ProblemType> find_problem_type(std::string_view name) {
  for (const auto& [type, known] : kProblemTypes) {
    if (known == name) return type;
  }
  return std::nullopt;
}

const char* problem_type_name(ProblemType type) {
  for (const auto& [known, name] : kProblemTypes) {
    if (known == type) return name;
  }
  fail(ErrorCode::kInternal, "a type of problem without a name");
}

std::vector<std::string> choose_labels(const std::vector<std::string>& asked,
                                       const ConfigNode& config) {
  std::vector<std::string> labels = asked.empty() ? read_labels(config) : asked;
  if (labels.empty()) labels = numbered_labels(2);
  return labels;
}

void write_labels(Json& config, const std::vector<std::string>& labels) {
  Json by_id = Json::object(), by_label = Json::object();
  for (std::size_t id = 0; id < labels.size(); ++id) {
    by_id[std::to_string(id)] = labels[id];
    by_label[labels[id]] = id;
  }
  config["id2label"] = by_id;
  config["label2id"] = by_label;
  config.erase("num_labels");
}

bool has_names(const std::vector<std::string>& labels) {
  for (std::size_t id = 0; id < labels.size(); ++id) {
    const std::string number = std::to_string(id);
    if (labels[id] != number && labels[id] != "LABEL_" + number) return true;
  }
  return false;
}

std::vector<std::int64_t> label_order(const std::vector<std::string>& before,
                                      const std::vector<std::string>& labels) {
  if (before == labels || before.size() != labels.size()) return {};
  std::vector<std::int64_t> order;
  for (const auto& label : labels) {
    const auto found = std::find(before.begin(), before.end(), label);
    if (found == before.end()) return {};
    order.push_back(found - before.begin());
  }
  return order;
}

}  // namespace llmctl
