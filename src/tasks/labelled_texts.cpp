#include "tasks/labelled_texts.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"
#include "tasks/record_names.h"
#include "tasks/records.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

const std::vector<std::string> kTextFields = {"text",    "sentence",  "review",  "content",
                                              "comment", "sentence1", "premise", "text_a",
                                              "text1",   "body",      "prompt"};
const std::vector<std::pair<std::string, std::string>> kPairs = {
    {"sentence1", "sentence2"}, {"premise", "hypothesis"},  {"text_a", "text_b"},
    {"text1", "text2"},         {"question1", "question2"}, {"question", "sentence"},
    {"question", "passage"},    {"query", "passage"},       {"text", "pair"}};

/// Fills text and pair; returns the names of their fields.
std::vector<std::string> read_texts(const Record& record,
                                    const SequenceClassificationConfig& config,
                                    const std::string& remedy, LabelledText& out) {
  std::optional<std::string> text_field = config.text_field, pair_field = config.pair_field;
  for (const auto& [first, second] : kPairs) {
    if (pair_field || (config.text_field && *config.text_field != first)) continue;
    const auto one = find_field(record, std::nullopt, {first});
    const auto other = find_field(record, std::nullopt, {second});
    if (!one || !other || !record.has(*one) || !record.has(*other)) continue;
    text_field = one;
    pair_field = other;
  }
  if (!text_field) text_field = find_field(record, std::nullopt, kTextFields);
  if (!text_field) {
    record.fail("no field with the text (looked for " + join(kTextFields) + "; it has " +
                record.fields() + ")" + remedy);
  }
  out.text = record.text(*text_field);
  std::vector<std::string> used = {*text_field};
  if (pair_field) {
    out.pair = record.text(*pair_field);
    used.push_back(*pair_field);
  }
  return used;
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
  bool first = true;
  for_each_labelled_record(file, [&](const Record& record) {
    LabelledText text;
    std::vector<std::string> used = read_texts(record, config, field_remedy("text_field"), text);
    const auto label_field = find_field(record, config.label_field, label_fields());
    if (need_label && !label_field) {
      record.fail("no field with the class (looked for " + join(label_fields()) + "; it has " +
                  record.fields() + ")" + field_remedy("label_field"));
    }
    if (first) {
      if (label_field) used.push_back(*label_field);
      if (config.weight_field) used.push_back(*config.weight_field);
      tell_unused_fields(file, record, used);
      first = false;
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

LabelledText read_text_input(const AnswerInput& input, const SequenceClassificationConfig& config) {
  LabelledText text;
  read_texts(Record{input.place, input.record}, config, "", text);
  return text;
}

std::string class_name(const std::string& label) {
  const std::string_view name = trim(label);
  const std::string_view digits = name.starts_with('+') ? name.substr(1) : name;
  const std::optional<double> number = parse_double(digits);
  if (number && std::nearbyint(*number) == *number && std::abs(*number) < 0x1p53)
    return std::to_string(static_cast<std::int64_t>(*number));
  return std::string(name);
}

std::vector<std::string> label_names(const std::vector<LabelledText>& texts) {
  std::set<std::string> different;
  for (const LabelledText& text : texts) different.insert(class_name(text.label));
  std::vector<std::string> names(different.begin(), different.end());
  if (std::all_of(names.begin(), names.end(),
                  [](const std::string& name) { return parse_integer(name).has_value(); })) {
    std::stable_sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
      return parse_integer(a).value() < parse_integer(b).value();
    });
  }
  return names;
}

namespace {

constexpr std::string_view kUnnamed = "LABEL_";

/// What a model's class is called in data: "LABEL_3" is 3.
std::string data_name(const std::string& name) {
  const std::string plain = class_name(name);
  const bool unnamed = plain.starts_with(kUnnamed) && parse_integer(plain.substr(kUnnamed.size()));
  return unnamed ? plain.substr(kUnnamed.size()) : plain;
}

}  // namespace

std::optional<std::size_t> label_id(const std::string& label,
                                    const std::vector<std::string>& names) {
  const std::string wanted = data_name(label);
  for (std::size_t id = 0; id < names.size(); ++id) {
    if (data_name(names[id]) == wanted) return id;
  }
  return std::nullopt;
}

void review_labels(const std::vector<LabelledText>& texts,
                   const std::vector<std::filesystem::path>& files) {
  std::size_t respelled = 0;
  std::string example;
  std::map<std::string, std::string> by_lower;  // lower case → name
  std::set<std::string> names;
  for (const LabelledText& text : texts) {
    const std::string name = class_name(text.label);
    if (const auto number = parse_double(name); number && !parse_integer(name)) {
      fail(ErrorCode::kData, files[text.file].string(), ", record ", text.record, ": the label ",
           text.label,
           " is a number with a fraction, a score and no class; give classes, or name "
           "them in task.labels");
    }
    if (name != text.label && respelled++ == 0)
      example = concat("'", text.label, "' is '", name, "'");
    names.insert(name);
    const auto [found, is_new] = by_lower.emplace(to_lower(name), name);
    if (!is_new && found->second != name && names.size() <= 1000) {
      log_warning("classification: the classes '", found->second, "' and '", name,
                  "' differ in case alone; they are two classes");
      found->second = name;
    }
  }
  if (respelled > 0) {
    log_warning("classification: ", respelled,
                " labels have white space around them or are integers spelled otherwise; they "
                "count as the same class without it (",
                example, ")");
  }
  if (names.size() > 20 && names.size() * 2 > texts.size()) {
    log_warning("classification: ", names.size(), " classes for ", texts.size(),
                " texts: almost every text has a class of its own; is ", files.front().string(),
                "'s label field right?");
  }
}

}  // namespace llmctl
