#include "text/template/builtins.h"

#include <utf8proc.h>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <map>

#include "base/error.h"
#include "base/utf8.h"
#include "text/unicode.h"

namespace llmctl::jinja {
namespace {

Value undefined(std::string message) {
  return Undefined{std::move(message)};
}

const Text& text_of(const Value& value, const char* what) {
  defined(value);
  if (!value.is<Text>()) raise(concat(what, ": expected a string, got ", value.type_name()));
  return value.get<Text>();
}

/// The argument at a place or of a name; null where there is none.
const Value* argument(const Arguments& arguments, std::size_t place, std::string_view name) {
  if (place < arguments.positional.size()) return &arguments.positional[place];
  for (const auto& [given, value] : arguments.named) {
    if (given == name) return &value;
  }
  return nullptr;
}

std::int64_t integer_argument(const Arguments& arguments, std::size_t place, std::string_view name,
                              std::int64_t otherwise) {
  const Value* value = argument(arguments, place, name);
  if (value == nullptr || value->is<None>()) return otherwise;
  if (!value->is<std::int64_t>() && !value->is<bool>()) {
    raise(concat(name, ": expected an integer, got ", value->type_name()));
  }
  return value->integer();
}

bool flag_argument(const Arguments& arguments, std::size_t place, std::string_view name,
                   bool otherwise) {
  const Value* value = argument(arguments, place, name);
  return value == nullptr ? otherwise : value->truth();
}

Text text_argument(const Arguments& arguments, std::size_t place, std::string_view name,
                   const Text& otherwise) {
  const Value* value = argument(arguments, place, name);
  return value == nullptr ? otherwise : value->str();
}

Text plain(std::string text) {
  return Text(std::move(text), false);
}

bool is_python_space(char32_t c) {
  return llmctl::is_space(c);
}

/// Without the characters of `set` (white space where it is null) at its ends.
Text strip(const Text& text, const Text* set, bool left, bool right) {
  const std::vector<char32_t> chosen = set ? code_points(set->view()) : std::vector<char32_t>();
  const auto goes = [&](char32_t c) {
    return set ? std::find(chosen.begin(), chosen.end(), c) != chosen.end() : is_python_space(c);
  };
  const std::string_view all = text.view();
  std::size_t begin = 0, end = all.size();
  while (left && begin < end) {
    std::size_t next = begin;
    if (!goes(next_code_point(all, next))) break;
    begin = next;
  }
  while (right && end > begin) {
    std::size_t first = end - 1;
    while (first > begin && (static_cast<unsigned char>(all[first]) & 0xC0) == 0x80) --first;
    std::size_t at = first;
    if (!goes(next_code_point(all, at))) break;
    end = first;
  }
  return text.substr(begin, end - begin);
}

Text replace(const Text& text, const Text& from, const Text& to, std::int64_t count,
             Budget& budget) {
  Text out;
  std::size_t at = 0;
  const std::string_view all = text.view();
  const std::string_view old = from.view();
  if (old.empty()) {
    // Python puts the new text around every character.
    for (std::int64_t n = 0; n != count; ++n) {
      budget.bytes(to.size());
      out.append(to);
      if (at >= all.size()) return out;
      std::size_t next = at;
      next_code_point(all, next);
      out.append(text.substr(at, next - at));
      at = next;
    }
    out.append(text.substr(at));
    return out;
  }
  for (std::int64_t n = 0; n != count; ++n) {
    const std::size_t found = all.find(old, at);
    if (found == all.npos) break;
    budget.bytes(found - at + to.size());
    out.append(text.substr(at, found - at));
    out.append(to);
    at = found + old.size();
  }
  budget.bytes(all.size() - at);
  out.append(text.substr(at));
  return out;
}

List split(const Text& text, const Text* separator, std::int64_t count, Budget& budget) {
  List parts;
  const std::string_view all = text.view();
  budget.bytes(all.size());
  if (separator != nullptr) {
    if (separator->empty()) raise("empty separator");
    std::size_t at = 0;
    while (count != 0) {
      const std::size_t found = all.find(separator->view(), at);
      if (found == all.npos) break;
      parts.push_back(text.substr(at, found - at));
      at = found + separator->size();
      --count;
      budget.bytes(sizeof(Value));
    }
    parts.push_back(text.substr(at));
    return parts;
  }
  // At white space: runs of it separate, and count for nothing at the ends.
  std::size_t at = 0;
  const auto skip = [&](bool space) {
    while (at < all.size()) {
      std::size_t next = at;
      if (is_python_space(next_code_point(all, next)) != space) return;
      at = next;
    }
  };
  while (true) {
    skip(true);
    if (at == all.size()) return parts;
    if (count == 0) {
      parts.push_back(strip(text.substr(at), nullptr, false, true));
      return parts;
    }
    const std::size_t begin = at;
    skip(false);
    parts.push_back(text.substr(begin, at - begin));
    --count;
    budget.bytes(sizeof(Value));
  }
}

char32_t to_upper(char32_t c) {
  return static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c)));
}

