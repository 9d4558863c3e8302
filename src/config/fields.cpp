#include "config/fields.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/strings.h"

namespace llmctl {
namespace {

std::string join_path(const std::string& path, const std::string& key) {
  if (path.empty() || key.empty()) return path + key;
  return concat(path, ".", key);
}

std::string place_of(const JsonDocument* document, std::string path) {
  if (document == nullptr) return "";
  while (true) {
    const auto found = document->places.find(path);
    if (found != document->places.end()) return concat(" (", found->second, ")");
    if (path.empty()) return "";
    const std::size_t dot = path.rfind('.');
    path.resize(dot == path.npos ? 0 : dot);
  }
}

/// The value as a message shows it: short values in full, containers by their kind.
std::string shown(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  std::string text = dump_json(value);
  constexpr std::size_t kLongest = 60;
  if (text.size() > kLongest) {
    std::size_t end = kLongest;
    while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text = text.substr(0, end) + "…";
  }
  return text;
}

[[noreturn]] void fail_type(const ConfigNode& node, const char* expected) {
  node.fail("", concat("expected ", expected, ", got ", shown(node.value())));
}

template <class T>
std::string number(T value) {
  return dump_json(Json(value));
}

template <class T>
std::string range_text(const Range<T>& range) {
  const bool lower = range.min != Range<T>{}.min, upper = range.max != Range<T>{}.max;
  const auto bound = [](T value) {
    std::string text = number(value);
    if (text.ends_with(".0")) text.resize(text.size() - 2);
    return text;
  };
  if (lower && upper) return concat(bound(range.min), " to ", bound(range.max));
  if (lower) return concat("at least ", bound(range.min));
  if (upper) return concat("at most ", bound(range.max));
  return "";
}

template <class T>
void check_range(const ConfigNode& node, T value, const Range<T>& range) {
  if (value >= range.min && value <= range.max) return;
  const std::string limits = range_text(range);
  node.fail("", concat("must be ", limits.starts_with("at") ? "" : "from ", limits, ", got ",
                       shown(node.value())));
}

template <class T>
void add_range(Json& schema, const Range<T>& range) {
  if (range.min != Range<T>{}.min) schema["minimum"] = range.min;
  if (range.max != Range<T>{}.max) schema["maximum"] = range.max;
}

/// Lower case, '-' as '_': differences that are no slip at all.
std::string folded(const std::string& name) {
  std::string text = name;
  for (char& c : text) {
    c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return text;
}

/// Insertions, deletions, replacements and exchanges of neighbours that turn `a` into `b` (optimal
/// string alignment).
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before, last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before = last;
    last = row;
  }
  return last[b.size()];
}

}  // namespace

ConfigNode ConfigNode::child(const std::string& key) const {
  static const Json none;
  return {has(key) ? &(*value_)[key] : &none, join_path(path_, key), document_, code_};
}

ConfigNode ConfigNode::child(std::size_t index) const {
  return {&value_->at(index), join_path(path_, std::to_string(index)), document_, code_};
}

std::string ConfigNode::place() const {
  return place_of(document_, path_);
}

void ConfigNode::fail(const std::string& key, const std::string& message) const {
  const std::string path = join_path(path_, key);
  llmctl::fail(code_, path, path.empty() ? "" : ": ", message, place_of(document_, path));
}

