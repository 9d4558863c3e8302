#include "config/json.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <unordered_set>
#include <utility>

#include "base/files.h"
#include "base/utf8.h"

namespace llmctl {
namespace {

/// Below this many keys a walk over them finds a duplicate faster than a set does.
constexpr std::size_t kFewKeys = 16;

/// The power of ten of a number's first digit that is not 0, by its text; used to tell a number
/// that is too large from one that is too small to be told from 0.
long long decimal_magnitude(std::string_view text) {
  long long exponent = 0;
  const std::size_t e = text.find_first_of("eE");
  if (e != text.npos) {
    std::string_view digits = text.substr(e + 1);
    const bool negative = digits.starts_with('-');
    if (digits.starts_with('-') || digits.starts_with('+')) digits.remove_prefix(1);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (parsed.ec != std::errc{}) exponent = std::numeric_limits<int>::max();
    if (negative) exponent = -exponent;
  }
  const std::string_view mantissa = text.substr(0, e);
  const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
  const std::size_t first = std::min(mantissa.find_first_of("123456789"), mantissa.size());
  return exponent + static_cast<long long>(point) - static_cast<long long>(first);
}

/// Recursive descent over RFC 8259; the depth is bounded, so the recursion is. Positions are byte
/// offsets, turned into lines and columns when they are wanted.
class Parser {
 public:
  Parser(std::string_view text, const std::string& source, const JsonLimits& limits,
         std::map<std::string, std::string>* places)
      : text_(text), source_(source), limits_(limits), places_(places) {}

  Json parse() {
    require(text_.size() <= limits_.max_bytes, limits_.code, source_, ": larger than ",
            limits_.max_bytes, " bytes, the limit for such a file");
    if (const auto bad = find_invalid_utf8(text_)) fail_at(*bad, "invalid UTF-8");
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = counted_ = 3;
    skip_space();
    Json value = parse_value(0);
    skip_space();
    if (at_ < text_.size()) fail_at(at_, concat("expected nothing more, got ", got()));
    return value;
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail_at(std::size_t offset, const Parts&... parts) const {
    const std::string_view before = text_.substr(0, offset);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t newline = before.rfind('\n');
    std::string_view start = newline == before.npos ? before : before.substr(newline + 1);
    if (newline == before.npos && start.starts_with("\xEF\xBB\xBF")) start.remove_prefix(3);
    fail(limits_.code, source_, ":", line, ":", 1 + count_code_points(start), ": ", parts...);
  }

  /// What stands at the present position, for messages.
  std::string got() const {
    if (at_ >= text_.size()) return "the end of the text";
    std::size_t end = at_;
    const char32_t code_point = next_code_point(text_, end);
    if (code_point < 0x20 || code_point == 0x7F) return "a control character";
    return concat("'", text_.substr(at_, end - at_), "'");
  }

  bool at(char c) const { return at_ < text_.size() && text_[at_] == c; }

  void skip_space() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        ++at_;
      } else if (c == '/' && text_.substr(at_, 2).find_first_of("/*", 1) == 1) {
        skip_comment();
      } else {
        return;
      }
    }
  }

  void skip_comment() {
    if (!limits_.comments) fail_at(at_, "comments are not allowed in this file");
    const bool block = text_[at_ + 1] == '*';
    const std::size_t end = block ? text_.find("*/", at_ + 2) : text_.find('\n', at_);
    if (block && end == text_.npos) fail_at(at_, "the comment is never closed");
    at_ = end == text_.npos ? text_.size() : end + (block ? 2 : 1);
  }

  /// "source:line:column" of the present position; called with growing positions only, so that all
  /// calls together walk the text once.
  std::string place() {
    for (; counted_ < at_; ++counted_) {
      if (text_[counted_] == '\n') {
        ++line_;
        column_ = 1;
      } else if ((static_cast<unsigned char>(text_[counted_]) & 0xC0) != 0x80) {
        ++column_;
      }
    }
    return concat(source_, ":", line_, ":", column_);
  }

