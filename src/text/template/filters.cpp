// The filters and tests of builtins.h.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/utf8.h"
#include "text/template/builtins.h"
#include "text/template/text_functions.h"
#include "text/unicode.h"

namespace llmctl::jinja {
namespace {

/// A number out of a text or number; `otherwise` where it is none.
Value to_integer(const Value& value, const Value& otherwise) {
  if (value.is<double>()) {
    if (!(std::fabs(value.number()) < 9e18)) return otherwise;
    return static_cast<std::int64_t>(value.number());
  }
  if (value.is_number()) return value.integer();
  if (!value.is<Text>()) return otherwise;
  const std::string text(llmctl::trim(value.get<Text>().view()));
  const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(begin, text.data() + text.size(), number);
  if (failure == std::errc() && end == text.data() + text.size() && !text.empty()) return number;
  double real = 0;
  const auto [stop, no] = std::from_chars(begin, text.data() + text.size(), real);
  if (no == std::errc() && stop == text.data() + text.size() && std::fabs(real) < 9e18) {
    return static_cast<std::int64_t>(real);
  }
  return otherwise;
}

Value to_float(const Value& value, const Value& otherwise) {
  if (value.is_number()) return value.number();
  if (!value.is<Text>()) return otherwise;
  const std::string_view text = llmctl::trim(value.get<Text>().view());
  double real = 0;
  const auto [stop, no] = std::from_chars(text.data(), text.data() + text.size(), real);
  if (no == std::errc() && stop == text.data() + text.size()) return real;
  return otherwise;
}

Value round_number(const Value& value, const Arguments& arguments) {
  if (!value.is_number()) raise(concat("round: expected a number, got ", value.type_name()));
  const std::int64_t digits = integer_argument(arguments, 0, "precision", 0);
  if (digits < -300 || digits > 300) raise("round: precision out of range");
  const std::string method = text_argument(arguments, 1, "method", plain("common")).text();
  const double scale = std::pow(10.0, static_cast<double>(digits));
  const double scaled = value.number() * scale;
  if (method == "ceil") return std::ceil(scaled) / scale;
  if (method == "floor") return std::floor(scaled) / scale;
  return std::nearbyint(scaled) / scale;
}

std::int64_t length(const Value& value) {
  if (value.is<Undefined>()) return 0;
  if (value.is<Text>()) {
    return static_cast<std::int64_t>(count_code_points(value.get<Text>().view()));
  }
  if (value.is<ListRef>()) return static_cast<std::int64_t>(value.list().size());
  if (value.is<DictRef>()) return static_cast<std::int64_t>(value.dict().size());
  raise(concat("object of type '", value.type_name(), "' has no len()"));
}

void sort_items(List& items, bool reverse, bool case_sensitive, const Value* attribute,
                Budget& budget) {
  bool comparable = true;
  std::vector<std::pair<Value, Value>> keyed;
  for (Value& item : items) {
    Value key = attribute ? attribute_of(item, attribute->str().text(), budget) : item;
    if (!case_sensitive && key.is<Text>()) key = lower(key.get<Text>());
    keyed.emplace_back(std::move(key), std::move(item));
  }
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    const int order = compare(a.first, b.first, comparable);
    return reverse ? order > 0 : order < 0;
  });
  if (!comparable) raise("sort: the items cannot be compared");
  items.clear();
  for (auto& [key, item] : keyed) items.push_back(std::move(item));
}

/// select, reject, selectattr, rejectattr.
List choose(const Value& value, const Arguments& arguments, bool by_attribute, bool wanted,
            Budget& budget) {
  Arguments rest = arguments;
  std::string attribute;
  if (by_attribute) {
    if (rest.positional.empty()) raise("missing parameter for the attribute name");
    attribute = rest.positional.front().str().text();
    rest.positional.erase(rest.positional.begin());
  }
  std::string test;
  if (!rest.positional.empty()) {
    test = rest.positional.front().str().text();
    rest.positional.erase(rest.positional.begin());
    if (!has_test(test)) raise(concat("No test named '", test, "'."));
  }
  List chosen;
  for (const Value& item : items_of(value, budget)) {
    budget.step();
    const Value subject = by_attribute ? attribute_of(item, attribute, budget) : item;
    const bool fits = test.empty() ? subject.truth() : apply_test(test, subject, rest, budget);
    if (fits == wanted) chosen.push_back(item);
  }
  return chosen;
}