Json schema_document(const Json& schema, const std::string& title) {
  Json document = {{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", title}};
  document.update(schema);
  return document;
}

namespace {

/// What other programs call a key that `names` has, or "".
std::string other_name(const std::string& wanted, const std::vector<std::string>& names) {
  static const std::vector<std::pair<const char*, const char*>> kNames = {
      {"learning_rate", "lr"},
      {"lr_scheduler_type", "schedule"},
      {"lr_scheduler", "schedule"},
      {"num_warmup_steps", "warmup_steps"},
      {"max_grad_norm", "clip_norm"},
      {"gradient_clipping", "clip_norm"},
      {"num_train_epochs", "epochs"},
      {"num_epochs", "epochs"},
      {"max_steps", "steps"},
      {"per_device_train_batch_size", "micro_batch_size"},
      {"per_device_eval_batch_size", "batch_size"},
      {"train_batch_size", "batch_size"},
      {"gradient_checkpointing", "activation_checkpointing"},
      {"save_steps", "every"},
      {"eval_steps", "every"},
      {"logging_steps", "every"},
      {"save_total_limit", "keep_last"},
      {"metric_for_best_model", "keep_best"},
      {"output_dir", "dir"},
      {"model_name_or_path", "init_from"},
      {"train_file", "train"},
      {"validation_file", "valid"},
      {"max_seq_length", "sequence_length"},
      {"max_seq_len", "sequence_length"},
      {"block_size", "sequence_length"},
      {"mlm_probability", "mask_probability"},
      {"alpha", "lora_alpha"},
      {"rank", "r"},
      {"max_tokens", "max_new_tokens"},
      {"n_samples", "num_return_sequences"},
  };
  for (const auto& [other, own] : kNames) {
    if (wanted == folded(other) && std::find(names.begin(), names.end(), own) != names.end())
      return own;
  }
  return "";
}

}  // namespace

std::string did_you_mean(const std::string& name, const std::vector<std::string>& names) {
  constexpr std::size_t kLongest = 64;
  if (name.empty() || name.size() > kLongest) return "";
  const std::string wanted = folded(name);
  if (const std::string other = other_name(wanted, names); !other.empty()) {
    return concat(", did you mean '", other, "'?");
  }
  const std::size_t slips = wanted.size() <= 4 ? 1 : wanted.size() <= 9 ? 2 : 3;
  const std::string* best = nullptr;
  std::size_t best_distance = slips + 1;
  for (const std::string& candidate : names) {
    if (candidate.size() > kLongest) continue;
    const std::size_t distance = edit_distance(wanted, folded(candidate));
    // Of a short word something must remain.
    if (distance < best_distance && distance < wanted.size()) {
      best_distance = distance;
      best = &candidate;
    }
  }
  if (best == nullptr && wanted.size() >= 3) {  // "warmup" for "warmup_steps"
    for (const std::string& candidate : names) {
      if (folded(candidate).starts_with(wanted)) {
        best = &candidate;
        break;
      }
    }
  }
  return best == nullptr ? "" : concat(", did you mean '", *best, "'?");
}

namespace detail {

void read_scalar(const ConfigNode& node, bool& out) {
  if (!node.value().is_boolean()) fail_type(node, "true or false");
  out = node.value().get<bool>();
}

void read_scalar(const ConfigNode& node, std::int64_t& out) {
  if (!node.value().is_number_integer()) fail_type(node, "an integer");
  if (node.value().is_number_unsigned() &&
      node.value().get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) {
    fail_type(node, "an integer below 2^63");
  }
  out = node.value().get<std::int64_t>();
}

void read_scalar(const ConfigNode& node, double& out) {
  if (!node.value().is_number()) fail_type(node, "a number");
  out = node.value().get<double>();
}

void read_scalar(const ConfigNode& node, std::string& out) {
  if (!node.value().is_string()) fail_type(node, "a string");
  out = node.value().get<std::string>();
}

void read_scalar(const ConfigNode& node, Json& out) {
  out = node.value();
}

void check_limit(const ConfigNode& node, std::int64_t value, const Range<std::int64_t>& range) {
  check_range(node, value, range);
}

void check_limit(const ConfigNode& node, double value, const Range<double>& range) {
  check_range(node, value, range);
}

void check_limit(const ConfigNode& node, const std::string& value, const OneOf& allowed) {
  if (std::find(allowed.values.begin(), allowed.values.end(), value) != allowed.values.end()) {
    return;
  }
  node.fail("", concat("expected one of ", join(allowed.values), ", got ", shown(node.value()),
                       did_you_mean(value, allowed.values)));
}

void check_limit(const ConfigNode& node, std::string& value, PathKey) {
  try {
    value = expand_home(value);
  } catch (const Error& error) {
    node.fail("", error.what());
  }
}

void expect_object(const ConfigNode& node) {
  if (!node.value().is_object()) fail_type(node, "an object");
}

void expect_array(const ConfigNode& node) {
  const Json& value = node.value();
  if (value.is_array()) return;
  const bool element = value.is_string() || value.is_number() || value.is_boolean();
  const std::string hint = element ? "; of one element: " + dump_json(Json::array({value})) : "";
  node.fail("", concat("expected a list, got ", shown(value), hint));
}

void refuse_unknown_keys(const ConfigNode& node, const std::vector<std::string>& known,
                         const std::vector<std::string>& also_allowed) {
  const auto holds = [](const std::vector<std::string>& names, const std::string& key) {
    return std::find(names.begin(), names.end(), key) != names.end();
  };
  for (const auto& member : node.value().items()) {
    if (holds(known, member.key()) || holds(also_allowed, member.key())) continue;
    std::vector<std::string> names = known;
    names.insert(names.end(), also_allowed.begin(), also_allowed.end());
    node.fail(member.key(), "unknown key" + did_you_mean(member.key(), names));
  }
}

Json scalar_schema(const char* type) {
  Json schema = Json::object();
  if (*type != '\0') schema["type"] = type;
  return schema;
}

void add_limit(Json& schema, const Range<std::int64_t>& range) {
  add_range(schema, range);
}
void add_limit(Json& schema, const Range<double>& range) {
  add_range(schema, range);
}
void add_limit(Json& schema, const OneOf& allowed) {
  schema["enum"] = allowed.values;
}
void add_limit(Json& schema, Kinds kinds) {
  const std::string_view list = "list of ", between = " or ";
  Json choices = Json::array();
  for (std::string_view rest = kinds.text; !rest.empty();) {
    const std::size_t end = std::min(rest.find(between), rest.size());
    std::string_view kind = rest.substr(0, end);
    rest.remove_prefix(std::min(end + between.size(), rest.size()));
    if (kind.starts_with(list)) {
      kind.remove_prefix(list.size());
      choices.push_back({{"type", "array"}, {"items", {{"type", kind}}}});
    } else {
      choices.push_back({{"type", kind}});
    }
  }
  if (choices.size() == 1) {
    schema.update(choices[0]);
  } else {
    schema["anyOf"] = std::move(choices);
  }
}

Json either_schema(Json one, Json other) {
  return {{"anyOf", Json::array({std::move(one), std::move(other)})}};
}

Json shorthand_schema(Json object, const char* member) {
  Json alone = object["properties"][member];
  alone.erase("description");
  alone.erase("default");
  return either_schema(std::move(alone), std::move(object));
}

Json nullable_schema(Json schema) {
  return {{"anyOf", Json::array({std::move(schema), Json{{"type", "null"}}})}};
}

Json list_schema(Json element) {
  return {{"type", "array"}, {"items", std::move(element)}};
}

Json map_schema(Json element) {
  return {{"type", "object"}, {"additionalProperties", std::move(element)}};
}

Json empty_object_schema() {
  return {{"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}};
}

void add_property(Json& schema, const char* name, Json property, const char* help,
                  const Json& default_value) {
  if (*help != '\0') property["description"] = help;
  if (!default_value.is_null()) property["default"] = default_value;
  schema["properties"][name] = std::move(property);
}

std::string limit_text(const Range<std::int64_t>& range) {
  return range_text(range);
}
std::string limit_text(const Range<double>& range) {
  return range_text(range);
}
std::string limit_text(const OneOf& allowed) {
  return join(allowed.values);
}

}  // namespace detail
}  // namespace llmctl
