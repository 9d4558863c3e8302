// Walking through the text of a grammar, with the place for messages.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/utf8.h"

namespace llmctl::grammar {

/// The text must be valid UTF-8, and longer than the scanner lives.
class Scanner {
 public:
  /// kData when it is not UTF-8, or longer than a grammar should be.
  Scanner(std::string_view text, std::string source) : text_(text), source_(std::move(source)) {
    if (const auto bad = find_invalid_utf8(text)) {
      fail(ErrorCode::kData, source_, ": not valid UTF-8 at byte ", *bad);
    }
    require(text.size() <= kMostBytes, ErrorCode::kData, source_, ": ", text.size(),
            " bytes, at most ", kMostBytes, " are read");
  }

  bool done() const { return at_ >= text_.size(); }
  /// The next byte; 0 at the end.
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool next_is(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  /// Moves behind `what` where it is next.
  bool take(std::string_view what) {
    if (!next_is(what)) return false;
    at_ += what.size();
    return true;
  }
  void skip(std::size_t bytes = 1) { at_ += bytes; }
  char32_t take_code_point() { return next_code_point(text_, at_); }
  std::string_view text(std::size_t from, std::size_t to) const {
    return text_.substr(from, to - from);
  }

  /// `digits` hexadecimal digits as a character.
  char32_t take_hex(int digits) {
    const std::size_t from = at_;
    char32_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) fail_here("expected ", digits, " hexadecimal digits");
      value = value * 16 + static_cast<char32_t>(digit);
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
      at_ = from;
      fail_here("no character has this number");
    }
    return value;
  }

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  bool at_number() const { return is_digit(peek()); }
  /// The digits that are next as a number up to `most`.
  int take_number(int most) {
    const std::size_t from = at_;
    long value = 0;
    for (; at_number(); ++at_) value = std::min(value * 10 + (peek() - '0'), 1'000'000'000L);
    if (value > most) {
      at_ = from;
      fail_here("at most ", most, " repetitions are taken");
    }
    return static_cast<int>(value);
  }

  std::size_t at() const { return at_; }
  void go_to(std::size_t at) { at_ = at; }

  template <class... Parts>
  [[noreturn]] void fail_here(const Parts&... parts) const {
    fail_at(at_, parts...);
  }
  template <class... Parts>
  [[noreturn]] void fail_at(std::size_t at, const Parts&... parts) const {
    std::size_t line = 1, begin = 0;
    for (std::size_t i = 0; i < at && i < text_.size(); ++i) {
      if (text_[i] == '\n') {
        ++line;
        begin = i + 1;
      }
    }
    const std::size_t column = count_code_points(text_.substr(begin, at - begin)) + 1;
    fail(ErrorCode::kData, source_, ":", line, ":", column, ": ", concat(parts...));
  }

 private:
  static constexpr std::size_t kMostBytes = 1u << 20;

  std::string_view text_;
  std::string source_;
  std::size_t at_ = 0;
};

}  // namespace llmctl::grammar
