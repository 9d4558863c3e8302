#include "text/template/builtins.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "base/error.h"
#include "base/utf8.h"
#include "text/template/text_functions.h"
#include "text/unicode.h"

namespace llmctl::jinja {
namespace {

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
      for (const auto& [key, value] : a.named) members.emplace_back(Text(key, '\0'), value);
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
