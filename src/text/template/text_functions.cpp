#include "text/template/text_functions.h"

#include <utf8proc.h>
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/utf8.h"
#include "text/unicode.h"

namespace llmctl::jinja {

Value undefined(std::string message) {
  return Undefined{std::move(message)};
}

const Text& text_of(const Value& value, const char* what) {
  defined(value);
  if (!value.is<Text>()) raise(concat(what, ": expected a string, got ", value.type_name()));
  return value.get<Text>();
}

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

namespace {

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

}  // namespace

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

}  // namespace llmctl::jinja
