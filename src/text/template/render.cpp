#include "text/template/render.h"

#include <map>
#include <memory>
#include <optional>

#include "base/error.h"
#include "text/template/builtins.h"
#include "text/template/lexer.h"

namespace llmctl::jinja {
namespace {

constexpr int kMaxCalls = 50, kMaxRenderDepth = 1200;

/// Names of one level; reading goes outwards.
struct Scope {
  std::shared_ptr<Scope> outer;
  std::map<std::string, Value, std::less<>> names;
};

enum class Flow { kNext, kBreak, kContinue };

class Renderer {
 public:
  explicit Renderer(const Dict& variables) : scope_(std::make_shared<Scope>()) {
    for (const auto& [name, value] : variables) scope_->names[name.str().text()] = value;
  }

  Rendered run(const Block& block) {
    Rendered result;
    generations_ = &result.generations;
    write(block, result.text);
    return result;
  }

 private:
  /// A new level, for as long as it lives.
  class Level {
   public:
    Level(Renderer& renderer, std::shared_ptr<Scope> outer)
        : renderer_(renderer), before_(renderer.scope_) {
      renderer.scope_ = std::make_shared<Scope>();
      renderer.scope_->outer = std::move(outer);
    }
    ~Level() { renderer_.scope_ = before_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Renderer& renderer_;
    std::shared_ptr<Scope> before_;
  };

  /// Counts how deep blocks and expressions are in one another, macro calls included.
  struct Depth {
    explicit Depth(Renderer& renderer) : renderer_(renderer) {
      if (++renderer_.depth_ > kMaxRenderDepth) {
        --renderer_.depth_;
        raise("nested too deep");
      }
    }
    ~Depth() { --renderer_.depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;
    Renderer& renderer_;
  };

  void put(Text& out, const Text& text) {
    if (out.size() + text.size() > Budget::kOutput) {
      raise(concat("an output of more than ", Budget::kOutput >> 20, " MB"));
    }
    out.append(text);
  }

  Flow write(const Block& block, Text& out) {
    const Depth depth(*this);
    for (const Statement& statement : block) {
      Flow flow = Flow::kNext;
      try {
        budget_.step();
        flow = write(statement, out);
      } catch (const Raised& raised) {
        template_error(statement.line, raised.message);
      }
      if (flow != Flow::kNext) return flow;
    }
    return Flow::kNext;
  }

  Flow write(const Statement& statement, Text& out) {
    switch (statement.kind) {
      case Statement::Kind::kText:
        put(out, Text(statement.text, '\0'));
        return Flow::kNext;
      case Statement::Kind::kPrint:
        put(out, value(*statement.expressions[0]).str());
        return Flow::kNext;
      case Statement::Kind::kIf:
        return write_if(statement, out);
      case Statement::Kind::kFor:
        return write_for(statement, out);
      case Statement::Kind::kSet:
        set(statement);
        return Flow::kNext;
      case Statement::Kind::kSetBlock: {
        Value text = written(statement.blocks[0]);
        if (!statement.expressions.empty()) text = filtered(*statement.expressions[0], text);
        scope_->names[statement.names[0]] = text;
        return Flow::kNext;
      }
      case Statement::Kind::kFilter:
        put(out, filtered(*statement.expressions[0], written(statement.blocks[0])).str());
        return Flow::kNext;
      case Statement::Kind::kMacro:
        scope_->names[statement.name] = macro(statement);
        return Flow::kNext;
      case Statement::Kind::kWith: {
        std::vector<Value> values;
        for (const auto& expression : statement.expressions) values.push_back(value(*expression));
        const Level level(*this, scope_);
        for (std::size_t i = 0; i < values.size(); ++i) {
          scope_->names[statement.names[i]] = values[i];
        }
        return write(statement.blocks[0], out);
      }
      case Statement::Kind::kGeneration: {
        const std::size_t begin = out.size();
        const Flow flow = write(statement.blocks[0], out);
        // What is written into a variable or macro has no place in the text yet.
        if (nested_ == 0) generations_->push_back({begin, out.size()});
        return flow;
      }
      case Statement::Kind::kBreak:
        return Flow::kBreak;
      case Statement::Kind::kContinue:
        return Flow::kContinue;
    }
    return Flow::kNext;
  }

  Flow write_if(const Statement& statement, Text& out) {
    for (std::size_t i = 0; i < statement.blocks.size(); ++i) {
      if (i >= statement.expressions.size() || value(*statement.expressions[i]).truth()) {
        return write(statement.blocks[i], out);
      }
    }
    return Flow::kNext;
  }

  /// What a block writes, as a value.
  Value written(const Block& block) {
    const Level level(*this, scope_);
    Text text;
    ++nested_;
    write(block, text);
    --nested_;
    return text;
  }

