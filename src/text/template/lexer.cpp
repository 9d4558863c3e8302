#include "text/template/lexer.h"

#include <array>
#include <cctype>

#include "base/error.h"
#include "base/utf8.h"

namespace llmctl::jinja {
namespace {

bool is_name_begin(char c) {
  return c == '_' || std::isalpha(static_cast<unsigned char>(c)) != 0 ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {
    // As Jinja: one line break at the end is not part of the template.
    if (source_.ends_with('\n')) source_.remove_suffix(1);
    if (source_.ends_with('\r')) source_.remove_suffix(1);
  }

  std::vector<Token> run() {
    while (at_ < source_.size()) text();
    tokens_.push_back({Token::Kind::kEof, "", at_, line_});
    return std::move(tokens_);
  }

 private:
  bool sees(std::string_view text) const { return source_.substr(at_).starts_with(text); }

  void advance(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) line_ += source_[at_ + i] == '\n';
    at_ += count;
  }

  static std::string_view strip_end(std::string_view text) {
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
  }

  /// Text up to the next tag, and that tag.
  void text() {
    std::size_t tag = at_;
    while (true) {
      tag = source_.find('{', tag);
      if (tag == source_.npos || tag + 1 >= source_.size()) {
        tag = source_.npos;
        break;
      }
      const char next = source_[tag + 1];
      if (next == '{' || next == '%' || next == '#') break;
      ++tag;
    }
    std::string_view part = source_.substr(at_, tag == source_.npos ? tag : tag - at_);
    std::string_view kept = part;
    if (tag != source_.npos) {
      const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
      if (sign == '-') {
        kept = strip_end(part);
      } else if (source_[tag + 1] != '{' && sign != '+') {
        kept = lstrip(part);
      }
    }
    put_text(kept);
    advance(part.size());
    if (tag == source_.npos) return;
    if (source_[tag + 1] == '#') return comment();
    if (!raw()) inside(source_[tag + 1] == '{' ? "}}" : "%}");
  }

  /// lstrip_blocks: blanks between a line's beginning and a block.
  std::string_view lstrip(std::string_view part) const {
    std::string_view kept = part;
    while (!kept.empty() && (kept.back() == ' ' || kept.back() == '\t')) kept.remove_suffix(1);
    const std::size_t before = at_ + kept.size();
    const bool at_line_begin = before == 0 || source_[before - 1] == '\n';
    return at_line_begin ? kept : part;
  }

  void put_text(std::string_view text) {
    if (!text.empty()) tokens_.push_back({Token::Kind::kText, std::string(text), at_, line_});
  }

  /// What follows the end of a block or comment: with "-" all white space goes, else one line
  /// break.
  void after(char sign, bool trims) {
    if (sign == '-') {
      while (at_ < source_.size() && is_space(source_[at_])) advance(1);
    } else if (trims && sign != '+') {
      if (sees("\r\n")) {
        advance(2);
      } else if (sees("\n")) {
        advance(1);
      }
    }
  }

  void comment() {
    const int begin = line_;
    const std::size_t end = source_.find("#}", at_ + 2);
    if (end == source_.npos) template_error(begin, "a comment without end, expected '#}'");
    const char sign = source_[end - 1];
    advance(end + 2 - at_);
    after(sign, true);
  }

  /// {% raw %} … {% endraw %}, where `at_` stands at its begin.
  bool raw() {
    const auto tag = [&](std::size_t at, std::string_view name) -> std::size_t {
      // The end of a tag of that name, or nothing.
      std::size_t i = at + 2;
      if (i < source_.size() && (source_[i] == '-' || source_[i] == '+')) ++i;
      while (i < source_.size() && is_space(source_[i])) ++i;
      if (!source_.substr(i).starts_with(name)) return source_.npos;
      i += name.size();
      while (i < source_.size() && is_space(source_[i])) ++i;
      if (i < source_.size() && (source_[i] == '-' || source_[i] == '+')) ++i;
      return source_.substr(i).starts_with("%}") ? i + 2 : source_.npos;
    };
    if (!sees("{%")) return false;
    const std::size_t body = tag(at_, "raw");
    if (body == source_.npos) return false;
    const int begin = line_;
    std::size_t end = body, behind = source_.npos;
    while ((end = source_.find("{%", end)) != source_.npos) {
      behind = tag(end, "endraw");
      if (behind != source_.npos) break;
      ++end;
    }
    if (end == source_.npos) template_error(begin, "raw without endraw");
    const char sign = source_[body - 3];
    advance(body - at_);
    after(sign, true);
    std::string_view text = at_ < end ? source_.substr(at_, end - at_) : std::string_view();
    std::string_view kept = source_[end + 2] == '-'   ? strip_end(text)
                            : source_[end + 2] != '+' ? lstrip(text)
                                                      : text;
    put_text(kept);
    advance(behind - at_);
    after(source_[behind - 3], true);
    return true;
  }

