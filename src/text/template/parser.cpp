#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/error.h"
#include "text/template/lexer.h"
#include "text/template/syntax.h"

namespace llmctl::jinja {
namespace {

constexpr int kMaxNesting = 200;

using Kind = Expression::Kind;

class Parser {
 public:
  explicit Parser(std::string_view source) : tokens_(lex_template(source)) {}

  Block run() {
    Block block = statements({});
    if (now().kind != Token::Kind::kEof) unexpected();
    return block;
  }

 private:
  /// Bounds how deep the tree, and with it every walk over it, can be.
  struct Depth {
    explicit Depth(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kMaxNesting) parser_.error("nested too deep");
    }
    ~Depth() { --parser_.depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;
    Parser& parser_;
  };

  const Token& now() const { return tokens_[at_]; }
  [[noreturn]] void error(const std::string& what) const { template_error(now().line, what); }
  [[noreturn]] void unexpected() const {
    error(now().kind == Token::Kind::kEof ? "the template ends inside a block"
                                          : concat("unexpected '", now().text, "'"));
  }

  bool sees(Token::Kind kind, std::string_view text) const {
    return now().kind == kind && now().text == text;
  }
  bool sees_operator(std::string_view text) const { return sees(Token::Kind::kOperator, text); }
  bool sees_name(std::string_view text) const { return sees(Token::Kind::kName, text); }
  bool take_operator(std::string_view text) {
    if (!sees_operator(text)) return false;
    ++at_;
    return true;
  }
  bool take_name(std::string_view text) {
    if (!sees_name(text)) return false;
    ++at_;
    return true;
  }
  void expect_operator(std::string_view text) {
    if (!take_operator(text)) {
      error(concat("expected '", text, "', got '", now().text, "'"));
    }
  }
  std::string expect_name() {
    if (now().kind != Token::Kind::kName) error(concat("expected a name, got '", now().text, "'"));
    return tokens_[at_++].text;
  }
  void end_tag() {
    if (now().kind != Token::Kind::kEnd) unexpected();
    ++at_;
  }

  // --- statements ---

  /// Up to a tag that begins with one of the names, whose name is then next.
  Block statements(const std::vector<std::string_view>& ends) {
    const Depth depth(*this);
    Block block;
    while (now().kind != Token::Kind::kEof) {
      Statement statement;
      statement.line = now().line;
      if (now().kind == Token::Kind::kText) {
        statement.text = tokens_[at_++].text;
        block.push_back(std::move(statement));
        continue;
      }
      if (sees(Token::Kind::kBegin, "{{")) {
        ++at_;
        statement.kind = Statement::Kind::kPrint;
        statement.expressions.push_back(tuple());
        end_tag();
        block.push_back(std::move(statement));
        continue;
      }
      ++at_;
      if (now().kind != Token::Kind::kName) unexpected();
      if (std::find(ends.begin(), ends.end(), now().text) != ends.end()) return block;
      block.push_back(tag(std::move(statement)));
    }
    if (!ends.empty()) error(concat("the template ends before '", ends.back(), "'"));
    return block;
  }

  Statement tag(Statement statement) {
    const std::string name = expect_name();
    if (name == "if") return if_tag(std::move(statement));
    if (name == "for") return for_tag(std::move(statement));
    if (name == "set") return set_tag(std::move(statement));
    if (name == "macro") return macro_tag(std::move(statement));
    if (name == "with") return with_tag(std::move(statement));
    if (name == "filter") {
      statement.kind = Statement::Kind::kFilter;
      statement.expressions.push_back(filters(nullptr, true));
      end_tag();
      body(statement, "endfilter");
      return statement;
    }
    if (name == "generation") {
      statement.kind = Statement::Kind::kGeneration;
      end_tag();
      body(statement, "endgeneration");
      return statement;
    }
    if (name == "break" || name == "continue") {
      if (loops_ == 0) error(concat("'", name, "' outside of a loop"));
      statement.kind = name == "break" ? Statement::Kind::kBreak : Statement::Kind::kContinue;
      end_tag();
      return statement;
    }
    --at_;
    error(concat("the tag '", name,
                 "' is not supported; choose a built-in template with --chat-template"));
  }

  /// A block, its end tag too.
  void body(Statement& statement, std::string_view end) {
    statement.blocks.push_back(statements({end}));
    ++at_;
    end_tag();
  }

