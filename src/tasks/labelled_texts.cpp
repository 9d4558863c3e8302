#include "tasks/labelled_texts.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/white_space.h"
#include "base/whole_number.h"
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

/// The field's text; `remedy` where the record has no such field.
std::string text_of(const Record& record, const std::string& field, const std::string& remedy) {
  if (!record.value.is_object() || !record.value.contains(field))
    record.fail("no field '" + field + "' (it has " + record.fields() + ")" + remedy);
  return record.text(field);
}

/// The field of a text's partner where it is there and null: "text_b" of files that hold both texts
/// and pairs.
std::optional<std::string> null_partner(const Record& record) {
  for (const auto& [first, second] : kPairs) {
    const auto other = find_field(record, std::nullopt, {second});
    if (find_field(record, std::nullopt, {first}) && other && !record.has(*other)) return other;
  }
  return std::nullopt;
}

/// Says what there is instead of a second text that has to be there.
[[noreturn]] void fail_without_pair(const Record& record, const std::string& text_field,
                                    bool is_input) {
  const auto null = null_partner(record);
  const std::string fault =
      null ? concat("the second text '", *null, "' is null")
           : concat("no second text beside '", text_field, "' (it has ", record.fields(), ")");
  if (is_input) {
    record.fail(concat(fault, "; the model reads pairs, such as {\"", text_field, "\": \"…\", \"",
                       usual_pair_field(text_field), "\": \"…\"}"));
  }
  record.fail(fault + (null ? "; give one, as all texts here are pairs (task.pairs)"
                            : field_remedy("pair_field")));
}

