// The templates behind fields.h: thin, so that users compile fast; fields.cpp does the work.
#pragma once

#include <utility>

#include "config/fields.h"

namespace llmctl::detail {

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class T>
struct IsMap<std::map<std::string, T>> : std::true_type {};

template <class T>
constexpr bool kIsScalar =
    std::is_same_v<T, bool> || std::is_same_v<T, std::int64_t> || std::is_same_v<T, double> ||
    std::is_same_v<T, std::string> || std::is_same_v<T, Json>;

void read_scalar(const ConfigNode& node, bool& out);
void read_scalar(const ConfigNode& node, std::int64_t& out);
void read_scalar(const ConfigNode& node, double& out);
void read_scalar(const ConfigNode& node, std::string& out);
void read_scalar(const ConfigNode& node, Json& out);

void check_limit(const ConfigNode& node, std::int64_t value, const Range<std::int64_t>& range);
void check_limit(const ConfigNode& node, double value, const Range<double>& range);
void check_limit(const ConfigNode& node, const std::string& value, const OneOf& allowed);
template <class T>
void check_limit(const ConfigNode&, const T&, Change) {}
template <class T>
void check_limit(const ConfigNode&, const T&, OneOrMore) {}
template <class T>
void check_limit(const ConfigNode&, const T&, Kinds) {}
/// Expands "~".
void check_limit(const ConfigNode& node, std::string& value, PathKey);

template <class Tag, class... Limits>
constexpr bool kHas = (std::is_same_v<Tag, Limits> || ...);

/// The Tag among the limits, else `otherwise`.
template <class Tag, class Default, class... Limits>
Default tag_or(Default otherwise, const Limits&... limits) {
  [[maybe_unused]] const auto take = [&](const auto& limit) {
    if constexpr (std::is_same_v<std::decay_t<decltype(limit)>, Tag>) otherwise = limit;
  };
  (take(limits), ...);
  return otherwise;
}

template <class T>
constexpr bool kHasShorthand = requires {
  T::kShorthand;
};

/// Throws unless the value is of the kind: "expected an object, got 3".
void expect_object(const ConfigNode& node);
void expect_array(const ConfigNode& node);
/// Throws for a key that is in neither list.
void refuse_unknown_keys(const ConfigNode& node, const std::vector<std::string>& known,
                         const std::vector<std::string>& also_allowed);

template <class T, class... Limits>
void read_value(const ConfigNode& node, T& out, const Limits&... limits) {
  if constexpr (kIsScalar<T>) {
    read_scalar(node, out);
    (check_limit(node, out, limits), ...);
  } else if constexpr (IsOptional<T>::value) {
    if (node.value().is_null()) {
      out.reset();
    } else {
      read_value(node, out.emplace(), limits...);
    }
  } else if constexpr (IsVector<T>::value) {
    out.clear();
    if constexpr (kHas<OneOrMore, Limits...>) {
      if (!node.value().is_array()) {
        typename T::value_type element{};
        read_value(node, element, limits...);
        out.push_back(std::move(element));
        return;
      }
    }
    expect_array(node);
    for (std::size_t i = 0; i < node.value().size(); ++i) {
      typename T::value_type element{};
      read_value(node.child(i), element, limits...);
      out.push_back(std::move(element));
    }
  } else if constexpr (IsMap<T>::value) {
    expect_object(node);
    out.clear();
    for (const auto& member : node.value().items()) {
      read_value(node.child(member.key()), out[member.key()], limits...);
    }
  } else if constexpr (kHasShorthand<T>) {
    if (node.value().is_object()) {
      read_config(node, out);
    } else {
      const Json object = {{T::kShorthand, node.value()}};
      read_config(node.with_value(&object), out);
    }
  } else {
    read_config(node, out);
  }
}

struct ReadVisitor {
  const ConfigNode& node;
  std::vector<std::string> known = {};

