#include "text/grammar/json_schema.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "text/grammar/json_numbers.h"
#include "text/grammar/json_text.h"
#include "text/grammar/regex_syntax.h"
#include "text/grammar/schema_keywords.h"

namespace llmctl::grammar {
namespace {

constexpr int kDeepestSchema = 200;
constexpr int kMostItems = 100'000;
constexpr double kGreatestBound = 1e18;

constexpr const char* kDate =
    "[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|"
    "02-(0[1-9]|1[0-9]|2[0-8]))|"
    "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29";
constexpr const char* kTime =
    "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?"
    "([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
constexpr const char* kUuid =
    "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";

class SchemaReader {
 public:
  SchemaReader(const Json& schema, const std::string& source, const JsonStyle& style)
      : document_(schema, source), text_(grammar_, style.most_space) {}

  Grammar read() {
    grammar_.root = referenced("#", "");
    return std::move(grammar_);
  }

 private:
  /// The rule of the schema at a reference.
  std::size_t referenced(const std::string& reference, const std::string& path) {
    const auto found = rules_.find(reference);
    if (found != rules_.end()) return found->second;
    const Json& schema = document_.at(reference, path);
    const std::size_t index = grammar_.add(reference);
    rules_[reference] = index;
    Expr expr = read_schema(schema, reference);
    grammar_.rules[index].expr = std::move(expr);
    return index;
  }

  Expr read_schema(const Json& schema, const std::string& path) {
    if (++depth_ > kDeepestSchema) {
      document_.refuse(path, "schemas are nested deeper than ", kDeepestSchema, " levels");
    }
    Expr expr = read_any(schema, path);
    --depth_;
    return expr;
  }

  Expr read_any(const Json& schema, const std::string& path) {
    document_.check(schema, path);
    if (schema == false) return never();
    if (says_nothing(schema)) return text_.value();
    // A reference alone is its rule, so that schemas may hold themselves.
    if (says_nothing(schema, "$ref")) return rule(referenced(schema["$ref"], path));
    if (says_nothing(schema, "allOf") && schema["allOf"].size() == 1) {
      return read_schema(schema["allOf"][0], path + "/allOf/0");
    }
    if (schema.contains("$ref") || schema.contains("allOf")) {
      return read_schema(document_.flat(schema, path), path);
    }
    for (const char* key : {"anyOf", "oneOf"}) {
      if (schema.contains(key)) return read_alternatives(schema, key, path);
    }
    const Json values = values_of(schema);
    if (values.is_array()) return read_values(schema, values, path);
    const std::vector<std::string> types = types_of(schema);
    if (types.empty()) return text_.value();
    std::vector<Expr> parts;
    for (const std::string& type : types) parts.push_back(read_type(type, schema, path));
    return choice(std::move(parts));
  }

  Expr read_alternatives(const Json& schema, const std::string& key, const std::string& path) {
    Json rest = schema;
    rest.erase(key);
    const bool alone = says_nothing(rest);
    std::vector<Json> all;
    for (const Json& member : schema[key]) {
      all.push_back(alone ? member : document_.merged(rest, document_.flat(member, path), path));
    }
    for (std::size_t i = 0; key == "oneOf" && i < all.size(); ++i) {
      for (std::size_t j = i + 1; j < all.size(); ++j) {
        if (document_.apart(all[i], all[j], path)) continue;
        document_.refuse(path, "a value may satisfy both member ", i, " and member ", j,
                         " of \"oneOf\"; use \"anyOf\"");
      }
    }
    std::vector<Expr> parts;
    for (std::size_t i = 0; i < all.size(); ++i) {
      parts.push_back(read_schema(all[i], concat(path, "/", key, "/", i)));
    }
    return choice(std::move(parts));
  }

  Expr read_values(const Json& schema, const Json& values, const std::string& path) {
    for (const auto& [key, value] : schema.items()) {
      if (is_annotation(key) || key == "enum" || key == "const" || key == "type") continue;
      document_.refuse(path, "\"", key, "\" beside constants is not done");
    }
    const std::vector<std::string> types = types_of(schema);
    std::vector<std::string> texts;
    std::vector<Expr> parts;
    for (const Json& value : values) {
      const std::string type = type_of(value);
      const bool allowed =
          types.empty() || std::any_of(types.begin(), types.end(), [&](const std::string& one) {
            return one == type || (one == "number" && type == "integer");
          });
      if (!allowed) continue;
      if (value.is_structured()) {
        parts.push_back(text_.value_of(value));
      } else {
        texts.push_back(dump_json(value));
      }
    }
    if (!texts.empty()) parts.push_back(one_of(texts));
    return choice(std::move(parts));
  }

  Expr read_type(const std::string& type, const Json& schema, const std::string& path) {
    if (type == "object") return read_object(schema, path);
    if (type == "array") return read_array(schema, path);
    if (type == "string") return read_string(schema, path);
    if (type == "number" || type == "integer") return read_number(schema, type, path);
    if (type == "boolean") return text_.boolean();
    return bytes("null");
  }

