#include "text/huggingface/split_rules.h"

#include "text/characters.h"

namespace llmctl {

namespace {

using Class = CharacterClass;

bool is_space_class(Class kind) {
  return kind == Class::kSpace || kind == Class::kNewline;
}

class Scanner {
 public:
  Scanner(std::string_view text, TextRange range, std::vector<TextRange>& out)
      : text_(text.substr(0, range.end)), at_(range.begin), end_(range.end), out_(out) {}

  void gpt2() {
    while (at_ < end_) {
      const std::uint32_t begin = at_;
      std::uint32_t next = begin;
      Class kind = step(next);
      if (text_[begin] == '\'') {
        if (const std::uint32_t length = contraction(begin, false)) {
          take(begin + length);
          continue;
        }
      }
      if (text_[begin] == ' ' && next < end_) {
        std::uint32_t behind = next;
        const Class second = step(behind);
        if (!is_space_class(second)) {
          take(run_of(second, behind));
          continue;
        }
      }
      if (is_space_class(kind)) {
        take(spaces(next));
      } else {
        take(run_of(kind, next));
      }
    }
  }

  void llama3(int digits) {
    while (at_ < end_) {
      const std::uint32_t begin = at_;
      std::uint32_t next = begin;
      const Class kind = step(next);
      if (text_[begin] == '\'') {
        if (const std::uint32_t length = contraction(begin, true)) {
          take(begin + length);
          continue;
        }
      }
      if (kind == Class::kLetter) {
        take(run_of(kind, next));
        continue;
      }
      if (kind == Class::kNumber) {
        for (int i = 1; i < digits && next < end_; ++i) {
          std::uint32_t behind = next;
          if (step(behind) != Class::kNumber) break;
          next = behind;
        }
        take(next);
        continue;
      }
      std::uint32_t behind = next;
      const Class second = next < end_ ? step(behind) : Class::kSpace;
      if (kind != Class::kNewline && second == Class::kLetter) {
        take(run_of(second, behind));
      } else if (kind == Class::kOther) {
        take(newlines(run_of(kind, next)));
      } else if (text_[begin] == ' ' && second == Class::kOther) {
        take(newlines(run_of(second, behind)));
      } else {
        take(spaces_to_last_newline(begin, next));
      }
    }
  }

 private:
  Class step(std::uint32_t& at) const {
    const Character c = character_at(text_, at);
    at += c.length;
    return class_of(c.code_point);
  }

  void take(std::uint32_t to) {
    out_.push_back({at_, to});
    at_ = to;
  }

  /// The end of the run of characters of one kind that goes on at `at`.
  std::uint32_t run_of(Class kind, std::uint32_t at) const {
    while (at < end_) {
      std::uint32_t next = at;
      if (step(next) != kind) break;
      at = next;
    }
    return at;
  }

  std::uint32_t newlines(std::uint32_t at) const {
    while (at < end_ && (text_[at] == '\n' || text_[at] == '\r')) ++at;
    return at;
  }

  /// \s+(?!\S)|\s+ where the first of the run ends at `at`: all of it at the end of the text, all
  /// but the last elsewhere, unless that is all there is.
  std::uint32_t spaces(std::uint32_t at) const {
    std::uint32_t before_last = 0;
    while (at < end_) {
      std::uint32_t next = at;
      if (!is_space_class(step(next))) return before_last > 0 ? before_last : at;
      before_last = at;
      at = next;
    }
    return at;
  }

  /// \s*[\r\n]+|\s+(?!\S)|\s+ for the run whose first character is [begin, next).
  std::uint32_t spaces_to_last_newline(std::uint32_t begin, std::uint32_t next) const {
    std::uint32_t newline_end = 0;
    for (std::uint32_t at = begin; at < end_;) {
      const std::uint32_t first = at;
      const Class kind = step(at);
      if (!is_space_class(kind)) {
        at = first;
        break;
      }
      if (kind == Class::kNewline) newline_end = at;
    }
    return newline_end > 0 ? newline_end : spaces(next);
  }

  /// Bytes of 's, 't, 're, 've, 'm, 'll, 'd at `at`; 0: none. In any case U+017F is an s too.
  std::uint32_t contraction(std::uint32_t at, bool any_case) const {
    const auto letter = [&](std::uint32_t i) -> char {
      if (at + i >= end_) return 0;
      const char c = text_[at + i];
      return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c;
    };
    switch (letter(1)) {
      case 's':
      case 't':
      case 'm':
      case 'd':
        return 2;
      case 'r':
      case 'v':
        return letter(2) == 'e' ? 3 : 0;
      case 'l':
        return letter(2) == 'l' ? 3 : 0;
      default:
        return any_case && text_.substr(at + 1).starts_with("\u017F") ? 3 : 0;
    }
  }

  std::string_view text_;
  std::uint32_t at_, end_;
  std::vector<TextRange>& out_;
};

}  // namespace

std::optional<SplitRule> split_rule_of(std::string_view expression) {
  if (expression == kGpt2Expression) return SplitRule::kGpt2;
  if (expression == kLlama3Expression) return SplitRule::kLlama3;
  if (expression == kQwen2Expression) return SplitRule::kQwen2;
  return std::nullopt;
}

void split_by_rule(SplitRule rule, std::string_view text, TextRange range,
                   std::vector<TextRange>& out) {
  Scanner scanner(text, range, out);
  switch (rule) {
    case SplitRule::kGpt2:
      return scanner.gpt2();
    case SplitRule::kLlama3:
      return scanner.llama3(3);
    case SplitRule::kQwen2:
      return scanner.llama3(1);
  }
}

}  // namespace llmctl