List map_items(const Value& value, const Arguments& arguments, Budget& budget) {
  List mapped;
  const Value* attribute = argument(arguments, SIZE_MAX, "attribute");
  Arguments rest = arguments;
  std::string filter;
  if (attribute == nullptr) {
    if (rest.positional.empty()) raise("map requires a filter argument");
    filter = rest.positional.front().str().text();
    rest.positional.erase(rest.positional.begin());
    if (!has_filter(filter)) raise(concat("No filter named '", filter, "'."));
  }
  for (const Value& item : items_of(value, budget)) {
    budget.step();
    if (attribute == nullptr) {
      mapped.push_back(apply_filter(filter, item, rest, budget));
      continue;
    }
    // "function.name" goes inwards.
    Value found = item;
    const std::string path = attribute->str().text();
    for (std::size_t at = 0; at <= path.size();) {
      const std::size_t end = std::min(path.find('.', at), path.size());
      found = attribute_of(found, path.substr(at, end - at), budget);
      at = end + 1;
    }
    const Value* otherwise = argument(arguments, SIZE_MAX, "default");
    mapped.push_back(found.is<Undefined>() && otherwise ? *otherwise : found);
  }
  return mapped;
}

Text indent(const Text& text, const Arguments& arguments, Budget& budget) {
  const Value* width = argument(arguments, 0, "width");
  Text margin = plain("    ");
  if (width != nullptr && width->is<Text>()) {
    margin = width->get<Text>();
  } else if (width != nullptr) {
    const std::int64_t count = integer_argument(arguments, 0, "width", 4);
    if (count < 0 || count > 1000) raise("indent: width out of range");
    margin = plain(std::string(static_cast<std::size_t>(count), ' '));
  }
  const bool first = flag_argument(arguments, 1, "first", false);
  const bool blank = flag_argument(arguments, 2, "blank", false);
  Text out;
  const Text newline = plain("\n");
  const List lines = split(text, &newline, -1, budget);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out.append(newline);
    const Text& line = lines[i].get<Text>();
    budget.bytes(margin.size());
    if (i == 0 ? first : blank || !line.empty()) out.append(margin);
    out.append(line);
  }
  return out;
}

Text escape(const Text& text, Budget& budget) {
  Text out = text;
  for (const auto& [from, to] :
       {std::pair{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"'", "&#39;"}, {"\"", "&#34;"}}) {
    out = replace(out, plain(from), plain(to), -1, budget);
  }
  return out;
}

Value aggregate(const Value& value, bool wants_max, Budget& budget) {
  List items = items_of(value, budget);
  if (items.empty()) return undefined("No aggregated item, sequence was empty.");
  sort_items(items, wants_max, false, nullptr, budget);
  return items.front();
}

using Filter = Value (*)(const Value&, const Arguments&, Budget&);