  /// A count; `otherwise` where the schema has none.
  int count(const Json& schema, const char* key, int otherwise, const std::string& path) const {
    if (!schema.contains(key)) return otherwise;
    const double value = schema[key].get<double>();
    if (value > kMostItems || value != std::floor(value)) {
      document_.refuse(path, "\"", key, "\": expected a whole number up to ", kMostItems, ", got ",
                       dump_json(schema[key]));
    }
    return static_cast<int>(value);
  }

  Expr read_string(const Json& schema, const std::string& path) {
    const int least = count(schema, "minLength", 0, path);
    const int most = count(schema, "maxLength", kUnbounded, path);
    const bool lengths = schema.contains("minLength") || schema.contains("maxLength");
    const bool pattern = schema.contains("pattern"), format = schema.contains("format");
    if (lengths + pattern + format > 1) {
      document_.refuse(path, "\"", pattern ? "pattern" : "format", "\" together with ",
                       lengths ? "lengths" : "\"format\"", " is not done");
    }
    if (pattern) {
      return text_.string_of(parse_regex(schema["pattern"].get<std::string>(),
                                         document_.source() + path + "/pattern",
                                         RegexMatch::kAnywhere));
    }
    if (format) return read_format(schema["format"], path);
    if (!lengths) return text_.string();
    if (most != kUnbounded && most < least) return never();
    return sequence({bytes("\""), repeat(text_.string_char(), least, most), bytes("\"")});
  }

  Expr read_format(const std::string& format, const std::string& path) {
    const std::string date_time = concat("(", kDate, ")[Tt]", kTime);
    const std::map<std::string, std::string> known = {
        {"date", kDate}, {"time", kTime}, {"date-time", date_time}, {"uuid", kUuid}};
    const auto found = known.find(format);
    if (found == known.end()) {
      document_.refuse(path, "format \"", format,
                       "\" is not done, only date, time, date-time and uuid; use \"pattern\"");
    }
    return text_.string_of(parse_regex(found->second, "format"));
  }

  Expr read_number(const Json& schema, const std::string& type, const std::string& path) {
    const bool whole = type == "integer";
    if (schema.contains("multipleOf") && !(whole && schema["multipleOf"] == 1)) {
      document_.refuse(path, "\"multipleOf\" is not done");
    }
    NumberBounds bounds;
    std::optional<double> least, most;
    const auto tighten = [&](const char* key, std::optional<double>& bound, bool& outside,
                             bool lower) {
      if (!schema.contains(key)) return;
      const bool exclusive = std::string_view(key).starts_with("exclusive");
      if (schema[key].is_boolean()) {  // as of draft 4: the bound beside it is exclusive
        outside = outside || (schema[key] == true && bound);
        return;
      }
      const double value = schema[key].get<double>();
      if (bound && (lower ? value < *bound : value > *bound)) return;
      outside = exclusive || (bound == value && outside);
      bound = value;
    };
    tighten("minimum", least, bounds.above_least, true);
    tighten("exclusiveMinimum", least, bounds.above_least, true);
    tighten("maximum", most, bounds.below_most, false);
    tighten("exclusiveMaximum", most, bounds.below_most, false);
    if (!least && !most) return whole ? text_.integer() : text_.number();
    const auto as_whole = [&](std::optional<double> bound, bool& outside, bool lower) {
      if (!bound) return std::optional<std::int64_t>();
      if (std::abs(*bound) > kGreatestBound) {
        document_.refuse(path, "bounds beyond 1e18 are not done");
      }
      double value = *bound;
      if (value != std::floor(value)) {
        if (!whole) document_.refuse(path, "bounds of numbers that are not whole are not done");
        value = lower ? std::ceil(value) : std::floor(value);
        outside = false;
      }
      return std::optional(static_cast<std::int64_t>(value));
    };
    bounds.least = as_whole(least, bounds.above_least, true);
    bounds.most = as_whole(most, bounds.below_most, false);
    return whole ? integers_within(bounds) : decimals_within(bounds);
  }

  Expr read_array(const Json& schema, const std::string& path) {
    if (schema.contains("uniqueItems") && schema["uniqueItems"] != false) {
      document_.refuse(path, "\"uniqueItems\" is not done");
    }
    // Before draft 2020-12 "items" was a list, and what followed it "additionalItems".
    const bool old = schema.contains("items") && schema["items"].is_array();
    const Json first = schema.value(old ? "items" : "prefixItems", Json::array());
    const char* further = old ? "additionalItems" : "items";
    const int least = count(schema, "minItems", 0, path);
    const int most = count(schema, "maxItems", kUnbounded, path);
    const auto fixed = static_cast<int>(first.size());
    Json rest = schema.value(further, Json(true));
    if (!schema.contains(further) && fixed > 0 && least <= fixed) rest = false;
    const std::string items_path = path + "/" + further;
    if (fixed == 0) {
      Expr item = read_schema(rest, items_path);
      if (most != kUnbounded && most < least) return never();
      return text_.list("[", as_rule(items_path, std::move(item)), least, most, "]");
    }
    // From the last to the first: each with what follows it.
    Expr tail = further_items(read_schema(rest, items_path), {fixed, least, most}, items_path);
    for (int i = fixed - 1; i >= 0; --i) {
      Expr item = read_schema(first[static_cast<std::size_t>(i)],
                              concat(path, old ? "/items/" : "/prefixItems/", i));
      std::vector<Expr> parts;
      if (i > 0) parts.push_back(text_.comma());
      parts.push_back(std::move(item));
      parts.push_back(std::move(tail));
      tail = sequence(std::move(parts));
      if (most != kUnbounded && i >= most) {
        tail = i < least ? never() : Expr{};
      } else if (i >= least) {
        tail = optional(std::move(tail));
      }
    }
    return sequence({bytes("["), text_.space(), std::move(tail), bytes("]")});
  }