  Json parse_value(int depth) {
    if (places_ != nullptr) (*places_)[path_] = place();
    if (at_ >= text_.size()) fail_at(at_, "expected a value, got ", got());
    switch (text_[at_]) {
      case '{':
        return parse_object(depth + 1);
      case '[':
        return parse_array(depth + 1);
      case '"':
        return parse_string();
      case 't':
        return parse_word("true", true);
      case 'f':
        return parse_word("false", false);
      case 'n':
        return parse_word("null", nullptr);
      default:
        break;
    }
    if (at('-') || is_digit()) return parse_number();
    fail_at(at_, "expected a value, got ", got());
  }

  Json parse_word(std::string_view word, Json value) {
    if (text_.substr(at_, word.size()) != word) fail_at(at_, "expected a value, got ", bare_word());
    at_ += word.size();
    return value;
  }

  std::string bare_word() const {
    std::size_t end = at_;
    while (end < text_.size() && end < at_ + 20 &&
           std::isalnum(static_cast<unsigned char>(text_[end]))) {
      ++end;
    }
    return concat("'", text_.substr(at_, end - at_), "'");
  }

  void check_depth(int depth) const {
    if (depth > limits_.max_depth)
      fail_at(at_, "nested deeper than ", limits_.max_depth, " levels");
  }

  /// Behind a ',' or at the end of a container: true when another element follows.
  bool next_element(char close, const char* what) {
    skip_space();
    if (at(close)) {
      ++at_;
      return false;
    }
    if (!at(',')) fail_at(at_, "expected ',' or '", close, "' after ", what, ", got ", got());
    ++at_;
    skip_space();
    if (at(close)) fail_at(at_, "expected ", what, " after ',', got '", close, "'");
    return true;
  }

  Json parse_array(int depth) {
    check_depth(depth);
    Json value = Json::array();
    auto& elements = value.get_ref<Json::array_t&>();
    ++at_;
    skip_space();
    if (at(']')) {
      ++at_;
      return value;
    }
    const std::size_t path_size = path_.size();
    do {
      if (places_ != nullptr) extend_path(std::to_string(elements.size()));
      elements.push_back(parse_value(depth));
      path_.resize(path_size);
    } while (next_element(']', "an element"));
    return value;
  }

  Json parse_object(int depth) {
    check_depth(depth);
    Json value = Json::object();
    auto& members = value.get_ref<Json::object_t&>();
    std::unordered_set<std::string> seen;
    ++at_;
    skip_space();
    if (at('}')) {
      ++at_;
      return value;
    }
    const std::size_t path_size = path_.size();
    do {
      const std::size_t key_at = at_;
      if (!at('"')) fail_at(at_, "expected a key in double quotes, got ", got());
      std::string key = parse_string();
      if (is_duplicate(members, seen, key)) fail_at(key_at, "duplicate key '", key, "'");
      skip_space();
      if (!at(':')) fail_at(at_, "expected ':' after the key '", key, "', got ", got());
      ++at_;
      skip_space();
      if (places_ != nullptr) extend_path(key);
      // The object is a vector that looks a key up by walking; the key is known to be new.
      Json member = parse_value(depth);
      members.Json::object_t::Container::emplace_back(std::move(key), std::move(member));
      path_.resize(path_size);
    } while (next_element('}', "a member"));
    return value;
  }

  static bool is_duplicate(const Json::object_t& members, std::unordered_set<std::string>& seen,
                           const std::string& key) {
    if (members.size() < kFewKeys) {
      for (const auto& member : members) {
        if (member.first == key) return true;
      }
      return false;
    }
    if (seen.empty()) {
      for (const auto& member : members) seen.insert(member.first);
    }
    return !seen.insert(key).second;
  }

  void extend_path(const std::string& part) {
    if (!path_.empty()) path_ += '.';
    path_ += part;
  }