const std::map<std::string, Filter, std::less<>>& filters() {
  static const std::map<std::string, Filter, std::less<>> table = {
      {"abs",
       [](const Value& v, const Arguments&, Budget&) -> Value {
         if (!v.is_number()) raise("abs: expected a number");
         if (v.is<double>()) return std::fabs(v.number());
         return v.integer() < 0 ? -v.integer() : v.integer();
       }},
      {"attr",
       [](const Value& v, const Arguments& a, Budget& b) -> Value {
         return attribute_of(v, text_argument(a, 0, "name", {}).text(), b);
       }},
      {"capitalize",
       [](const Value& v, const Arguments&, Budget&) -> Value { return capitalize(v.str()); }},
      {"count", [](const Value& v, const Arguments&, Budget&) -> Value { return length(v); }},
      {"default",
       [](const Value& v, const Arguments& a, Budget&) -> Value {
         const Value* otherwise = argument(a, 0, "default_value");
         const bool missing =
             v.is<Undefined>() || (flag_argument(a, 1, "boolean", false) && !v.truth());
         if (!missing) return v;
         return otherwise ? *otherwise : Value(Text());
       }},
      {"dictsort",
       [](const Value& v, const Arguments& a, Budget& b) -> Value {
         if (!v.is<DictRef>()) raise("dictsort: expected a mapping");
         List pairs;
         for (const auto& [key, value] : v.dict()) pairs.push_back(List{key, value});
         List keys;
         const bool by_value = text_argument(a, 1, "by", plain("key")).text() == "value";
         for (const Value& pair : pairs) keys.push_back(pair.list()[by_value ? 1 : 0]);
         List order;
         for (std::size_t i = 0; i < pairs.size(); ++i) order.push_back(List{keys[i], pairs[i]});
         // Sorting pairs (key, item) by the first of each.
         bool comparable = true;
         const bool case_sensitive = flag_argument(a, 0, "case_sensitive", false);
         const bool reverse = flag_argument(a, 2, "reverse", false);
         const auto key_of = [&](const Value& entry) -> Value {
           const Value& key = entry.list()[0];
           return !case_sensitive && key.is<Text>() ? Value(lower(key.get<Text>())) : key;
         };
         std::stable_sort(order.begin(), order.end(), [&](const Value& x, const Value& y) {
           const int sign = compare(key_of(x), key_of(y), comparable);
           return reverse ? sign > 0 : sign < 0;
         });
         if (!comparable) raise("dictsort: the keys cannot be compared");
         List sorted;
         for (const Value& entry : order) sorted.push_back(entry.list()[1]);
         b.bytes(sorted.size() * sizeof(Value));
         return sorted;
       }},
      {"escape",
       [](const Value& v, const Arguments&, Budget& b) -> Value { return escape(v.str(), b); }},
      {"first",
       [](const Value& v, const Arguments&, Budget& b) -> Value {
         const List items = items_of(v, b);
         return items.empty() ? undefined("No first item, sequence was empty.") : items.front();
       }},
      {"float",
       [](const Value& v, const Arguments& a, Budget&) -> Value {
         const Value* otherwise = argument(a, 0, "default");
         return to_float(v, otherwise ? *otherwise : Value(0.0));
       }},
      {"format",
       [](const Value& v, const Arguments& a, Budget& b) -> Value {
         return format(v.str(), a, b);
       }},
      {"indent",
       [](const Value& v, const Arguments& a, Budget& b) -> Value {
         return indent(v.str(), a, b);
       }},
      {"int",
       [](const Value& v, const Arguments& a, Budget&) -> Value {
         const Value* otherwise = argument(a, 0, "default");
         return to_integer(v, otherwise ? *otherwise : Value(0));
       }},
      {"items",
       [](const Value& v, const Arguments&, Budget&) -> Value {
         List pairs;
         if (v.is<Undefined>()) return pairs;
         if (!v.is<DictRef>()) raise("Can only get item pairs from a mapping.");
         for (const auto& [key, value] : v.dict()) pairs.push_back(List{key, value});
         return pairs;
       }},
      {"join",
       [](const Value& v, const Arguments& a, Budget& b) -> Value {
         return join(v, text_argument(a, 0, "d", {}), argument(a, 1, "attribute"), b);
       }},
      {"last",
       [](const Value& v, const Arguments&, Budget& b) -> Value {
         const List items = items_of(v, b);
         return items.empty() ? undefined("No last item, sequence was empty.") : items.back();
       }},
      {"length", [](const Value& v, const Arguments&, Budget&) -> Value { return length(v); }},
      {"list", [](const Value& v, const Arguments&, Budget& b) -> Value { return items_of(v, b); }},
      {"lower", [](const Value& v, const Arguments&, Budget&) -> Value { return lower(v.str()); }},
      {"map",
       [](const Value& v, const Arguments& a, Budget& b) -> Value { return map_items(v, a, b); }},
      {"max",
       [](const Value& v, const Arguments&, Budget& b) -> Value { return aggregate(v, true, b); }},
      {"min",
       [](const Value& v, const Arguments&, Budget& b) -> Value { return aggregate(v, false, b); }},
      {"reject",
       [](const Value& v, const Arguments& a, Budget& b) -> Value {
         return choose(v, a, false, false, b);
       }},
      {"rejectattr",
       [](const Value& v, const Arguments& a, Budget& b) -> Value {
         return choose(v, a, true, false, b);
       }},
      {"replace",
       [](const Value& v, const Arguments& a, Budget& b) -> Value {
         return replace(v.str(), text_argument(a, 0, "old", {}), text_argument(a, 1, "new", {}),
                        integer_argument(a, 2, "count", -1), b);
       }},
      {"reverse",
       [](const Value& v, const Arguments&, Budget& b) -> Value {
         List items = items_of(v, b);
         std::reverse(items.begin(), items.end());
         return v.is<Text>() ? Value(join(items, {}, nullptr, b)) : Value(std::move(items));
       }},
      {"round",
       [](const Value& v, const Arguments& a, Budget&) -> Value { return round_number(v, a); }},
      {"safe", [](const Value& v, const Arguments&, Budget&) -> Value { return v.str(); }},
      {"select",
       [](const Value& v, const Arguments& a, Budget& b) -> Value {
         return choose(v, a, false, true, b);
       }},
      {"selectattr",
       [](const Value& v, const Arguments& a, Budget& b) -> Value {
         return choose(v, a, true, true, b);
       }},
      {"sort",
       [](const Value& v, const Arguments& a, Budget& b) -> Value {
         List items = items_of(v, b);
         sort_items(items, flag_argument(a, 0, "reverse", false),
                    flag_argument(a, 1, "case_sensitive", false), argument(a, 2, "attribute"), b);
         return items;
       }},
      {"string", [](const Value& v, const Arguments&, Budget&) -> Value { return v.str(); }},
      {"sum",
       [](const Value& v, const Arguments& a, Budget& b) -> Value {
         const Value* attribute = argument(a, 0, "attribute");
         const Value* start = argument(a, 1, "start");
         Value total = start ? *start : Value(0);
         for (const Value& item : items_of(v, b)) {
           total = binary("+", total,
                          attribute ? attribute_of(item, attribute->str().text(), b) : item, b);
         }
         return total;
       }},
      {"title",
       [](const Value& v, const Arguments&, Budget&) -> Value { return title(v.str(), true); }},
      {"tojson",
       [](const Value& v, const Arguments& a, Budget& b) -> Value {
         const std::int64_t spaces = integer_argument(a, SIZE_MAX, "indent", -1);
         if (spaces > 100) raise("tojson: indent out of range");
         Text text = to_json(defined(v), static_cast<int>(spaces),
                             flag_argument(a, SIZE_MAX, "sort_keys", false));
         b.bytes(text.size());
         return text;
       }},
      {"trim",
       [](const Value& v, const Arguments& a, Budget&) -> Value {
         const Value* set = argument(a, 0, "chars");
         const Text chosen = set ? set->str() : Text();
         return strip(v.str(), set ? &chosen : nullptr, true, true);
       }},
      {"unique",
       [](const Value& v, const Arguments& a, Budget& b) -> Value {
         const bool case_sensitive = flag_argument(a, 0, "case_sensitive", false);
         const auto key_of = [&](const Value& item) -> Value {
           return !case_sensitive && item.is<Text>() ? Value(lower(item.get<Text>())) : item;
         };
         List kept;
         for (const Value& item : items_of(v, b)) {
           const bool seen = std::any_of(kept.begin(), kept.end(), [&](const Value& other) {
             b.step();
             return equal(key_of(item), key_of(other));
           });
           if (!seen) kept.push_back(item);
         }
         return kept;
       }},
      {"upper", [](const Value& v, const Arguments&, Budget&) -> Value { return upper(v.str()); }},
      {"wordcount",
       [](const Value& v, const Arguments&, Budget& b) -> Value {
         return static_cast<std::int64_t>(split(v.str(), nullptr, -1, b).size());
       }},
  };
  return table;
}