  Statement if_tag(Statement statement) {
    statement.kind = Statement::Kind::kIf;
    while (true) {
      statement.expressions.push_back(expression());
      end_tag();
      statement.blocks.push_back(statements({"elif", "else", "endif"}));
      const std::string next = expect_name();
      if (next == "elif") continue;
      if (next == "else") {
        end_tag();
        body(statement, "endif");
      } else {
        end_tag();
      }
      return statement;
    }
  }

  Statement for_tag(Statement statement) {
    statement.kind = Statement::Kind::kFor;
    statement.names = targets();
    if (!take_name("in")) error("expected 'in'");
    statement.expressions.push_back(tuple(false));
    if (take_name("if")) statement.expressions.push_back(expression());
    if (sees_name("recursive")) error("recursive loops are not supported");
    end_tag();
    ++loops_;
    const bool outside = std::exchange(saw_loop_, false);
    statement.blocks.push_back(statements({"else", "endfor"}));
    statement.uses_loop = saw_loop_;
    saw_loop_ = saw_loop_ || outside;
    --loops_;
    const std::string next = expect_name();
    end_tag();
    if (next == "else") body(statement, "endfor");
    return statement;
  }

  std::vector<std::string> targets() {
    std::vector<std::string> names;
    const bool parenthesis = take_operator("(");
    do {
      names.push_back(expect_name());
    } while (take_operator(","));
    if (parenthesis) expect_operator(")");
    return names;
  }

  Statement set_tag(Statement statement) {
    statement.kind = Statement::Kind::kSet;
    statement.names = targets();
    if (statement.names.size() == 1 && take_operator(".")) statement.name = expect_name();
    if (take_operator("=")) {
      statement.expressions.push_back(tuple());
      end_tag();
      return statement;
    }
    if (!statement.name.empty() || statement.names.size() > 1) error("expected '='");
    statement.kind = Statement::Kind::kSetBlock;
    if (sees_operator("|")) statement.expressions.push_back(filters(nullptr, false));
    end_tag();
    body(statement, "endset");
    return statement;
  }

  Statement macro_tag(Statement statement) {
    statement.kind = Statement::Kind::kMacro;
    statement.name = expect_name();
    expect_operator("(");
    while (!take_operator(")")) {
      Parameter parameter{expect_name(), nullptr};
      if (take_operator("=")) parameter.otherwise = expression();
      statement.parameters.push_back(std::move(parameter));
      if (!sees_operator(")")) expect_operator(",");
    }
    end_tag();
    const int loops = std::exchange(loops_, 0);
    body(statement, "endmacro");
    loops_ = loops;
    return statement;
  }

  Statement with_tag(Statement statement) {
    statement.kind = Statement::Kind::kWith;
    while (now().kind != Token::Kind::kEnd) {
      statement.names.push_back(expect_name());
      expect_operator("=");
      statement.expressions.push_back(expression());
      if (now().kind != Token::Kind::kEnd) expect_operator(",");
    }
    end_tag();
    body(statement, "endwith");
    return statement;
  }

  // --- expressions ---

  ExpressionPtr make(Kind kind, std::string name = "") const {
    auto result = std::make_unique<Expression>();
    result->kind = kind;
    result->line = now().line;
    result->name = std::move(name);
    return result;
  }
  ExpressionPtr make(Kind kind, std::string name, ExpressionPtr first,
                     ExpressionPtr second = nullptr) const {
    ExpressionPtr result = make(kind, std::move(name));
    result->operands.push_back(std::move(first));
    if (second) result->operands.push_back(std::move(second));
    return result;
  }

  /// Expressions with commas between them are a list.
  ExpressionPtr tuple(bool conditional = true) {
    ExpressionPtr first = conditional ? expression() : disjunction();
    if (!sees_operator(",")) return first;
    ExpressionPtr list = make(Kind::kList, "", std::move(first));
    while (take_operator(",")) {
      if (now().kind == Token::Kind::kEnd || sees_operator(")")) break;
      list->operands.push_back(conditional ? expression() : disjunction());
    }
    return list;
  }

  ExpressionPtr expression() {
    const Depth depth(*this);
    ExpressionPtr value = disjunction();
    while (take_name("if")) {
      ExpressionPtr conditional = make(Kind::kConditional, "", std::move(value), disjunction());
      conditional->operands.push_back(take_name("else") ? expression() : nullptr);
      value = std::move(conditional);
    }
    return value;
  }