/// Character by character: `change(c, previous)`.
template <class Change>
Text map_characters(const Text& text, const Change& change) {
  Text out;
  char32_t previous = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t c = next_code_point(text.view(), at);
    std::string changed;
    append_utf8(changed, change(c, previous));
    out.append(Text(std::move(changed), text.substr(begin, at - begin)));
    previous = c;
  }
  return out;
}

bool is_letter(char32_t c) {
  return llmctl::is_alphanumeric(c) && !llmctl::is_decimal_digit(c);
}

Text upper(const Text& text) {
  return map_characters(text, [](char32_t c, char32_t) { return to_upper(c); });
}
Text lower(const Text& text) {
  return map_characters(text, [](char32_t c, char32_t) { return llmctl::to_lower(c); });
}
Text capitalize(const Text& text) {
  return map_characters(text, [](char32_t c, char32_t previous) {
    return previous == 0 ? to_upper(c) : llmctl::to_lower(c);
  });
}
/// Jinja's filter begins words behind blanks and brackets; Python's method behind any non-letter.
Text title(const Text& text, bool as_filter) {
  return map_characters(text, [&](char32_t c, char32_t previous) {
    const bool begins =
        previous == 0 ||
        (as_filter ? is_python_space(previous) || previous == '-' || previous == '(' ||
                         previous == '{' || previous == '[' || previous == '<'
                   : !is_letter(previous));
    return begins ? to_upper(c) : llmctl::to_lower(c);
  });
}

/// printf's formats as Python's % has them, for %s, %d, %i, %f, %r, %x and %%.
Text format(const Text& pattern, const Arguments& arguments, Budget& budget) {
  Text out;
  std::size_t next = 0;
  const std::string_view all = pattern.view();
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t sign = std::min(all.find('%', at), all.size());
    out.append(pattern.substr(at, sign - at));
    if (sign == all.size()) break;
    std::size_t end = sign + 1;
    while (end < all.size() && std::string_view("0123456789.+- ").find(all[end]) != all.npos) ++end;
    if (end == all.size()) raise("incomplete format");
    const char kind = all[end];
    at = end + 1;
    if (kind == '%') {
      out.append(plain("%"));
      continue;
    }
    if (next >= arguments.positional.size()) raise("not enough arguments for format string");
    const Value& value = defined(arguments.positional[next++]);
    const std::string flags(all.substr(sign + 1, end - sign - 1));
    if (flags.size() > 8) raise("a format of more than 8 characters is not supported");
    char buffer[512];
    if (kind == 's' || kind == 'r') {
      if (!flags.empty()) raise("a width of %s is not supported");
      const Text text = kind == 's' ? value.str() : value.repr();
      budget.bytes(text.size());
      out.append(text);
      continue;
    }
    if (!value.is_number()) raise(concat("%", kind, " format: a number is required"));
    if (kind == 'd' || kind == 'i' || kind == 'x') {
      const auto number =
          value.is<double>() ? static_cast<std::int64_t>(value.number()) : value.integer();
      const std::string spec = "%" + flags + (kind == 'x' ? "lx" : "ld");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
      std::snprintf(buffer, sizeof buffer, spec.c_str(), static_cast<long>(number));
    } else if (kind == 'f' || kind == 'g' || kind == 'e') {
      const std::string spec = "%" + flags + kind;
      std::snprintf(buffer, sizeof buffer, spec.c_str(), value.number());
#pragma GCC diagnostic pop
    } else {
      raise(concat("the format %", kind, " is not supported"));
    }
    out.append(plain(buffer));
  }
  if (next < arguments.positional.size()) raise("not all arguments converted during formatting");
  return out;
}