  void bind(const std::vector<std::string>& names, const Value& item) {
    if (names.size() == 1) {
      scope_->names[names[0]] = item;
      return;
    }
    const List parts = items_of(item, budget_);
    if (parts.size() != names.size()) {
      raise(concat("expected ", names.size(), " values to unpack, got ", parts.size()));
    }
    for (std::size_t i = 0; i < names.size(); ++i) scope_->names[names[i]] = parts[i];
  }

  void set(const Statement& statement) {
    const Value item = value(*statement.expressions[0]);
    if (statement.name.empty()) return bind(statement.names, item);
    const Value target = look_up(statement.names[0]);
    if (!target.is<DictRef>() || !target.get<DictRef>().is_namespace) {
      raise("cannot assign attribute on non-namespace object");
    }
    item.depth_inside();
    Dict& members = *target.get<DictRef>().dict;
    for (auto& [name, member] : members) {
      if (name.is<Text>() && name.get<Text>().view() == statement.name) {
        member = item;
        return;
      }
    }
    budget_.bytes(sizeof(Value) * 2);
    members.emplace_back(Text(statement.name, '\0'), item);
  }

  Value loop_value(const List& items, std::size_t i) {
    const auto number = [](std::size_t n) { return static_cast<std::int64_t>(n); };
    Dict loop;
    const auto put_member = [&](const char* name, Value member) {
      loop.emplace_back(name, std::move(member));
    };
    put_member("index", number(i + 1));
    put_member("index0", number(i));
    put_member("revindex", number(items.size() - i));
    put_member("revindex0", number(items.size() - i - 1));
    put_member("first", i == 0);
    put_member("last", i + 1 == items.size());
    put_member("length", number(items.size()));
    if (i > 0) put_member("previtem", items[i - 1]);
    if (i + 1 < items.size()) put_member("nextitem", items[i + 1]);
    return loop;
  }

  Flow write_for(const Statement& statement, Text& out) {
    List items = items_of(value(*statement.expressions[0]), budget_);
    if (statement.expressions.size() > 1) {
      List chosen;
      for (const Value& item : items) {
        budget_.step();
        const Level level(*this, scope_);
        bind(statement.names, item);
        if (value(*statement.expressions[1]).truth()) chosen.push_back(item);
      }
      items = std::move(chosen);
    }
    if (items.empty() && statement.blocks.size() > 1) {
      const Level level(*this, scope_);
      return write(statement.blocks[1], out);
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      budget_.step();
      const Level level(*this, scope_);
      if (statement.uses_loop) scope_->names["loop"] = loop_value(items, i);
      bind(statement.names, items[i]);
      if (write(statement.blocks[0], out) == Flow::kBreak) break;
    }
    return Flow::kNext;
  }

  Value macro(const Statement& statement) {
    // A macro sees what stands outside of it; held weakly, for the scope holds the macro.
    const std::weak_ptr<Scope> outside = scope_;
    return FunctionRef{std::make_shared<Function>(
                           [this, &statement, outside](const Arguments& arguments) -> Value {
                             if (calls_ >= kMaxCalls)
                               raise(concat("macros called deeper than ", kMaxCalls));
                             ++calls_;
                             ++nested_;
                             Text text;
                             {
                               const Level level(*this, outside.lock());
                               bind_parameters(statement, arguments);
                               write(statement.blocks[0], text);
                             }
                             --nested_;
                             --calls_;
                             return text;
                           }),
                       statement.name};
  }

  void bind_parameters(const Statement& statement, const Arguments& arguments) {
    if (arguments.positional.size() > statement.parameters.size()) {
      raise(concat("macro '", statement.name, "' takes not more than ", statement.parameters.size(),
                   " argument(s)"));
    }
    for (std::size_t i = 0; i < statement.parameters.size(); ++i) {
      const Parameter& parameter = statement.parameters[i];
      Value item = Undefined{concat("parameter '", parameter.name, "' was not provided")};
      if (i < arguments.positional.size()) {
        item = arguments.positional[i];
      } else {
        bool given = false;
        for (const auto& [name, argument] : arguments.named) {
          if (name != parameter.name) continue;
          item = argument;
          given = true;
        }
        if (!given && parameter.otherwise) item = value(*parameter.otherwise);
      }
      scope_->names[parameter.name] = item;
    }
    for (const auto& [name, argument] : arguments.named) {
      if (!scope_->names.contains(name)) {
        raise(concat("macro '", statement.name, "' takes no keyword argument '", name, "'"));
      }
    }
  }

  // --- expressions ---

  Value look_up(const std::string& name) {
    for (const Scope* level = scope_.get(); level != nullptr; level = level->outer.get()) {
      const auto found = level->names.find(name);
      if (found != level->names.end()) return found->second;
    }
    return global(name, budget_);
  }

  Arguments arguments_of(const CallArguments& given) {
    Arguments arguments;
    for (const auto& argument : given.positional) arguments.positional.push_back(value(*argument));
    for (const auto& [name, argument] : given.named) {
      arguments.named.emplace_back(name, value(*argument));
    }
    return arguments;
  }

