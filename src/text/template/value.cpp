#include "text/template/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/error.h"

namespace llmctl::jinja {
namespace {

Text literal(std::string text) {
  return Text(std::move(text), false);
}

/// As Python writes a float: the shortest digits that give it back.
std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  const double magnitude = std::fabs(value);
  const bool fixed = value == 0 || (magnitude >= 1e-4 && magnitude < 1e16);
  char buffer[400];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value,
                                 fixed ? std::chars_format::fixed : std::chars_format::scientific)
                       .ptr;
  std::string text(buffer, end);
  if (fixed && text.find('.') == text.npos) text += ".0";
  return text;
}

Text quoted(const Text& text) {
  const std::string& source = text.text();
  const char quote =
      source.find('\'') != source.npos && source.find('"') == source.npos ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : source) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      if (c == quote || c == '\\') out += '\\';
      out += c;
    }
  }
  return Text(out + quote, text);
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          char escape[8];
          std::snprintf(escape, sizeof escape, "\\u%04x", c);
          out += escape;
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

class JsonWriter {
 public:
  JsonWriter(int indent, bool sort_keys) : indent_(indent), sort_keys_(sort_keys) {}

  void write(const Value& value, int depth) {
    if (value.is<None>()) {
      put("null");
    } else if (value.is<bool>()) {
      put(value.get<bool>() ? "true" : "false");
    } else if (value.is<double>()) {
      const double number = value.get<double>();
      put(std::isnan(number)   ? "NaN"
          : std::isinf(number) ? (number > 0 ? "Infinity" : "-Infinity")
                               : float_text(number));
    } else if (value.is<std::int64_t>()) {
      put(std::to_string(value.get<std::int64_t>()));
    } else if (value.is<Text>()) {
      const Text& text = value.get<Text>();
      out_.append(Text(json_string(text.view()), text));
    } else if (value.is<ListRef>()) {
      write_all(value.list(), "[", "]", depth, [&](const Value& item) { write(item, depth + 1); });
    } else if (value.is<DictRef>()) {
      Dict members = value.dict();
      if (sort_keys_) {
        std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) {
          return a.first.str().text() < b.first.str().text();
        });
      }
      write_all(members, "{", "}", depth, [&](const auto& member) {
        const Text key = key_text(member.first);
        out_.append(Text(json_string(key.view()), key));
        put(": ");
        write(member.second, depth + 1);
      });
    } else {
      fail(ErrorCode::kData, "Object of type ", value.type_name(), " is not JSON serializable");
    }
  }

  Text take() { return std::move(out_); }

 private:
  void put(std::string text) { out_.append(literal(std::move(text))); }

  static Text key_text(const Value& key) {
    if (key.is<Text>()) return key.get<Text>();
    if (key.is<bool>()) return literal(key.get<bool>() ? "true" : "false");
    if (key.is<None>()) return literal("null");
    return key.str();
  }

  template <class Items, class Write>
  void write_all(const Items& items, const char* open, const char* close, int depth,
                 const Write& item) {
    put(open);
    const auto line = [&](int level) {
      if (indent_ < 0) return;
      put("\n" + std::string(static_cast<std::size_t>(level * indent_), ' '));
    };
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) put(indent_ < 0 ? ", " : ",");
      line(depth + 1);
      item(items[i]);
    }
    if (!items.empty()) line(depth);
    put(close);
  }

  int indent_;
  bool sort_keys_;
  Text out_;
};

}  // namespace

void Text::append(const Text& other) {
  const bool marked = !data_.empty() || !other.data_.empty();
  if (marked) data_.resize(text_.size(), '\0');
  text_ += other.text_;
  if (!marked) return;
  data_ += other.data_;
  data_.resize(text_.size(), '\0');
}

Text Text::substr(std::size_t begin, std::size_t count) const {
  Text part;
  part.text_ = text_.substr(begin, count);
  if (!data_.empty()) part.data_ = data_.substr(begin, count);
  return part;
}

Value::Value(List list) {
  int depth = 1;
  for (const Value& item : list) depth = std::max(depth, 1 + item.depth_inside());
  storage_ = ListRef{std::make_shared<List>(std::move(list)), depth};
}

Value::Value(Dict dict) {
  int depth = 1;
  for (const auto& [key, value] : dict) {
    depth = std::max({depth, 1 + key.depth_inside(), 1 + value.depth_inside()});
  }
  storage_ = DictRef{std::make_shared<Dict>(std::move(dict)), false, depth};
}

int Value::depth_inside() const {
  if (is<FunctionRef>() || (is<DictRef>() && get<DictRef>().is_namespace)) {
    fail(ErrorCode::kData, "chat template: a ", is<DictRef>() ? "namespace" : "function",
         " inside another value is not supported");
  }
  const int depth = is<ListRef>() ? get<ListRef>().depth : is<DictRef>() ? get<DictRef>().depth : 0;
  if (depth >= kMaxDepth) {
    fail(ErrorCode::kData, "chat template: values nested deeper than ", kMaxDepth);
  }
  return depth;
}

double Value::number() const {
  if (is<double>()) return get<double>();
  return static_cast<double>(integer());
}

std::int64_t Value::integer() const {
  return is<bool>() ? static_cast<std::int64_t>(get<bool>()) : get<std::int64_t>();
}