Text join(const Value& value, const Text& separator, const Value* attribute, Budget& budget) {
  Text out;
  bool first = true;
  for (const Value& item : items_of(value, budget)) {
    if (!first) out.append(separator);
    first = false;
    const Text text =
        attribute ? attribute_of(item, attribute->str().text(), budget).str() : item.str();
    budget.bytes(text.size() + separator.size());
    out.append(text);
  }
  return out;
}

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

Value bound(const std::string& name, std::function<Value(const Arguments&)> body) {
  return FunctionRef{std::make_shared<Function>(std::move(body)), name};
}

/// Methods of texts; undefined for names that are none.
Value text_method(const Text& text, const std::string& name, Budget& budget) {
  const auto stripping = [&](bool left, bool right) {
    return bound(name, [text, left, right](const Arguments& a) -> Value {
      const Value* set = argument(a, 0, "chars");
      if (set == nullptr || set->is<None>()) return strip(text, nullptr, left, right);
      return strip(text, &text_of(*set, "strip"), left, right);
    });
  };
  const auto affix = [&](bool at_begin) {
    return bound(name, [text, at_begin, &budget](const Arguments& a) -> Value {
      if (a.positional.empty()) raise("startswith and endswith take a string");
      const List some =
          a.positional[0].is<ListRef>() ? items_of(a.positional[0], budget) : List{a.positional[0]};
      for (const Value& item : some) {
        const std::string_view part = text_of(item, "startswith").view();
        if (at_begin ? text.view().starts_with(part) : text.view().ends_with(part)) return true;
      }
      return false;
    });
  };
  const auto search = [&](bool backwards, bool count_them) {
    return bound(name, [text, backwards, count_them](const Arguments& a) -> Value {
      if (a.positional.empty()) raise("find and count take a string");
      const std::string_view part = text_of(a.positional[0], "find").view();
      if (count_them) {
        std::int64_t count = 0;
        if (part.empty()) return static_cast<std::int64_t>(count_code_points(text.view())) + 1;
        for (std::size_t at = 0; (at = text.view().find(part, at)) != std::string_view::npos;
             at += part.size()) {
          ++count;
        }
        return count;
      }
      const std::size_t at = backwards ? text.view().rfind(part) : text.view().find(part);
      if (at == std::string_view::npos) return -1;
      return static_cast<std::int64_t>(count_code_points(text.view().substr(0, at)));
    });
  };
  if (name == "strip") return stripping(true, true);
  if (name == "lstrip") return stripping(true, false);
  if (name == "rstrip") return stripping(false, true);
  if (name == "startswith") return affix(true);
  if (name == "endswith") return affix(false);
  if (name == "find") return search(false, false);
  if (name == "rfind") return search(true, false);
  if (name == "count") return search(false, true);
  if (name == "upper")
    return bound(name, [text](const Arguments&) -> Value { return upper(text); });
  if (name == "lower")
    return bound(name, [text](const Arguments&) -> Value { return lower(text); });
  if (name == "title") {
    return bound(name, [text](const Arguments&) -> Value { return title(text, false); });
  }
  if (name == "capitalize") {
    return bound(name, [text](const Arguments&) -> Value { return capitalize(text); });
  }
  if (name == "split") {
    return bound(name, [text, &budget](const Arguments& a) -> Value {
      const Value* separator = argument(a, 0, "sep");
      const std::int64_t count = integer_argument(a, 1, "maxsplit", -1);
      if (separator == nullptr || separator->is<None>()) return split(text, nullptr, count, budget);
      return split(text, &text_of(*separator, "split"), count, budget);
    });
  }
  if (name == "splitlines") {
    return bound(name, [text, &budget](const Arguments&) -> Value {
      const Text newline = plain("\n");
      List lines = split(text, &newline, -1, budget);
      if (lines.back().get<Text>().empty()) lines.pop_back();
      return lines;
    });
  }
  if (name == "replace") {
    return bound(name, [text, &budget](const Arguments& a) -> Value {
      if (a.positional.size() < 2) raise("replace takes two strings");
      return replace(text, text_of(a.positional[0], "replace"), text_of(a.positional[1], "replace"),
                     integer_argument(a, 2, "count", -1), budget);
    });
  }
  if (name == "join") {
    return bound(name, [text, &budget](const Arguments& a) -> Value {
      if (a.positional.empty()) raise("join takes a list");
      return join(a.positional[0], text, nullptr, budget);
    });
  }
  const auto every = [&](bool (*fits)(char32_t)) {
    return bound(name, [text, fits](const Arguments&) -> Value {
      const auto all = code_points(text.view());
      return !all.empty() && std::all_of(all.begin(), all.end(), fits);
    });
  };
  if (name == "isdigit") return every(llmctl::is_decimal_digit);
  if (name == "isalnum") return every(llmctl::is_alphanumeric);
  if (name == "isalpha") return every(is_letter);
  if (name == "isspace") return every(is_python_space);
  return undefined("");
}