  /// A chain of filters whose innermost operand is missing: that is `inner`.
  Value filtered(const Expression& expression, const Value& inner) {
    const Value operand = expression.operands[0] ? filtered(*expression.operands[0], inner) : inner;
    return filter(expression, operand);
  }

  Value filter(const Expression& expression, const Value& operand) {
    if (!has_filter(expression.name)) {
      raise(concat("No filter named '", expression.name, "'."));
    }
    return apply_filter(expression.name, operand, arguments_of(expression.arguments), budget_);
  }

  Value value(const Expression& expression) {
    const Depth depth(*this);
    budget_.step();
    const auto operand = [&](std::size_t i) { return value(*expression.operands[i]); };
    switch (expression.kind) {
      case Expression::Kind::kLiteral:
        return expression.value;
      case Expression::Kind::kName:
        return look_up(expression.name);
      case Expression::Kind::kList: {
        List list;
        for (std::size_t i = 0; i < expression.operands.size(); ++i) list.push_back(operand(i));
        budget_.bytes(list.size() * sizeof(Value));
        return list;
      }
      case Expression::Kind::kDict: {
        Dict dict;
        for (std::size_t i = 0; i + 1 < expression.operands.size(); i += 2) {
          const Value key = operand(i);
          Value item = operand(i + 1);
          bool known = false;
          for (auto& [name, member] : dict) {
            if (!equal(name, key)) continue;
            member = item;
            known = true;
          }
          if (!known) dict.emplace_back(key, std::move(item));
        }
        budget_.bytes(dict.size() * 2 * sizeof(Value));
        return dict;
      }
      case Expression::Kind::kAttribute:
        return attribute(expression, operand(0));
      case Expression::Kind::kItem:
        return item_of(operand(0), operand(1));
      case Expression::Kind::kSlice: {
        const auto bound = [&](std::size_t i) {
          return expression.operands[i] ? operand(i) : Value();
        };
        return slice_of(operand(0), bound(1), bound(2), bound(3), budget_);
      }
      case Expression::Kind::kCall: {
        const Value function = operand(0);
        if (!function.is<FunctionRef>()) {
          defined(function);
          raise(concat("'", function.type_name(), "' is not callable"));
        }
        return (*function.get<FunctionRef>().function)(arguments_of(expression.arguments));
      }
      case Expression::Kind::kFilter:
        return filter(expression, operand(0));
      case Expression::Kind::kTest:
        if (!has_test(expression.name)) raise(concat("No test named '", expression.name, "'."));
        return apply_test(expression.name, operand(0), arguments_of(expression.arguments), budget_);
      case Expression::Kind::kUnary:
        return unary(expression.name, operand(0));
      case Expression::Kind::kBinary: {
        const Value left = operand(0);
        if (expression.name == "and") return left.truth() ? operand(1) : left;
        if (expression.name == "or") return left.truth() ? left : operand(1);
        return binary(expression.name, left, operand(1), budget_);
      }
      case Expression::Kind::kCompare: {
        Value left = operand(0);
        for (std::size_t i = 0; i < expression.operators.size(); ++i) {
          Value right = operand(i + 1);
          if (!compares(expression.operators[i], left, right)) return false;
          left = std::move(right);
        }
        return true;
      }
      case Expression::Kind::kConditional:
        if (operand(1).truth()) return operand(0);
        if (expression.operands[2]) return operand(2);
        return Undefined{
            "the inline if-expression evaluated to false and no else section was defined."};
    }
    return {};
  }

  Value attribute(const Expression& expression, const Value& object) {
    if (expression.name == "cycle" && object.find("revindex0") != nullptr) {
      // loop.cycle: the argument whose turn it is.
      const std::int64_t turn = object.find("index0")->integer();
      return FunctionRef{std::make_shared<Function>([turn](const Arguments& arguments) -> Value {
                           if (arguments.positional.empty()) raise("no items for cycling given");
                           const auto count = arguments.positional.size();
                           return arguments.positional[static_cast<std::size_t>(turn) % count];
                         }),
                         "cycle"};
    }
    return attribute_of(object, expression.name, budget_);
  }

  Value unary(const std::string& sign, const Value& operand) {
    if (sign == "not") return !operand.truth();
    defined(operand);
    if (!operand.is_number()) {
      raise(concat("bad operand type for unary ", sign, ": '", operand.type_name(), "'"));
    }
    return binary(sign, 0, operand, budget_);
  }

  std::shared_ptr<Scope> scope_;
  Budget budget_;
  std::vector<ByteSpan>* generations_ = nullptr;
  int calls_ = 0, nested_ = 0, depth_ = 0;
};

}  // namespace

Rendered render(const Block& block, const Dict& variables) {
  return Renderer(variables).run(block);
}

}  // namespace llmctl::jinja