const Value& first_argument(const Arguments& arguments, const char* test) {
  if (arguments.positional.empty()) raise(concat("the test '", test, "' needs an argument"));
  return arguments.positional.front();
}

using Test = bool (*)(const Value&, const Arguments&);

const std::map<std::string, Test, std::less<>>& tests() {
  const auto parity = [](const Value& v) {
    if (!v.is_number()) raise("not all arguments converted during string formatting");
    return static_cast<std::int64_t>(v.number()) % 2;
  };
  static const auto remainder = parity;
  static const std::map<std::string, Test, std::less<>> table = {
      {"boolean", [](const Value& v, const Arguments&) { return v.is<bool>(); }},
      {"callable", [](const Value& v, const Arguments&) { return v.is<FunctionRef>(); }},
      {"defined", [](const Value& v, const Arguments&) { return !v.is<Undefined>(); }},
      {"divisibleby",
       [](const Value& v, const Arguments& a) {
         const Value& by = first_argument(a, "divisibleby");
         if (!v.is_number() || !by.is_number() || by.number() == 0) {
           raise("divisibleby: expected numbers, and not zero");
         }
         return std::fmod(v.number(), by.number()) == 0;
       }},
      {"eq", [](const Value& v, const Arguments& a) { return equal(v, first_argument(a, "eq")); }},
      {"even", [](const Value& v, const Arguments&) { return remainder(v) == 0; }},
      {"false", [](const Value& v, const Arguments&) { return v.is<bool>() && !v.get<bool>(); }},
      {"float", [](const Value& v, const Arguments&) { return v.is<double>(); }},
      {"ge", [](const Value& v,
                const Arguments& a) { return compares(">=", v, first_argument(a, "ge")); }},
      {"gt", [](const Value& v,
                const Arguments& a) { return compares(">", v, first_argument(a, "gt")); }},
      {"in",
       [](const Value& v, const Arguments& a) { return contains(first_argument(a, "in"), v); }},
      {"integer", [](const Value& v, const Arguments&) { return v.is<std::int64_t>(); }},
      {"iterable",
       [](const Value& v, const Arguments&) {
         return v.is<Text>() || v.is<ListRef>() || v.is<DictRef>() || v.is<Undefined>();
       }},
      {"le", [](const Value& v,
                const Arguments& a) { return compares("<=", v, first_argument(a, "le")); }},
      {"lower",
       [](const Value& v, const Arguments&) {
         const Text text = v.str();
         return lower(text).view() == text.view() && upper(text).view() != text.view();
       }},
      {"lt", [](const Value& v,
                const Arguments& a) { return compares("<", v, first_argument(a, "lt")); }},
      {"mapping", [](const Value& v, const Arguments&) { return v.is<DictRef>(); }},
      {"ne", [](const Value& v, const Arguments& a) { return !equal(v, first_argument(a, "ne")); }},
      {"none", [](const Value& v, const Arguments&) { return v.is<None>(); }},
      {"number", [](const Value& v, const Arguments&) { return v.is_number(); }},
      {"odd", [](const Value& v, const Arguments&) { return remainder(v) != 0; }},
      {"sameas",
       [](const Value& v, const Arguments& a) {
         const Value& other = first_argument(a, "sameas");
         if (v.is<ListRef>() && other.is<ListRef>()) {
           return v.get<ListRef>().list == other.get<ListRef>().list;
         }
         return v.is<bool>() == other.is<bool>() && equal(v, other);
       }},
      {"sequence",
       [](const Value& v, const Arguments&) {
         return v.is<Text>() || v.is<ListRef>() || v.is<DictRef>() || v.is<Undefined>();
       }},
      {"string", [](const Value& v, const Arguments&) { return v.is<Text>(); }},
      {"true", [](const Value& v, const Arguments&) { return v.is<bool>() && v.get<bool>(); }},
      {"undefined", [](const Value& v, const Arguments&) { return v.is<Undefined>(); }},
      {"upper",
       [](const Value& v, const Arguments&) {
         const Text text = v.str();
         return upper(text).view() == text.view() && lower(text).view() != text.view();
       }},
  };
  return table;
}

/// Other names of filters and tests.
std::string canonical(const std::string& name) {
  static const std::map<std::string, std::string, std::less<>> aliases = {
      {"d", "default"}, {"e", "escape"},       {"==", "eq"},      {"equalto", "eq"},
      {"!=", "ne"},     {"greaterthan", "gt"}, {">", "gt"},       {">=", "ge"},
      {"<", "lt"},      {"<=", "le"},          {"lessthan", "lt"}};
  const auto found = aliases.find(name);
  return found == aliases.end() ? name : found->second;
}

}  // namespace

bool has_filter(const std::string& name) {
  return filters().contains(canonical(name));
}

Value apply_filter(const std::string& name, const Value& value, const Arguments& arguments,
                   Budget& budget) {
  return filters().find(canonical(name))->second(value, arguments, budget);
}

bool has_test(const std::string& name) {
  return tests().contains(canonical(name));
}

bool apply_test(const std::string& name, const Value& value, const Arguments& arguments, Budget&) {
  return tests().find(canonical(name))->second(value, arguments);
}

}  // namespace llmctl::jinja