/// Fills text and pair; returns the names of their fields.
std::vector<std::string> read_texts(const Record& record,
                                    const SequenceClassificationConfig& config,
                                    const std::string& remedy, LabelledText& out) {
  std::optional<std::string> text_field = config.text_field, pair_field = config.pair_field;
  for (const auto& [first, second] : kPairs) {
    if (pair_field || config.pairs == false || (config.text_field && *config.text_field != first))
      continue;
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
  out.text = text_of(record, *text_field, remedy);
  std::vector<std::string> used = {*text_field};
  if (pair_field) {
    out.pair = text_of(record, *pair_field, remedy);
    used.push_back(*pair_field);
  } else if (config.pairs == true) {
    fail_without_pair(record, *text_field, remedy.empty());
  }
  return used;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string> label_candidates(ProblemType problem) {
  std::vector<std::string> names = label_fields();
  if (problem == ProblemType::kMultiLabel)
    names.insert(names.begin(), {"labels", "tags", "categories", "classes"});
  if (problem == ProblemType::kRegression)
    names.insert(names.end(), {"score", "value", "rating", "stars", "similarity"});
  return names;
}

/// An element of a list of labels in JSON; nothing for what is none.
std::optional<std::string> label_of(const Json& element) {
  if (element.is_string()) return element.get<std::string>();
  if (element.is_number() || element.is_boolean()) return dump_json(element);
  return std::nullopt;
}

/// Several labels: a list, or a string with one or with a separator between them; none is a set of
/// labels, too.
std::vector<std::string> label_list(const Record& record, const std::string& field,
                                    const std::string& separator) {
  if (!record.has(field) || !record.value.at(field).is_array())
    return split_labels(record.text(field), separator);
  std::vector<std::string> labels;
  for (const Json& element : record.value.at(field)) {
    auto label = label_of(element);
    if (!label)
      record.fail("field '" + field + "': expected a list of labels, got " + element.type_name() +
                  " in it");
    labels.push_back(std::move(*label));
  }
  return labels;
}

/// [1, 0, 0, 1] tells of each label whether it is there, and names none.
void check_label_list(const Record& record, const std::string& field,
                      const std::vector<std::string>& labels) {
  std::set<std::string> names;
  bool flags = true;
  for (const std::string& label : labels) {
    const std::string name = class_name(label);
    if (name.empty()) record.fail("field '" + field + "': a label is empty");
    flags = flags && (name == "0" || name == "1" || name == "true" || name == "false");
    names.insert(name);
  }
  if (flags && names.size() < labels.size())
    record.fail("field '" + field +
                "': expected the names of the labels that the text has, got "
                "a flag for each label");
}

/// Fills labels or value; adds the name of the field to `used` and leaves it in `field`, where a
/// name says which one it is.
void read_labels(const Record& record, const LabelledReading& how,
                 std::optional<std::string>& field, std::vector<std::string>& used,
                 LabelledText& text) {
  const std::vector<std::string> candidates = label_candidates(how.problem);
  // One that is there and null is the field, too: what stands in another one is no label.
  for (const std::string& name : candidates) {
    if (!field && record.value.is_object() && record.value.contains(name)) field = name;
  }
  field = find_field(record, field, candidates);
  if (!field) {
    record.fail("no field with the class (looked for " + join(candidates) + "; it has " +
                record.fields() + ")" + field_remedy("label_field"));
  }
  used.push_back(*field);
  if (how.problem == ProblemType::kMultiLabel) {
    text.labels = label_list(record, *field, how.config.label_separator);
    check_label_list(record, *field, text.labels);
    return;
  }
  if (record.has(*field) && record.value.at(*field).is_array()) {
    record.fail("field '" + *field +
                "': the label is a list; texts with several labels need task.problem_type "
                "multi_label_classification");
  }
  text.labels = {record.text(*field)};
  if (how.problem == ProblemType::kSingleLabel) {
    if (text.labels[0].empty()) record.fail("field '" + *field + "': the class is empty");
    return;
  }
  const auto value = parse_number(trim(text.labels[0]));
  if (!value || !std::isfinite(*value))
    record.fail("field '" + *field + "': expected a number, got '" + text.labels[0] + "'");
  text.value = *value;
  text.labels.clear();
}

/// Whether a field is there with nothing in it, as tables and data frames write what is missing.
bool is_left_empty(const Record& record, const std::string& field) {
  if (!record.value.is_object() || !record.value.contains(field)) return false;
  const Json& value = record.value.at(field);
  return value.is_null() || (value.is_string() && is_blank(value.get_ref<const std::string&>()));
}

/// Weight × confidence, 1 each where it is missing; adds the names of their fields to `used`.
void read_weight(const Record& record, const SequenceClassificationConfig& config,
                 std::vector<std::string>& used, LabelledText& text) {
  const auto factor = [&](const std::optional<std::string>& configured, const std::string& usual,
                          double most, const char* expected) {
    const std::string field = configured.value_or(usual);
    if (!configured && !record.has(field)) return 1.0;
    if (std::find(used.begin(), used.end(), field) != used.end()) return 1.0;
    used.push_back(field);
    if (is_left_empty(record, field)) return 1.0;
    const std::string written = record.text(field);
    const std::optional<double> value = parse_number(written);
    if (!value || !(*value >= 0 && *value <= most) || !std::isfinite(*value)) {
      record.fail("field '" + field + "': expected a number " + expected + ", got '" + written +
                  "'");
    }
    return *value;
  };
  text.weight = factor(config.weight_field, "weight", HUGE_VAL, "of at least 0");
  text.weight *= factor(config.confidence_field, "confidence", 1, "from 0 to 1");
}

/// Takes the string, number or truth value off the front of the inside of a list that Python or
/// numpy wrote; nothing for what is none.
std::optional<std::string> take_element(std::string_view& rest) {
  const char quote = rest.front();
  if (quote != '\'' && quote != '"') {
    const std::string word(rest.substr(0, rest.find_first_of(", \t\r\n")));
    rest.remove_prefix(word.size());
    if (word == "True" || word == "False") return to_lower(word);  // as JSON has them
    return parse_number(word) ? std::optional(word) : std::nullopt;
  }
  std::string text;
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == quote) {
      rest.remove_prefix(i + 1);
      return text;
    }
    if (rest[i] == '\\') {
      ++i;
      if (i == rest.size() || std::string_view("'\"\\").find(rest[i]) == std::string_view::npos)
        return std::nullopt;
    }
    text += rest[i];
  }
  return std::nullopt;
}

/// The elements of ['a', "it's"] as Python writes a list, of ['a' 'b'] and [1 2] as numpy does.
std::optional<std::vector<std::string>> python_list(std::string_view inside) {
  std::vector<std::string> elements;
  for (std::string_view rest = trim(inside); !rest.empty();) {
    auto element = take_element(rest);
    if (!element) return std::nullopt;
    elements.push_back(std::move(*element));
    const std::size_t left = rest.size();
    rest = trim(rest);
    if (rest.starts_with(',')) rest = trim(rest.substr(1));
    if (rest.size() == left && left > 0) return std::nullopt;
  }
  return elements;
}

/// The elements of a list of strings, numbers and truth values in JSON.
std::optional<std::vector<std::string>> json_list(std::string_view text) {
  std::vector<std::string> elements;
  try {
    for (const Json& element : parse_json(text, "")) {
      auto label = label_of(element);
      if (!label) return std::nullopt;
      elements.push_back(std::move(*label));
    }
  } catch (const Error&) {
    return std::nullopt;  // of another kind
  }
  return elements;
}