  struct ItemCounts {
    int before, least, most;
  };
  /// Items behind `before` others, and the space before the bracket.
  Expr further_items(Expr item, const ItemCounts& counts, const std::string& path) {
    const int least = std::max(counts.least - counts.before, 0);
    const int most =
        counts.most == kUnbounded ? kUnbounded : std::max(counts.most - counts.before, 0);
    if (most != kUnbounded && most < least) return never();
    std::vector<Expr> one = {text_.comma(), as_rule(path, std::move(item))};
    return sequence({repeat(sequence(std::move(one)), least, most), text_.space()});
  }

  Expr as_rule(const std::string& path, Expr expr) {
    return expr.kind == Expr::Kind::kRule ? expr : rule(grammar_.add(path, std::move(expr)));
  }

  Expr read_object(const Json& schema, const std::string& path) {
    const Json properties = schema.value("properties", Json::object());
    std::vector<std::string> names;
    for (const auto& [name, value] : properties.items()) names.push_back(name);
    std::vector<std::string> required;
    for (const Json& name : schema.value("required", Json::array())) required.push_back(name);
    for (const std::string& name : required) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    const int least = count(schema, "minProperties", 0, path);
    const int most = count(schema, "maxProperties", kUnbounded, path);
    const bool open = schema.value("additionalProperties", Json(names.empty())) != false;
    const Json further = schema.value("additionalProperties", Json(true));
    if (names.empty()) {
      if (!open) return least > 0 ? never() : text_.list("{", never(), 0, 0, "}");
      if (says_nothing(further) && least == 0 && most == kUnbounded) return text_.object();
      if (most != kUnbounded && most < least) return never();
      Expr member =
          text_.member(text_.string(), read_schema(further, path + "/additionalProperties"));
      return text_.list("{", as_rule(path + " member", std::move(member)), least, most, "}");
    }
    const auto fewest = static_cast<int>(required.size());
    const bool bounded = most != kUnbounded && (open || static_cast<int>(names.size()) > most);
    if (least > fewest || bounded) {
      document_.refuse(path,
                       "\"minProperties\" and \"maxProperties\" of objects with named "
                       "properties are not done");
    }
    std::vector<Member> members;
    for (const std::string& name : names) {
      const bool named = properties.contains(name);
      Expr value = read_schema(named ? properties[name] : further,
                               path + (named ? "/properties/" + name : "/additionalProperties"));
      Expr member = text_.member(bytes(dump_json(Json(name))), std::move(value));
      const bool is_required = std::find(required.begin(), required.end(), name) != required.end();
      members.push_back({as_rule(path + "/properties/" + name, std::move(member)), is_required});
    }
    Expr other = never();
    if (open) {
      other = as_rule(path + "/additionalProperties",
                      text_.member(text_.string_except(names),
                                   read_schema(further, path + "/additionalProperties")));
    }
    return sequence(
        {bytes("{"), text_.space(), members_in_order(members, other, path), bytes("}")});
  }

  struct Member {
    Expr expr;
    bool required;
  };
  /// Members in their order, those that are not required at will, then others; with the commas
  /// between them, and space behind the last.
  Expr members_in_order(const std::vector<Member>& members, const Expr& other,
                        const std::string& path) {
    // For what is left from each member on: behind another member, and as the first of all.
    std::vector<Expr> further = {text_.comma(), other};
    Expr more = sequence({repeat(sequence(further), 0, kUnbounded), text_.space()});
    Expr first = optional(sequence({other, more}));
    for (auto member = members.rbegin(); member != members.rend(); ++member) {
      const Expr rest = as_rule(path + " more", std::move(more));
      const Expr begin = sequence({member->expr, rest});
      std::vector<Expr> behind = {sequence({text_.comma(), begin})}, ahead = {begin};
      if (!member->required) {
        behind.push_back(rest);
        ahead.push_back(as_rule(path + " first", std::move(first)));
      }
      more = choice(std::move(behind));
      first = choice(std::move(ahead));
    }
    return first;
  }

  SchemaDocument document_;
  Grammar grammar_;
  JsonText text_;
  std::map<std::string, std::size_t> rules_;
  int depth_ = 0;
};

}  // namespace

Grammar parse_json_schema(const Json& schema, const std::string& source, const JsonStyle& style) {
  return SchemaReader(schema, source, style).read();
}

}  // namespace llmctl::grammar
