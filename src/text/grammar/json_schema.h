// JSON Schema as a grammar of the texts that satisfy it.
#pragma once

#include <string>

#include "config/json.h"
#include "text/grammar/grammar.h"

namespace llmctl::grammar {

struct JsonStyle {
  /// White space between the parts: none, one space, or a line break with up to so many spaces and
  /// tabs; 0: none at all.
  int most_space = 20;
};

/// Texts whose value satisfies the schema. Done are:
///   type (also a list), enum, const, anyOf, allOf (merged into one), oneOf (where it shows that no
///   value satisfies two of them), $ref within the document, with recursion
///   objects  properties, in the schema's order; required; additionalProperties; minProperties and
///            maxProperties of objects without named properties
///   arrays   items, prefixItems, minItems, maxItems
///   strings  minLength, maxLength, or pattern, or format (date, time, date-time, uuid)
///   numbers  minimum, maximum and both exclusive ones; of numbers that are not integers whole
///            bounds
/// Where a schema leaves open whether there is more, there is not: objects with properties have no
/// others unless additionalProperties is given, arrays with prefixItems end behind those. true, {}
/// and {"type": "object"} stand for any JSON. kData, "SOURCE#/path: what", for what is no schema
/// and for keywords that are not done, by name; descriptions are passed over.
Grammar parse_json_schema(const Json& schema, const std::string& source,
                          const JsonStyle& style = {});

}  // namespace llmctl::grammar