/// The elements of a list in the cell of a table, as data frames write it; nothing for what is
/// none, such as a label that begins with a bracket.
std::optional<std::vector<std::string>> written_list(std::string_view text) {
  if (!text.starts_with('[') || !text.ends_with(']')) return std::nullopt;
  auto elements = python_list(text.substr(1, text.size() - 2));
  return elements ? elements : json_list(text);
}

}  // namespace

std::string usual_pair_field(const std::string& text_field) {
  for (const auto& [first, second] : kPairs) {
    if (first == text_field) return second;
  }
  return "pair";
}

std::optional<bool> are_pairs(const std::vector<LabelledText>& texts) {
  const auto pairs = std::count_if(texts.begin(), texts.end(),
                                   [](const LabelledText& text) { return text.pair.has_value(); });
  if (pairs > 0 && pairs < std::ssize(texts)) return std::nullopt;
  return pairs > 0;
}

std::vector<std::string> split_labels(const std::string& text, const std::string& separator) {
  if (const auto listed = written_list(trim(text))) return *listed;
  std::vector<std::string> labels;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end =
        separator.empty() ? text.size() : std::min(text.find(separator, begin), text.size());
    labels.push_back(text.substr(begin, end - begin));
    begin = end + std::max<std::size_t>(separator.size(), 1);
  }
  std::erase_if(labels, [](const std::string& label) { return trim(label).empty(); });
  return labels;
}

std::string LabelledText::label() const {
  return join(labels);
}

void read_labelled_texts(const std::filesystem::path& file, const LabelledReading& how,
                         BadRows& bad, std::vector<LabelledText>& out) {
  // What the first records are is what all of a file are.
  std::optional<std::string> label_field = how.config.label_field;
  std::optional<bool> pairs;
  std::size_t null_partners = 0;
  bool first = true;
  const auto read = [&](const Record& record) {
    LabelledText text;
    std::vector<std::string> used =
        read_texts(record, how.config, field_remedy("text_field"), text);
    if (how.need_label) read_labels(record, how, label_field, used, text);
    read_weight(record, how.config, used, text);
    if (std::exchange(first, false)) tell_unused_fields(file, record, used);
    if (!text.pair && null_partner(record)) {
      ++null_partners;
    } else if (!pairs) {
      pairs = text.pair.has_value();
    } else if (*pairs != text.pair.has_value()) {
      record.fail(concat("the text has ", text.pair ? "a" : "no",
                         " second text beside it, unlike those before it (it has ", record.fields(),
                         ")"));
    }
    text.id = record.has("id") ? record.value.at("id") : Json(out.size());
    text.file = how.file;
    text.place = record.place;
    if (!how.allow_empty && is_blank(text.text)) record.fail("the text is empty");
    if (!how.allow_empty && text.pair && is_blank(*text.pair)) {
      const bool needed = how.config.pairs == true || how.config.pair_field;
      record.fail(concat("the second text is empty",
                         needed ? ""
                                : "; where there is none, its field is null (in JSON), or no "
                                  "record has it"));
    }
    out.push_back(std::move(text));
  };
  for_each_labelled_record(file, read, bad);
  if (pairs == true && null_partners > 0) {
    log_warning(file.string(), ": ", null_partners,
                " records have null for a second text; they are read without one");
  }
}

std::vector<LabelledText> read_labelled_texts(const std::vector<std::filesystem::path>& files,
                                              LabelledReading how, BadRows& bad) {
  std::vector<LabelledText> texts;
  for (std::size_t i = 0; i < files.size(); ++i) {
    how.file = i;
    read_labelled_texts(files[i], how, bad, texts);
  }
  return texts;
}

LabelledText read_text_input(const AnswerInput& input, const SequenceClassificationConfig& config) {
  const Record record{input.place, input.record};
  SequenceClassificationConfig own = config;
  own.text_field = field_of_input(record, config.text_field);
  own.pair_field = field_of_input(record, config.pair_field);
  LabelledText text;
  read_texts(record, own, "", text);
  if (config.pair_field && !text.pair)
    record.fail("no field '" + *config.pair_field + "' with the second text (it has " +
                record.fields() + ")");
  return text;
}

std::string class_name(const std::string& label) {
  const std::string_view name = trim(label);
  const std::string_view digits = name.starts_with('+') ? name.substr(1) : name;
  const std::optional<double> number = parse_number(digits);
  if (const auto whole = number ? whole_number(*number) : std::nullopt)
    return std::to_string(*whole);
  return std::string(name);
}

