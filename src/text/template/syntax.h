// A template as a tree: statements that write, expressions that give values.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/template/value.h"

namespace llmctl::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
};

struct Expression {
  enum class Kind {
    kLiteral,     // value
    kName,        // name
    kList,        // operands
    kDict,        // operands: key, value, key, value, …
    kAttribute,   // operands[0].name
    kItem,        // operands[0][operands[1]]
    kSlice,       // operands[0][begin:end:step]; missing ones are null
    kCall,        // operands[0](arguments)
    kFilter,      // operands[0] | name(arguments)
    kTest,        // operands[0] is name(arguments)
    kUnary,       // name: "not", "-", "+"
    kBinary,      // name: the operator; "and" and "or" take the second operand when needed
    kCompare,     // operands and, between them, operators
    kConditional  // operands: then, condition, else (may be null)
  };
  Kind kind = Kind::kLiteral;
  int line = 0;
  Value value;
  std::string name;
  std::vector<ExpressionPtr> operands;
  std::vector<std::string> operators;
  CallArguments arguments;
};

struct Statement;
using Block = std::vector<Statement>;

/// A parameter of a macro, with its default if it has one.
struct Parameter {
  std::string name;
  ExpressionPtr otherwise;
};

struct Statement {
  enum class Kind {
    kText,        // text
    kPrint,       // expressions[0]
    kIf,          // expressions and blocks; one block more is else
    kFor,         // names in expressions[0] (if expressions[1]); blocks: body, else
    kSet,         // names = expressions[0]; name.names[0] with `name`
    kSetBlock,    // names[0] = what blocks[0] writes, filtered
    kFilter,      // what blocks[0] writes, filtered
    kMacro,       // name(parameters): blocks[0]
    kWith,        // names = expressions, for blocks[0]
    kGeneration,  // blocks[0] is the assistant's
    kBreak,
    kContinue
  };
  Kind kind = Kind::kText;
  int line = 0;
  bool uses_loop = false;  // kFor: "loop" is asked for somewhere inside
  std::string text, name;
  std::vector<std::string> names;
  std::vector<ExpressionPtr> expressions;  // filters of kFilter, kSetBlock: operands[0] is null
  std::vector<Block> blocks;
  std::vector<Parameter> parameters;
};

/// Parses a template under Hugging Face's settings: trim_blocks, lstrip_blocks, loop controls, and
/// the block "generation". kData, "chat template line N: what", for what is not supported.
Block parse_template(std::string_view source);

}  // namespace llmctl::jinja