  std::string parse_string() {
    const std::size_t begin = at_++;
    std::string value;
    while (true) {
      const std::size_t run = at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
             static_cast<unsigned char>(text_[at_]) >= 0x20) {
        ++at_;
      }
      value.append(text_.substr(run, at_ - run));
      if (at_ >= text_.size()) fail_at(begin, "the string is never closed");
      if (at('"')) {
        ++at_;
        return value;
      }
      if (!at('\\')) {
        if (at('\n') || at('\r')) fail_at(begin, "the string is not closed on its line");
        fail_at(at_, "a control character in a string must be written as an escape");
      }
      parse_escape(value);
    }
  }

  void parse_escape(std::string& value) {
    const std::size_t begin = at_;
    const char kind = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    at_ += 2;
    switch (kind) {
      case '"':
      case '\\':
      case '/':
        value += kind;
        return;
      case 'b':
        value += '\b';
        return;
      case 'f':
        value += '\f';
        return;
      case 'n':
        value += '\n';
        return;
      case 'r':
        value += '\r';
        return;
      case 't':
        value += '\t';
        return;
      case 'u':
        break;
      default:
        fail_at(begin, "unknown escape in a string (for a backslash write two)");
    }
    char32_t unit = parse_hex(begin);
    if (unit >= 0xD800 && unit < 0xDC00 && text_.substr(at_, 2) == "\\u") {
      at_ += 2;
      const char32_t second = parse_hex(begin);
      if (second < 0xDC00 || second > 0xDFFF) fail_at(begin, "half of a surrogate pair");
      unit = 0x10000 + ((unit - 0xD800) << 10) + (second - 0xDC00);
    }
    if (unit >= 0xD800 && unit <= 0xDFFF) fail_at(begin, "half of a surrogate pair");
    append_utf8(value, unit);
  }

  char32_t parse_hex(std::size_t begin) {
    const std::string_view digits = text_.substr(std::min(at_, text_.size()), 4);
    std::uint32_t unit = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16);
    if (error != std::errc{} || end != digits.data() + 4) {
      fail_at(begin, "\\u must be followed by four hexadecimal digits");
    }
    at_ += 4;
    return unit;
  }

  bool is_digit() const { return at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; }

  void skip_digits(std::size_t begin) {
    if (!is_digit()) fail_at(begin, "malformed number: expected a digit, got ", got());
    while (is_digit()) ++at_;
  }

  Json parse_number() {
    const std::size_t begin = at_;
    if (at('-')) ++at_;
    const bool leading_zero = at('0');
    const std::size_t digits = at_;
    skip_digits(begin);
    if (leading_zero && at_ > digits + 1) fail_at(begin, "malformed number: leading zeros");
    bool integer = true;
    if (at('.')) {
      integer = false;
      ++at_;
      skip_digits(begin);
    }
    if (at('e') || at('E')) {
      integer = false;
      ++at_;
      if (at('+') || at('-')) ++at_;
      skip_digits(begin);
    }
    const std::string_view number = text_.substr(begin, at_ - begin);
    const char* const end = number.data() + number.size();
    if (integer) {
      std::int64_t value = 0;
      std::uint64_t natural = 0;
      if (number[0] != '-' && std::from_chars(number.data(), end, natural).ec == std::errc{}) {
        return natural;
      }
      if (number[0] == '-' && std::from_chars(number.data(), end, value).ec == std::errc{}) {
        return value;
      }
    }
    double value = 0;
    if (std::from_chars(number.data(), end, value).ec == std::errc::result_out_of_range) {
      if (decimal_magnitude(number) > 0)
        fail_at(begin, "the number ", cut(number), " is out of range");
      value = number[0] == '-' ? -0.0 : 0.0;
    }
    return value;
  }

  static std::string cut(std::string_view text) {
    return text.size() <= 40 ? std::string(text) : concat(text.substr(0, 40), "…");
  }

  std::string_view text_;
  const std::string& source_;
  const JsonLimits& limits_;
  std::map<std::string, std::string>* places_;
  std::size_t at_ = 0;
  std::string path_;  // of the present value, while places are kept
  // place()'s walk: how far it has come, and the line and column there.
  std::size_t counted_ = 0, line_ = 1, column_ = 1;
};

}  // namespace

Json parse_json(std::string_view text, const std::string& source, const JsonLimits& limits) {
  return Parser(text, source, limits, nullptr).parse();
}

Json load_json(const std::filesystem::path& path, const JsonLimits& limits) {
  return parse_json(read_file(path, limits.max_bytes), path.string(), limits);
}

JsonDocument parse_json_document(std::string_view text, const std::string& source,
                                 const JsonLimits& limits) {
  JsonDocument document;
  document.value = Parser(text, source, limits, &document.places).parse();
  return document;
}

std::string dump_json(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace llmctl