  template <class T, class... Limits>
  void operator()(const char* name, T& field, const char*, const Limits&... limits) {
    known.emplace_back(name);
    if (node.has(name)) read_value(node.child(name), field, limits...);
  }
};

template <class T>
Json value_to_json(const T& value) {
  if constexpr (kIsScalar<T>) {
    return value;
  } else if constexpr (IsVector<T>::value) {
    Json array = Json::array();
    for (const auto& element : value) array.push_back(value_to_json(element));
    return array;
  } else if constexpr (IsMap<T>::value) {
    Json object = Json::object();
    for (const auto& [key, element] : value) object[key] = value_to_json(element);
    return object;
  } else {
    return config_to_json(value);
  }
}

struct WriteVisitor {
  Json object = Json::object();

  template <class T, class... Limits>
  void operator()(const char* name, const T& field, const char*, const Limits&...) {
    if constexpr (IsOptional<T>::value) {
      if (field) object[name] = value_to_json(*field);
    } else {
      object[name] = value_to_json(field);
    }
  }
};

Json scalar_schema(const char* type);
void add_limit(Json& schema, const Range<std::int64_t>& range);
void add_limit(Json& schema, const Range<double>& range);
void add_limit(Json& schema, const OneOf& allowed);
inline void add_limit(Json&, Change) {}
inline void add_limit(Json&, PathKey) {}
inline void add_limit(Json&, OneOrMore) {}
void add_limit(Json& schema, Kinds kinds);
Json either_schema(Json one, Json other);
/// Of an object that may be written as one of its members.
Json shorthand_schema(Json object, const char* member);
Json nullable_schema(Json schema);
Json list_schema(Json element);
Json map_schema(Json element);

/// What documentation and schema call the type.
template <class T>
constexpr const char* scalar_type() {
  if constexpr (std::is_same_v<T, bool>) return "boolean";
  if constexpr (std::is_same_v<T, std::int64_t>) return "integer";
  if constexpr (std::is_same_v<T, double>) return "number";
  if constexpr (std::is_same_v<T, std::string>) return "string";
  return "";  // Json: anything
}

template <class T, class... Limits>
Json value_schema(const Limits&... limits) {
  if constexpr (kIsScalar<T>) {
    Json schema = scalar_schema(scalar_type<T>());
    (add_limit(schema, limits), ...);
    return schema;
  } else if constexpr (IsOptional<T>::value) {
    return nullable_schema(value_schema<typename T::value_type>(limits...));
  } else if constexpr (IsVector<T>::value) {
    const Json element = value_schema<typename T::value_type>(limits...);
    if constexpr (kHas<OneOrMore, Limits...>) return either_schema(element, list_schema(element));
    return list_schema(element);
  } else if constexpr (IsMap<T>::value) {
    return map_schema(value_schema<typename T::mapped_type>(limits...));
  } else if constexpr (kHasShorthand<T>) {
    return shorthand_schema(config_schema<T>(), T::kShorthand);
  } else {
    return config_schema<T>();
  }
}

/// Adds a property, with its help and default (null: none), to the schema of an object.
void add_property(Json& schema, const char* name, Json property, const char* help,
                  const Json& default_value);
Json empty_object_schema();

template <class T>
Json default_of(const T& field) {
  if constexpr (IsOptional<T>::value) {
    return field ? value_to_json(*field) : Json();
  } else if constexpr (kIsScalar<T> || IsVector<T>::value || IsMap<T>::value) {
    return value_to_json(field);
  } else {
    return Json();  // the members say theirs
  }
}

struct SchemaVisitor {
  Json schema = empty_object_schema();