Value dict_method(const Value& value, const std::string& name) {
  const auto all = [&](auto&& make) {
    return bound(name, [value, make](const Arguments&) -> Value {
      List items;
      for (const auto& [key, member] : value.dict()) items.push_back(make(key, member));
      return items;
    });
  };
  if (name == "items") {
    return all([](const Value& key, const Value& member) -> Value { return List{key, member}; });
  }
  if (name == "keys") return all([](const Value& key, const Value&) -> Value { return key; });
  if (name == "values") {
    return all([](const Value&, const Value& member) -> Value { return member; });
  }
  if (name == "get") {
    return bound(name, [value](const Arguments& a) -> Value {
      if (a.positional.empty()) raise("get takes a key");
      const Value found = item_of(value, a.positional[0]);
      if (!found.is<Undefined>()) return found;
      return a.positional.size() > 1 ? a.positional[1] : Value();
    });
  }
  return undefined("");
}

[[noreturn]] void raise_overflow() {
  raise("a number beyond 64 bits");
}

Value integer_operation(const std::string& sign, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (sign == "+" || sign == "-" || sign == "*") {
    const bool overflows = sign == "+"   ? __builtin_add_overflow(a, b, &result)
                           : sign == "-" ? __builtin_sub_overflow(a, b, &result)
                                         : __builtin_mul_overflow(a, b, &result);
    if (overflows) raise_overflow();
    return result;
  }
  if (sign == "**") {
    if (b < 0) return std::pow(static_cast<double>(a), static_cast<double>(b));
    std::int64_t power = 1;
    for (std::int64_t i = 0; i < b; ++i) {
      if (power == 0 || (power == 1 && a == 1)) break;
      if (a == -1) return b % 2 == 0 ? 1 : -1;
      if (__builtin_mul_overflow(power, a, &result)) raise_overflow();
      power = result;
    }
    return power;
  }
  if (b == 0) raise(sign == "%" ? "integer modulo by zero" : "division by zero");
  if (sign == "/") return static_cast<double>(a) / static_cast<double>(b);
  if (b == -1) {
    if (sign == "%") return 0;
    if (__builtin_sub_overflow(std::int64_t{0}, a, &result)) raise_overflow();
    return result;
  }
  // Python rounds towards minus infinity.
  std::int64_t quotient = a / b, rest = a % b;
  if (rest != 0 && (rest < 0) != (b < 0)) {
    --quotient;
    rest += b;
  }
  return sign == "%" ? rest : quotient;
}

