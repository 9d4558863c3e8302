#include "tasks/labelled_texts.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "base/error.h"
#include "tasks/records.h"

namespace llmctl {
namespace {

const std::vector<std::string> kTextFields = {"text",    "sentence",  "review",  "content",
                                              "comment", "sentence1", "premise", "text_a",
                                              "text1",   "body"};
const std::vector<std::string> kLabelFields = {"label",     "class",  "category",
                                               "sentiment", "target", "intent"};
const std::vector<std::pair<std::string, std::string>> kPairs = {{"sentence1", "sentence2"},
                                                                 {"premise", "hypothesis"},
                                                                 {"text_a", "text_b"},
                                                                 {"text1", "text2"},
                                                                 {"text", "pair"}};

std::string list_of(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

/// Fills text and pair.
void read_texts(const Record& record, const SequenceClassificationConfig& config,
                LabelledText& out) {
  const auto text_field = find_field(record, config.text_field, kTextFields);
  if (!text_field) {
    record.fail("no field with the text (looked for " + list_of(kTextFields) + "; it has " +
                record.fields() + "); name it in task.text_field");
  }
  out.text = record.text(*text_field);
  if (config.pair_field) {
    out.pair = record.text(*config.pair_field);
    return;
  }
  for (const auto& [first, second] : kPairs) {
    if (*text_field == first && record.has(second)) out.pair = record.text(second);
  }
}

std::optional<double> parse_double(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

void read_labelled_texts(const std::filesystem::path& file, std::size_t index,
                         const SequenceClassificationConfig& config, bool need_label,
                         std::vector<LabelledText>& out) {
  for_each_labelled_record(file, [&](const Record& record) {
    LabelledText text;
    read_texts(record, config, text);
    const auto label_field = find_field(record, config.label_field, kLabelFields);
    if (need_label && !label_field) {
      record.fail("no field with the class (looked for " + list_of(kLabelFields) + "; it has " +
                  record.fields() + "); name it in task.label_field");
    }
    if (label_field && (need_label || record.has(*label_field)))
      text.label = record.text(*label_field);
    if (need_label && text.label.empty())
      record.fail("field '" + *label_field + "': the class is empty");
    const std::string weight_field = config.weight_field.value_or("weight");
    if (config.weight_field || record.has(weight_field)) {
      const std::string written = record.text(weight_field);
      const std::optional<double> weight = parse_double(written);
      if (!weight || !(*weight >= 0) || !std::isfinite(*weight)) {
        record.fail("field '" + weight_field + "': expected a number of at least 0, got '" +
                    written + "'");
      }
      text.weight = *weight;
    }
    text.id = record.has("id") ? record.value.at("id") : Json(out.size());
    text.file = index;
    text.record = record.number;
    out.push_back(std::move(text));
  });
}

LabelledText read_text_input(const Json& input, std::size_t number,
                             const SequenceClassificationConfig& config) {
  static const std::filesystem::path kInput = "input";
  LabelledText text;
  read_texts(Record{kInput, number, input}, config, text);
  return text;
}

std::vector<std::string> label_names(const std::vector<LabelledText>& texts) {
  std::set<std::string> different;
  for (const LabelledText& text : texts) different.insert(text.label);
  std::vector<std::string> names(different.begin(), different.end());
  if (std::all_of(names.begin(), names.end(),
                  [](const std::string& name) { return parse_integer(name).has_value(); })) {
    std::stable_sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
      return parse_integer(a).value() < parse_integer(b).value();
    });
  }
  return names;
}

std::optional<std::size_t> label_id(const std::string& label,
                                    const std::vector<std::string>& names) {
  const auto found = std::find(names.begin(), names.end(), label);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  const auto number = parse_integer(label);
  if (!number || *number < 0 || *number >= static_cast<std::int64_t>(names.size()))
    return std::nullopt;
  return static_cast<std::size_t>(*number);
}

}  // namespace llmctl