  ExpressionPtr disjunction() {
    ExpressionPtr left = conjunction();
    while (take_name("or")) left = make(Kind::kBinary, "or", std::move(left), conjunction());
    return left;
  }

  ExpressionPtr conjunction() {
    ExpressionPtr left = negation();
    while (take_name("and")) left = make(Kind::kBinary, "and", std::move(left), negation());
    return left;
  }

  ExpressionPtr negation() {
    const Depth depth(*this);
    if (take_name("not")) return make(Kind::kUnary, "not", negation());
    return comparison();
  }

  ExpressionPtr comparison() {
    ExpressionPtr left = sum();
    ExpressionPtr chain;
    while (true) {
      std::string sign;
      for (const std::string_view known : {"==", "!=", "<=", ">=", "<", ">"}) {
        if (sign.empty() && take_operator(known)) sign = known;
      }
      if (sign.empty() && take_name("in")) sign = "in";
      if (sign.empty() && sees_name("not") && tokens_[at_ + 1].text == "in") {
        at_ += 2;
        sign = "not in";
      }
      if (sign.empty()) return chain ? std::move(chain) : std::move(left);
      if (!chain) chain = make(Kind::kCompare, "", std::move(left));
      chain->operators.push_back(sign);
      chain->operands.push_back(sum());
    }
  }

  template <std::size_t n, class Next>
  ExpressionPtr chain_of(const std::array<std::string_view, n>& signs, const Next& next) {
    ExpressionPtr left = next();
    while (true) {
      const auto sign = std::find_if(signs.begin(), signs.end(),
                                     [&](std::string_view text) { return sees_operator(text); });
      if (sign == signs.end()) return left;
      ++at_;
      left = make(Kind::kBinary, std::string(*sign), std::move(left), next());
    }
  }

  ExpressionPtr sum() {
    return chain_of(std::array<std::string_view, 2>{"+", "-"}, [&] {
      return chain_of(std::array<std::string_view, 1>{"~"}, [&] { return product(); });
    });
  }

  ExpressionPtr product() {
    return chain_of(std::array<std::string_view, 4>{"*", "/", "//", "%"}, [&] {
      return chain_of(std::array<std::string_view, 1>{"**"}, [&] { return unary(true); });
    });
  }

  ExpressionPtr unary(bool with_filters) {
    const Depth depth(*this);
    ExpressionPtr value;
    if (take_operator("-")) {
      value = make(Kind::kUnary, "-", unary(false));
    } else if (take_operator("+")) {
      value = make(Kind::kUnary, "+", unary(false));
    } else {
      value = postfix(primary());
    }
    return with_filters ? filters(std::move(value), false) : std::move(value);
  }

  /// Filters and tests behind a value; `bare`: the first filter has no "|" before it.
  ExpressionPtr filters(ExpressionPtr value, bool bare) {
    while (true) {
      if (bare || take_operator("|")) {
        bare = false;
        ExpressionPtr filter = make(Kind::kFilter, expect_name());
        filter->operands.push_back(std::move(value));
        if (take_operator("(")) filter->arguments = arguments();
        value = postfix(std::move(filter));
      } else if (take_name("is")) {
        const bool negated = take_name("not");
        ExpressionPtr test = make(Kind::kTest, expect_name());
        test->operands.push_back(std::move(value));
        if (take_operator("(")) {
          test->arguments = arguments();
        } else if (begins_argument()) {
          test->arguments.positional.push_back(postfix(primary()));
        }
        value = negated ? make(Kind::kUnary, "not", std::move(test)) : std::move(test);
      } else {
        return value;
      }
    }
  }

  /// "is divisibleby 3", but not "is defined and …".
  bool begins_argument() const {
    switch (now().kind) {
      case Token::Kind::kString:
      case Token::Kind::kInteger:
      case Token::Kind::kFloat:
        return true;
      case Token::Kind::kName: {
        constexpr std::array<std::string_view, 8> kWords = {"and", "or",  "else", "is",
                                                            "if",  "not", "in",   "recursive"};
        return std::find(kWords.begin(), kWords.end(), now().text) == kWords.end();
      }
      default:
        return sees_operator("[") || sees_operator("{");
    }
  }