Value float_operation(const std::string& sign, double a, double b) {
  if (sign == "+") return a + b;
  if (sign == "-") return a - b;
  if (sign == "*") return a * b;
  if (sign == "**") return std::pow(a, b);
  if (b == 0) raise("float division by zero");
  if (sign == "/") return a / b;
  const double floor = std::floor(a / b);
  if (sign == "//") return floor;
  return a - floor * b;
}

Value repeated(const Value& what, std::int64_t count, Budget& budget) {
  count = std::max<std::int64_t>(0, count);
  const std::size_t size =
      what.is<Text>() ? what.get<Text>().size() : what.list().size() * sizeof(Value);
  if (size > 0 && static_cast<std::uint64_t>(count) > Budget::kBytes / size) {
    budget.bytes(Budget::kBytes + 1);
  }
  budget.bytes(size * static_cast<std::size_t>(count));
  if (what.is<Text>()) {
    Text out;
    if (size > 0) {
      for (std::int64_t i = 0; i < count; ++i) out.append(what.get<Text>());
    }
    return out;
  }
  List out;
  if (size > 0) {
    for (std::int64_t i = 0; i < count; ++i) {
      out.insert(out.end(), what.list().begin(), what.list().end());
    }
  }
  return out;
}

std::string now_as(const std::string& format) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char buffer[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  const std::size_t size = std::strftime(buffer, sizeof buffer, format.c_str(), &local);
#pragma GCC diagnostic pop
  return std::string(buffer, size);
}

}  // namespace

void Budget::step() {
  if (++steps_ > kSteps) raise(concat("more than ", kSteps, " steps: a template without end"));
}

void Budget::bytes(std::size_t count) {
  bytes_ += count;
  if (bytes_ > kBytes) raise("texts of more than 256 MB in all");
}

void raise(std::string message) {
  throw Raised{std::move(message)};
}

const Value& defined(const Value& value) {
  if (value.is<Undefined>()) raise(value.get<Undefined>().message);
  return value;
}

List items_of(const Value& value, Budget& budget) {
  if (value.is<Undefined>()) return {};
  List items;
  if (value.is<ListRef>()) {
    items = value.list();
  } else if (value.is<DictRef>() && !value.get<DictRef>().is_namespace) {
    for (const auto& [key, member] : value.dict()) items.push_back(key);
  } else if (value.is<Text>()) {
    const Text& text = value.get<Text>();
    budget.bytes(text.size() * sizeof(Value));
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t begin = at;
      next_code_point(text.view(), at);
      items.push_back(text.substr(begin, at - begin));
    }
  } else {
    raise(concat("'", value.type_name(), "' is not iterable"));
  }
  budget.bytes(items.size() * sizeof(Value));
  return items;
}

Value item_of(const Value& value, const Value& key) {
  defined(value);
  if (value.is<DictRef>()) {
    for (const auto& [name, member] : value.dict()) {
      if (equal(name, key)) return member;
    }
    return undefined(concat("'", value.type_name(), "' has no attribute '", key.str().text(), "'"));
  }
  if (key.is<std::int64_t>() || key.is<bool>()) {
    const std::int64_t index = key.integer();
    const auto pick = [&](std::int64_t size) { return index < 0 ? index + size : index; };
    if (value.is<ListRef>()) {
      const std::int64_t at = pick(static_cast<std::int64_t>(value.list().size()));
      if (at >= 0 && at < static_cast<std::int64_t>(value.list().size())) {
        return value.list()[static_cast<std::size_t>(at)];
      }
      return undefined(concat(value.type_name(), " has no element ", index));
    }
    if (value.is<Text>()) {
      const Text& text = value.get<Text>();
      const auto places = code_point_offsets(text.view());
      const std::int64_t at = pick(static_cast<std::int64_t>(places.size()) - 1);
      if (at >= 0 && at + 1 < static_cast<std::int64_t>(places.size())) {
        const auto i = static_cast<std::size_t>(at);
        return text.substr(places[i], places[i + 1] - places[i]);
      }
      return undefined(concat(value.type_name(), " has no element ", index));
    }
  }
  return undefined(concat("'", value.type_name(), "' has no attribute '", key.str().text(), "'"));
}