  /// The tokens of a tag, up to and with its end.
  void inside(std::string_view end) {
    const int begin = line_;
    tokens_.push_back({Token::Kind::kBegin, std::string(source_.substr(at_, 2)), at_, line_});
    advance(2);
    if (sees("-") || sees("+")) advance(1);
    int depth = 0;
    while (true) {
      while (at_ < source_.size() && is_space(source_[at_])) advance(1);
      if (at_ >= source_.size()) {
        template_error(begin, concat("a tag without end, expected '", end, "'"));
      }
      const bool signed_end = (sees("-") || sees("+")) && source_.substr(at_ + 1).starts_with(end);
      if (signed_end || (depth == 0 && sees(end))) {
        const char sign = signed_end ? source_[at_] : '\0';
        tokens_.push_back({Token::Kind::kEnd, std::string(end), at_, line_});
        advance(signed_end ? 3 : 2);
        after(sign, end == "%}");
        return;
      }
      if (sees("{") || sees("[") || sees("(")) ++depth;
      if (sees("}") || sees("]") || sees(")")) --depth;
      token();
    }
  }

  void token() {
    const char c = source_[at_];
    if (c == '"' || c == '\'') return string(c);
    if (is_digit(c)) return number();
    if (is_name_begin(c)) {
      std::size_t end = at_ + 1;
      while (end < source_.size() && (is_name_begin(source_[end]) || is_digit(source_[end]))) ++end;
      return put(Token::Kind::kName, end - at_);
    }
    static constexpr std::array<std::string_view, 6> kLong = {"**", "//", "==", "!=", "<=", ">="};
    for (const std::string_view sign : kLong) {
      if (sees(sign)) return put(Token::Kind::kOperator, 2);
    }
    if (std::string_view("+-*/%~<>=()[]{}.,:|").find(c) == std::string_view::npos) {
      template_error(line_, concat("unexpected '", c, "'"));
    }
    put(Token::Kind::kOperator, 1);
  }

  void put(Token::Kind kind, std::size_t size) {
    tokens_.push_back({kind, std::string(source_.substr(at_, size)), at_, line_});
    advance(size);
  }

  void number() {
    std::size_t end = at_;
    const auto digits = [&] {
      while (end < source_.size() && (is_digit(source_[end]) || source_[end] == '_')) ++end;
    };
    digits();
    bool is_float = false;
    if (end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1])) {
      is_float = true;
      ++end;
      digits();
    }
    if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
      std::size_t exponent = end + 1;
      if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) {
        ++exponent;
      }
      if (exponent < source_.size() && is_digit(source_[exponent])) {
        is_float = true;
        end = exponent;
        digits();
      }
    }
    put(is_float ? Token::Kind::kFloat : Token::Kind::kInteger, end - at_);
    std::erase(tokens_.back().text, '_');
  }

  void string(char quote) {
    const int begin = line_;
    const std::size_t first = at_;
    std::string text;
    advance(1);
    while (at_ < source_.size() && source_[at_] != quote) {
      if (source_[at_] != '\\') {
        text += source_[at_];
        advance(1);
        continue;
      }
      if (at_ + 1 >= source_.size()) break;
      escape(source_[at_ + 1], text);
    }
    if (at_ >= source_.size()) template_error(begin, "a string without end");
    advance(1);
    tokens_.push_back({Token::Kind::kString, std::move(text), first, begin});
  }

  void escape(char c, std::string& text) {
    static constexpr std::string_view kFrom = "nrtbfva0", kTo{"\n\r\t\b\f\v\a\0", 8};
    const std::size_t known = kFrom.find(c);
    const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (known != kFrom.npos) {
      text += kTo[known];
    } else if (digits > 0) {
      char32_t code = 0;
      for (std::size_t i = 0; i < digits; ++i) {
        const char digit = at_ + 2 + i < source_.size() ? source_[at_ + 2 + i] : '\0';
        if (std::isxdigit(static_cast<unsigned char>(digit)) == 0) {
          template_error(line_, "an escape of a string that is none");
        }
        code = code * 16 +
               static_cast<char32_t>(is_digit(digit) ? digit - '0' : (digit | 32) - 'a' + 10);
      }
      if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
        template_error(line_, "an escape of a string that is no character");
      }
      append_utf8(text, code);
      advance(digits);
    } else if (c == '\\' || c == '\'' || c == '"') {
      text += c;
    } else if (c != '\n') {
      text += '\\';
      text += c;
    }
    advance(2);
  }

  std::string_view source_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

void template_error(int line, const std::string& what) {
  fail(ErrorCode::kData, "chat template line ", line, ": ", what);
}

std::vector<Token> lex_template(std::string_view source) {
  return Lexer(source).run();
}

}  // namespace llmctl::jinja