std::vector<std::string> label_names(const std::vector<LabelledText>& texts) {
  std::set<std::string> different;
  for (const LabelledText& text : texts) {
    for (const std::string& label : text.labels) different.insert(class_name(label));
  }
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

/// Why a record whose label is "nan" is bad, for it is neither a class nor a number; nothing for
/// other labels.
std::optional<std::string> missing_label(const LabelledText& text, const std::string& label) {
  const std::optional<double> number = parse_number(class_name(label));
  if (!number || !std::isnan(*number)) return std::nullopt;
  return concat(text.place, ": the label is missing (", label,
                ", as pandas writes what is missing); give the text a class or leave it out");
}

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

void resolve_classes(std::vector<LabelledText>& texts, const std::vector<std::string>& names,
                     BadRows& bad) {
  std::map<std::string, std::optional<std::size_t>> known;
  std::erase_if(texts, [&](LabelledText& text) {
    text.classes.clear();
    for (const std::string& label : text.labels) {
      const auto [found, is_new] = known.try_emplace(label);
      if (is_new) found->second = label_id(label, names);
      if (!found->second) {
        bad.add(missing_label(text, label)
                    .value_or(concat(text.place, ": unknown class '", label, "', expected one of ",
                                     join(names), did_you_mean(label, names))));
        return true;
      }
      text.classes.push_back(*found->second);
    }
    std::sort(text.classes.begin(), text.classes.end());
    text.classes.erase(std::unique(text.classes.begin(), text.classes.end()), text.classes.end());
    return false;
  });
}

namespace {

/// In which tenth of all values each one is.
std::vector<std::string> tenths(const std::vector<LabelledText>& texts) {
  std::vector<std::size_t> order(texts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return texts[a].value < texts[b].value; });
  std::vector<std::string> groups(texts.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    groups[order[i]] = std::to_string(i * 10 / order.size());
  return groups;
}

}  // namespace

std::vector<std::string> class_groups(const std::vector<LabelledText>& texts, ProblemType problem) {
  if (problem == ProblemType::kRegression) return tenths(texts);
  std::vector<std::string> groups;
  for (const LabelledText& text : texts) {
    std::string group;
    for (const std::size_t id : text.classes) group += concat(id, " ");
    groups.push_back(std::move(group));
  }
  return groups;
}

std::vector<bool> held_out_texts(const std::vector<LabelledText>& texts, ProblemType problem,
                                 HeldOutShare share) {
  std::vector<std::string_view> units;
  for (const LabelledText& text : texts) units.push_back(text.text);
  if (share.stratified == 0) return held_out(units, share);
  return held_out_of_groups(units, class_groups(texts, problem), share.stratified);
}

void review_labels(std::vector<LabelledText>& texts, BadRows& bad) {
  std::erase_if(texts, [&](const LabelledText& text) {
    return std::any_of(text.labels.begin(), text.labels.end(), [&](const std::string& label) {
      const std::string name = class_name(label);
      const bool score = parse_number(name) && !parse_integer(name);
      if (score) {
        bad.add(missing_label(text, label)
                    .value_or(concat(text.place, ": the label ", label,
                                     " is a number with a fraction, a score and no class; give "
                                     "classes, name them in task.labels, or learn the numbers "
                                     "(task.problem_type regression)")));
      }
      return score;
    });
  });
  std::size_t respelled = 0;
  std::string example;
  std::map<std::string, std::string> by_lower;  // lower case → name
  std::set<std::string> names;
  const auto review = [&](const std::string& label) {
    const std::string name = class_name(label);
    if (name != label && respelled++ == 0) example = concat("'", label, "' is '", name, "'");
    names.insert(name);
    const auto [found, is_new] = by_lower.emplace(to_lower(name), name);
    if (!is_new && found->second != name && names.size() <= 1000) {
      log_warning("classification: the classes '", found->second, "' and '", name,
                  "' differ in case alone; they are two classes");
      found->second = name;
    }
  };
  for (const LabelledText& text : texts)
    std::for_each(text.labels.begin(), text.labels.end(), review);
  if (respelled > 0) {
    log_warning("classification: ", respelled,
                " labels have white space around them or are integers spelled otherwise; they "
                "count as the same class without it (",
                example, ")");
  }
  if (names.size() > 20 && names.size() * 2 > texts.size()) {
    log_warning("classification: ", names.size(), " classes for ", texts.size(),
                " texts: almost every text has a class of its own; is the label field right (",
                texts.front().place, ")?");
  }
}

}  // namespace llmctl