Value attribute_of(const Value& value, const std::string& name, Budget& budget) {
  defined(value);
  if (value.is<DictRef>()) {
    if (!value.get<DictRef>().is_namespace) {
      // As Jinja: methods first, then members.
      const Value method = dict_method(value, name);
      if (!method.is<Undefined>()) return method;
    }
    if (const Value* found = value.find(name)) return *found;
  }
  if (value.is<Text>()) {
    const Value method = text_method(value.get<Text>(), name, budget);
    if (!method.is<Undefined>()) return method;
  }
  if (value.is<ListRef>()) {
    const bool digits = !name.empty() && name.find_first_not_of("0123456789") == name.npos;
    if (digits && name.size() < 10)
      return item_of(value, static_cast<std::int64_t>(std::stoll(name)));
    if (name == "count" || name == "index") {
      return bound(name, [value, name](const Arguments& a) -> Value {
        if (a.positional.empty()) raise(name + " takes a value");
        std::int64_t count = 0;
        for (std::size_t i = 0; i < value.list().size(); ++i) {
          if (!equal(value.list()[i], a.positional[0])) continue;
          if (name == "index") return static_cast<std::int64_t>(i);
          ++count;
        }
        if (name == "index") raise("the value is not in the list");
        return count;
      });
    }
  }
  return undefined(concat("'", value.type_name(), "' has no attribute '", name, "'"));
}

Value slice_of(const Value& value, const Value& begin, const Value& end, const Value& step,
               Budget& budget) {
  defined(value);
  if (!value.is<Text>() && !value.is<ListRef>()) {
    raise(concat("'", value.type_name(), "' cannot be sliced"));
  }
  const List items = items_of(value, budget);
  const auto size = static_cast<std::int64_t>(items.size());
  const auto given = [](const Value& bound_value, std::int64_t otherwise) {
    if (bound_value.is<None>()) return otherwise;
    if (!bound_value.is<std::int64_t>() && !bound_value.is<bool>()) {
      raise("slice indices must be integers or None");
    }
    return bound_value.integer();
  };
  const std::int64_t stride = given(step, 1);
  if (stride == 0) raise("slice step cannot be zero");
  const std::int64_t low = stride > 0 ? 0 : -1, high = stride > 0 ? size : size - 1;
  const auto clamp = [&](const Value& bound_value, std::int64_t otherwise) {
    if (bound_value.is<None>()) return otherwise;
    std::int64_t at = given(bound_value, 0);
    if (at < 0) at += size;
    return std::clamp(at, low, high);
  };
  const std::int64_t first = clamp(begin, stride > 0 ? low : high);
  const std::int64_t last = clamp(end, stride > 0 ? high : low);
  List some;
  for (std::int64_t i = first; stride > 0 ? i < last : i > last;) {
    some.push_back(items[static_cast<std::size_t>(i)]);
    if (__builtin_add_overflow(i, stride, &i)) break;
  }
  if (value.is<ListRef>()) return some;
  Text out;
  for (const Value& part : some) out.append(part.get<Text>());
  return out;
}

Value binary(const std::string& sign, const Value& a, const Value& b, Budget& budget) {
  if (sign == "~") {
    Text out = a.str();
    const Text right = b.str();
    budget.bytes(out.size() + right.size());
    out.append(right);
    return out;
  }
  defined(a);
  defined(b);
  if (a.is_number() && b.is_number()) {
    if (a.is<double>() || b.is<double>()) return float_operation(sign, a.number(), b.number());
    return integer_operation(sign, a.integer(), b.integer());
  }
  if (sign == "+" && a.is<Text>() && b.is<Text>()) {
    budget.bytes(a.get<Text>().size() + b.get<Text>().size());
    Text out = a.get<Text>();
    out.append(b.get<Text>());
    return out;
  }
  if (sign == "+" && a.is<ListRef>() && b.is<ListRef>()) {
    budget.bytes((a.list().size() + b.list().size()) * sizeof(Value));
    List out = a.list();
    out.insert(out.end(), b.list().begin(), b.list().end());
    return out;
  }
  if (sign == "*") {
    const bool left = a.is<Text>() || a.is<ListRef>();
    const Value& what = left ? a : b;
    const Value& count = left ? b : a;
    if ((what.is<Text>() || what.is<ListRef>()) && count.is<std::int64_t>()) {
      return repeated(what, count.integer(), budget);
    }
  }
  if (sign == "%" && a.is<Text>()) {
    Arguments arguments;
    arguments.positional = b.is<ListRef>() ? b.list() : List{b};
    return format(a.get<Text>(), arguments, budget);
  }
  const auto name = [](const Value& v) {
    std::string type = v.type_name();
    return v.is<None>() ? "NoneType" : type.substr(0, type.find(' '));
  };
  if (sign == "+" && a.is<Text>()) {
    raise(concat("can only concatenate str (not \"", name(b), "\") to str"));
  }
  raise(concat("unsupported operand type(s) for ", sign, ": '", name(a), "' and '", name(b), "'"));
}