  ExpressionPtr postfix(ExpressionPtr value) {
    int links = 0;
    while (true) {
      if (++links > kMaxNesting) error("nested too deep");
      if (take_operator(".")) {
        if (now().kind == Token::Kind::kInteger) {
          ExpressionPtr index = make(Kind::kLiteral);
          index->value = static_cast<std::int64_t>(std::stoll(tokens_[at_++].text));
          value = make(Kind::kItem, "", std::move(value), std::move(index));
        } else {
          value = make(Kind::kAttribute, expect_name(), std::move(value));
        }
      } else if (take_operator("[")) {
        value = subscript(std::move(value));
      } else if (take_operator("(")) {
        ExpressionPtr call = make(Kind::kCall, "", std::move(value));
        call->arguments = arguments();
        value = std::move(call);
      } else {
        return value;
      }
    }
  }

  ExpressionPtr subscript(ExpressionPtr value) {
    ExpressionPtr begin = sees_operator(":") ? nullptr : expression();
    if (!sees_operator(":")) {
      expect_operator("]");
      return make(Kind::kItem, "", std::move(value), std::move(begin));
    }
    ExpressionPtr slice = make(Kind::kSlice, "", std::move(value));
    slice->operands.push_back(std::move(begin));
    for (int i = 0; i < 2; ++i) {
      const bool given = take_operator(":") && !sees_operator(":") && !sees_operator("]");
      slice->operands.push_back(given ? expression() : nullptr);
    }
    expect_operator("]");
    return slice;
  }

  CallArguments arguments() {
    CallArguments result;
    while (!take_operator(")")) {
      if (now().kind == Token::Kind::kName && tokens_[at_ + 1].kind == Token::Kind::kOperator &&
          tokens_[at_ + 1].text == "=") {
        std::string name = expect_name();
        ++at_;
        result.named.emplace_back(std::move(name), expression());
      } else if (sees_operator("*") || sees_operator("**")) {
        error("arguments by '*' are not supported");
      } else {
        result.positional.push_back(expression());
      }
      if (!sees_operator(")")) expect_operator(",");
    }
    return result;
  }

  ExpressionPtr literal(Value value) {
    ExpressionPtr result = make(Kind::kLiteral);
    result->value = std::move(value);
    return result;
  }

  ExpressionPtr primary() {
    const Token& token = now();
    switch (token.kind) {
      case Token::Kind::kString: {
        std::string text;
        while (now().kind == Token::Kind::kString) text += tokens_[at_++].text;
        return literal(Text(std::move(text), false));
      }
      case Token::Kind::kInteger: {
        std::int64_t number = 0;
        const auto [end, failure] =
            std::from_chars(token.text.data(), token.text.data() + token.text.size(), number);
        if (failure != std::errc()) error(concat("the number ", token.text, " is too large"));
        ++at_;
        return literal(number);
      }
      case Token::Kind::kFloat: {
        double number = 0;
        std::from_chars(token.text.data(), token.text.data() + token.text.size(), number);
        ++at_;
        return literal(number);
      }
      case Token::Kind::kName: {
        const std::string name = expect_name();
        if (name == "true" || name == "True") return literal(true);
        if (name == "false" || name == "False") return literal(false);
        if (name == "none" || name == "None") return literal(Value());
        saw_loop_ = saw_loop_ || name == "loop";
        return make(Kind::kName, name);
      }
      case Token::Kind::kOperator:
        break;
      default:
        unexpected();
    }
    if (take_operator("(")) {
      if (take_operator(")")) return make(Kind::kList);
      ExpressionPtr value = tuple();
      expect_operator(")");
      return value;
    }
    if (take_operator("[")) {
      ExpressionPtr list = make(Kind::kList);
      while (!take_operator("]")) {
        list->operands.push_back(expression());
        if (!sees_operator("]")) expect_operator(",");
      }
      return list;
    }
    if (take_operator("{")) {
      ExpressionPtr dict = make(Kind::kDict);
      while (!take_operator("}")) {
        dict->operands.push_back(expression());
        expect_operator(":");
        dict->operands.push_back(expression());
        if (!sees_operator("}")) expect_operator(",");
      }
      return dict;
    }
    unexpected();
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int depth_ = 0, loops_ = 0;
  bool saw_loop_ = false;
};

}  // namespace

Block parse_template(std::string_view source) {
  return Parser(source).run();
}

}  // namespace llmctl::jinja