const Value* Value::find(std::string_view key) const {
  if (!is<DictRef>()) return nullptr;
  for (const auto& [name, value] : dict()) {
    if (name.is<Text>() && name.get<Text>().view() == key) return &value;
  }
  return nullptr;
}

bool Value::truth() const {
  if (is<Undefined>() || is<None>()) return false;
  if (is_number()) return number() != 0;
  if (is<Text>()) return !get<Text>().empty();
  if (is<ListRef>()) return !list().empty();
  if (is<DictRef>()) return get<DictRef>().is_namespace || !dict().empty();
  return true;
}

Text Value::str() const {
  if (is<Undefined>()) return {};
  if (is<Text>()) return get<Text>();
  return repr();
}

Text Value::repr() const {
  if (is<Undefined>()) return literal("Undefined");
  if (is<None>()) return literal("None");
  if (is<bool>()) return literal(get<bool>() ? "True" : "False");
  if (is<std::int64_t>()) return literal(std::to_string(get<std::int64_t>()));
  if (is<double>()) return literal(float_text(get<double>()));
  if (is<Text>()) return quoted(get<Text>());
  if (is<ListRef>()) {
    Text out = literal("[");
    for (std::size_t i = 0; i < list().size(); ++i) {
      if (i > 0) out.append(literal(", "));
      out.append(list()[i].repr());
    }
    out.append(literal("]"));
    return out;
  }
  if (is<DictRef>()) {
    Text out = literal(get<DictRef>().is_namespace ? "<Namespace {" : "{");
    for (std::size_t i = 0; i < dict().size(); ++i) {
      if (i > 0) out.append(literal(", "));
      out.append(dict()[i].first.repr());
      out.append(literal(": "));
      out.append(dict()[i].second.repr());
    }
    out.append(literal(get<DictRef>().is_namespace ? "}>" : "}"));
    return out;
  }
  return literal("<function " + get<FunctionRef>().name + ">");
}

std::string Value::type_name() const {
  if (is<None>()) return "None";
  const char* name = is<bool>()           ? "bool"
                     : is<std::int64_t>() ? "int"
                     : is<double>()       ? "float"
                     : is<Text>()         ? "str"
                     : is<ListRef>()      ? "list"
                     : is<DictRef>()      ? "dict"
                     : is<FunctionRef>()  ? "function"
                                          : "Undefined";
  return std::string(name) + " object";
}

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    if (!a.is<double>() && !b.is<double>()) return a.integer() == b.integer();
    return a.number() == b.number();
  }
  if (a.is<Text>() && b.is<Text>()) return a.get<Text>().view() == b.get<Text>().view();
  if (a.is<None>() || a.is<Undefined>()) {
    return (a.is<None>() && b.is<None>()) || (a.is<Undefined>() && b.is<Undefined>());
  }
  if (a.is<ListRef>() && b.is<ListRef>()) {
    return std::equal(a.list().begin(), a.list().end(), b.list().begin(), b.list().end(), equal);
  }
  if (a.is<DictRef>() && b.is<DictRef>()) {
    if (a.dict().size() != b.dict().size()) return false;
    return std::all_of(a.dict().begin(), a.dict().end(), [&](const auto& member) {
      return std::any_of(b.dict().begin(), b.dict().end(), [&](const auto& other) {
        return equal(member.first, other.first) && equal(member.second, other.second);
      });
    });
  }
  return false;
}

int compare(const Value& a, const Value& b, bool& comparable) {
  if (a.is_number() && b.is_number()) {
    return a.number() < b.number() ? -1 : a.number() > b.number() ? 1 : 0;
  }
  if (a.is<Text>() && b.is<Text>()) {
    const int order = a.get<Text>().view().compare(b.get<Text>().view());
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  if (a.is<ListRef>() && b.is<ListRef>()) {
    const std::size_t both = std::min(a.list().size(), b.list().size());
    for (std::size_t i = 0; i < both; ++i) {
      if (const int order = compare(a.list()[i], b.list()[i], comparable)) return order;
    }
    return a.list().size() < b.list().size() ? -1 : a.list().size() > b.list().size() ? 1 : 0;
  }
  comparable = false;
  return 0;
}

Value from_json(const Json& json, char mark) {
  switch (json.type()) {
    case Json::value_t::boolean:
      return json.get<bool>();
    case Json::value_t::number_integer:
      return json.get<std::int64_t>();
    case Json::value_t::number_unsigned: {
      const auto number = json.get<std::uint64_t>();
      if (number > INT64_MAX) return static_cast<double>(number);
      return static_cast<std::int64_t>(number);
    }
    case Json::value_t::number_float:
      return json.get<double>();
    case Json::value_t::string:
      return Text(json.get<std::string>(), mark);
    case Json::value_t::array: {
      List list;
      for (const Json& item : json) list.push_back(from_json(item, mark));
      return list;
    }
    case Json::value_t::object: {
      Dict dict;
      for (const auto& [key, item] : json.items()) {
        dict.emplace_back(Text(key, mark), from_json(item, mark));
      }
      return dict;
    }
    default:
      return {};
  }
}

Text to_json(const Value& value, int indent, bool sort_keys) {
  JsonWriter writer(indent, sort_keys);
  writer.write(value, 0);
  return writer.take();
}

}  // namespace llmctl::jinja