bool contains(const Value& container, const Value& item) {
  if (container.is<Undefined>()) return false;
  if (container.is<Text>()) {
    return container.get<Text>().view().find(text_of(item, "in").view()) != std::string_view::npos;
  }
  if (container.is<ListRef>()) {
    return std::any_of(container.list().begin(), container.list().end(),
                       [&](const Value& other) { return equal(other, item); });
  }
  if (container.is<DictRef>()) {
    return std::any_of(container.dict().begin(), container.dict().end(),
                       [&](const auto& member) { return equal(member.first, item); });
  }
  raise(concat("argument of type '", container.type_name(), "' is not iterable"));
}

bool compares(const std::string& sign, const Value& a, const Value& b) {
  if (sign == "==") return equal(a, b);
  if (sign == "!=") return !equal(a, b);
  if (sign == "in") return contains(b, a);
  if (sign == "not in") return !contains(b, a);
  bool comparable = true;
  const int order = compare(defined(a), defined(b), comparable);
  if (!comparable) {
    raise(concat("'", sign, "' not supported between instances of '", a.type_name(), "' and '",
                 b.type_name(), "'"));
  }
  if (sign == "<") return order < 0;
  if (sign == ">") return order > 0;
  return sign == "<=" ? order <= 0 : order >= 0;
}

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

Value global(const std::string& name, Budget& budget) {
  if (name == "range") {
    return bound(name, [&budget](const Arguments& a) -> Value {
      if (a.positional.empty() || a.positional.size() > 3)
        raise("range takes one to three numbers");
      const bool bounded = a.positional.size() > 1;
      std::int64_t at = bounded ? integer_argument(a, 0, "start", 0) : 0;
      const std::int64_t end = integer_argument(a, bounded ? 1 : 0, "stop", 0);
      const std::int64_t step = integer_argument(a, 2, "step", 1);
      if (step == 0) raise("range() arg 3 must not be zero");
      List numbers;
      while (step > 0 ? at < end : at > end) {
        budget.bytes(sizeof(Value));
        numbers.emplace_back(at);
        if (__builtin_add_overflow(at, step, &at)) break;
      }
      return numbers;
    });
  }
  if (name == "dict" || name == "namespace") {
    return bound(name, [name](const Arguments& a) -> Value {
      Dict members;
      if (!a.positional.empty() && a.positional[0].is<DictRef>()) members = a.positional[0].dict();
      for (const auto& [key, value] : a.named) members.emplace_back(Text(key, false), value);
      return DictRef{std::make_shared<Dict>(std::move(members)), name == "namespace"};
    });
  }
  if (name == "raise_exception") {
    return bound(name, [](const Arguments& a) -> Value {
      raise(a.positional.empty() ? "" : a.positional[0].str().text());
    });
  }
  if (name == "strftime_now") {
    return bound(name, [](const Arguments& a) -> Value {
      if (a.positional.empty()) raise("strftime_now takes a format");
      return plain(now_as(a.positional[0].str().text()));
    });
  }
  return undefined(concat("'", name, "' is undefined"));
}

}  // namespace llmctl::jinja