  template <class T, class... Limits>
  void operator()(const char* name, const T& field, const char* help, const Limits&... limits) {
    add_property(schema, name, value_schema<T>(limits...), help, default_of(field));
  }
};

std::string limit_text(const Range<std::int64_t>& range);
std::string limit_text(const Range<double>& range);
std::string limit_text(const OneOf& allowed);
inline std::string limit_text(Change) {
  return "";
}
inline std::string limit_text(PathKey) {
  return "";
}
inline std::string limit_text(OneOrMore) {
  return "";
}
inline std::string limit_text(Kinds) {
  return "";
}

/// The type of what an object with a shorthand may be written as.
template <class T>
std::string shorthand_type();

template <class T, class... Limits>
std::string type_text() {
  if constexpr (std::is_same_v<T, Json>) {
    return "any";
  } else if constexpr (kIsScalar<T>) {
    return scalar_type<T>();
  } else if constexpr (IsOptional<T>::value) {
    return type_text<typename T::value_type>() + " or null";
  } else if constexpr (IsVector<T>::value) {
    const std::string element = type_text<typename T::value_type>();
    return (kHas<OneOrMore, Limits...> ? element + " or list of " : "list of ") + element;
  } else if constexpr (IsMap<T>::value) {
    return "map of " + type_text<typename T::mapped_type>();
  } else if constexpr (kHasShorthand<T>) {
    return shorthand_type<T>() + " or object";
  } else {
    return "object";
  }
}

/// Lines of the members of what a field holds, however deep; nothing for plain values.
template <class T>
void describe_members(const std::string& path, Change change, std::vector<FieldDoc>& docs);

struct DescribeVisitor {
  const std::string& prefix;
  Change change;  // of what holds the fields
  std::vector<FieldDoc>& docs;

  template <class T, class... Limits>
  void operator()(const char* name, const T& field, const char* help, const Limits&... limits) {
    const std::string path = prefix.empty() ? name : prefix + "." + name;
    const std::string type = type_text<T, Limits...>();
    FieldDoc doc{path, tag_or<Kinds>(Kinds{type.c_str()}, limits...).text, {}, help, {}, {}, {}};
    if (const Json value = default_of(field); !value.is_null())
      doc.default_value = dump_json(value);
    ((doc.limits += limit_text(limits)), ...);
    doc.change = tag_or<Change>(change, limits...);
    doc.file = tag_or<PathKey>(std::optional<PathKey>(), limits...);
    const Change own = doc.change;
    docs.push_back(std::move(doc));
    describe_members<T>(path, own, docs);
  }
};

template <class T>
void describe_members(const std::string& path, Change change, std::vector<FieldDoc>& docs) {
  if constexpr (kIsScalar<T>) {
    return;
  } else if constexpr (IsOptional<T>::value) {
    describe_members<typename T::value_type>(path, change, docs);
  } else if constexpr (IsVector<T>::value) {
    describe_members<typename T::value_type>(path + "[]", change, docs);
  } else if constexpr (IsMap<T>::value) {
    describe_members<typename T::mapped_type>(path + ".NAME", change, docs);
  } else {
    DescribeVisitor visitor{path, change, docs};
    const T defaults{};
    T::fields(defaults, visitor);
  }
}

template <class T>
std::string shorthand_type() {
  std::vector<FieldDoc> docs;
  describe_members<T>("", Change::kNever, docs);
  for (const FieldDoc& doc : docs) {
    if (doc.path == T::kShorthand) return doc.type;
  }
  return "";
}

}  // namespace llmctl::detail

namespace llmctl {

template <class T>
void read_config(const ConfigNode& node, T& out, const std::vector<std::string>& also_allowed) {
  detail::expect_object(node);
  detail::ReadVisitor visitor{node};
  T::fields(out, visitor);
  detail::refuse_unknown_keys(node, visitor.known, also_allowed);
  if constexpr (requires { std::as_const(out).validate(node); }) std::as_const(out).validate(node);
}

template <class T>
Json config_to_json(const T& config) {
  detail::WriteVisitor visitor;
  T::fields(config, visitor);
  return std::move(visitor.object);
}

template <class T>
Json config_schema() {
  detail::SchemaVisitor visitor;
  const T defaults{};
  T::fields(defaults, visitor);
  return std::move(visitor.schema);
}

template <class T>
std::vector<FieldDoc> describe_config(const std::string& prefix, Change change) {
  std::vector<FieldDoc> docs;
  detail::describe_members<T>(prefix, change, docs);
  return docs;
}

}  // namespace llmctl
