#include "corpus/personal_data.h"

#include <array>
#include <string_view>
#include <vector>

namespace llmctl {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c | 32) >= 'a' && (c | 32) <= 'z';
}
bool is_alnum(char c) {
  return is_digit(c) || is_letter(c);
}

/// Length of the e-mail address whose "@" stands at `at`, and where it begins; 0: none.
struct Found {
  std::size_t begin = 0, end = 0;
  bool ok() const { return end > begin; }
};

Found find_email(std::string_view text, std::size_t at) {
  std::size_t begin = at;
  while (begin > 0 && at - begin < 64 &&
         (is_alnum(text[begin - 1]) ||
          std::string_view("._%+-").find(text[begin - 1]) != std::string_view::npos)) {
    --begin;
  }
  while (begin < at && !is_alnum(text[begin])) ++begin;
  if (begin == at || text[at - 1] == '.') return {};
  std::size_t end = at + 1;
  std::size_t last_dot = 0;
  while (end < text.size() && end - at < 255 &&
         (is_alnum(text[end]) || text[end] == '-' || text[end] == '.')) {
    if (text[end] == '.') {
      if (text[end - 1] == '.' || text[end - 1] == '@') break;
      last_dot = end;
    }
    ++end;
  }
  while (end > at && !is_alnum(text[end - 1])) --end;
  if (last_dot == 0) return {};
  if (last_dot >= end) {
    last_dot = text.substr(0, end).rfind('.');
    if (last_dot == text.npos || last_dot <= at) return {};
  }
  // A top-level domain has letters only, two at least.
  if (end - last_dot < 3) return {};
  for (std::size_t i = last_dot + 1; i < end; ++i) {
    if (!is_letter(text[i])) return {};
  }
  return {begin, end};
}

/// A number as it is written: digits and what separates them.
struct Number {
  std::size_t begin = 0, end = 0;
  std::string digits;
  std::string shape;  // runs of digits as their lengths, separators between: "3-4-4"
  bool plus = false, x_at_end = false;
  /// Where it may end: behind each run of digits.
  struct Stop {
    std::size_t end, digits, shape;
  };
  std::vector<Stop> stops;

  /// The number up to a stop.
  Number until(const Stop& stop) const {
    Number part;
    part.begin = begin;
    part.end = stop.end;
    part.digits = digits.substr(0, stop.digits);
    part.shape = shape.substr(0, stop.shape);
    part.plus = plus;
    return part;
  }
};

bool is_separator(char c) {
  return c == '-' || c == ' ' || c == '(' || c == ')' || c == '.';
}

/// The number that begins at `at`, a digit, "+" or "(".
Number read_number(std::string_view text, std::size_t at) {
  Number number;
  number.begin = at;
  std::size_t end = at, run = 0;
  const auto close_run = [&] {
    if (run > 0) {
      number.shape += std::to_string(run);
      number.stops.push_back({end, number.digits.size(), number.shape.size()});
    }
    run = 0;
  };
  if (text[end] == '+') {
    number.plus = true;
    ++end;
  }
  std::size_t last_digit = end;
  while (end < text.size() && end - at < 40) {
    const char c = text[end];
    if (is_digit(c)) {
      number.digits += c;
      ++run;
      ++end;
      last_digit = end;
    } else if (is_separator(c) && number.digits.size() < 24) {
      // At most two separators in a row, as in ") ".
      const bool doubled = end + 1 < text.size() && is_separator(text[end + 1]);
      const std::size_t next = end + (doubled ? 2 : 1);
      if (next >= text.size() || !is_digit(text[next])) {
        if (!(c == '(' && end == at)) break;
      }
      close_run();
      number.shape += doubled && c != '(' ? (text[end + 1] == '-' ? '-' : c == ')' ? ')' : c) : c;
      end = next > end + 1 && is_digit(text[next < text.size() ? next : end]) ? next : end + 1;
    } else {
      break;
    }
  }
  close_run();
  while (!number.shape.empty() && is_separator(number.shape.back())) number.shape.pop_back();
  number.end = last_digit;
  if (number.end < text.size() && (text[number.end] | 32) == 'x' && number.digits.size() == 17) {
    number.x_at_end = true;
    ++number.end;
  }
  return number;
}

int digits_of(std::string_view digits, std::size_t at, std::size_t count) {
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) value = value * 10 + (digits[i] - '0');
  return value;
}

bool is_date(int year, int month, int day) {
  static constexpr std::array<int, 12> kDays = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return year >= 1900 && year <= 2035 && month >= 1 && month <= 12 && day >= 1 &&
         day <= kDays[static_cast<std::size_t>(month - 1)];
}

/// GB 11643: region, date of birth, order, check digit (ISO 7064, mod 11-2).
bool is_resident_id(const Number& number) {
  const std::string& digits = number.digits;
  const bool whole = digits.size() == 18 && !number.x_at_end;
  if (number.plus || number.shape.find_first_of("-. ()") != std::string::npos) return false;
  if (!whole && !(digits.size() == 17 && number.x_at_end)) return false;
  if (digits[0] == '0' || digits[0] > '8') return false;
  if (!is_date(digits_of(digits, 6, 4), digits_of(digits, 10, 2), digits_of(digits, 12, 2))) {
    return false;
  }
  static constexpr std::array<int, 17> kWeights = {7, 9, 10, 5,  8, 4, 2, 1, 6,
                                                   3, 7, 9,  10, 5, 8, 4, 2};
  int sum = 0;
  for (std::size_t i = 0; i < 17; ++i) sum += kWeights[i] * (digits[i] - '0');
  const char expected = "10X98765432"[sum % 11];
  return expected == (number.x_at_end ? 'X' : digits[17]);
}

bool passes_luhn(std::string_view digits) {
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    int digit = digits[digits.size() - 1 - i] - '0';
    if (i % 2 == 1) digit = digit > 4 ? 2 * digit - 9 : 2 * digit;
    sum += digit;
  }
  return sum % 10 == 0;
}

bool is_bank_card(const Number& number) {
  const std::string& digits = number.digits;
  if (number.plus || digits.size() < 13 || digits.size() > 19) return false;
  if (digits[0] < '3' || digits[0] > '6') return false;
  if (digits.find_first_not_of(digits[0]) == digits.npos) return false;
  // In one piece, or in groups of four as cards print them.
  std::string shape = number.shape;
  for (char& c : shape) {
    if (c == '-') c = ' ';
  }
  const bool grouped = shape == "4 4 4 4" || shape == "4 4 4 4 3" || shape == "4 6 5" ||
                       shape == "4 4 4 4 4" || shape == "4 4 4 1" || shape == "4 4 4 4 2";
  const bool whole = shape.find(' ') == shape.npos && shape.find('.') == shape.npos &&
                     shape.find('(') == shape.npos && digits.size() >= 15;
  return (grouped || whole) && passes_luhn(digits);
}

bool is_social_security(const Number& number) {
  if (number.plus || number.shape != "3-2-4") return false;
  const int area = digits_of(number.digits, 0, 3);
  return area != 0 && area != 666 && area < 900 && digits_of(number.digits, 3, 2) != 0 &&
         digits_of(number.digits, 5, 4) != 0;
}

/// The digits of a Chinese number behind +86 or 0086, if it has that.
std::string_view national(const Number& number) {
  std::string_view digits = number.digits;
  if (number.plus && digits.starts_with("86")) return digits.substr(2);
  if (digits.starts_with("0086")) return digits.substr(4);
  return digits;
}

bool is_chinese_mobile(const Number& number) {
  std::string_view digits = national(number);
  const bool abroad = digits.size() != number.digits.size();
  if (!abroad && number.plus) return false;
  if (digits.size() != 11 || digits[0] != '1' || digits[1] < '3') return false;
  if (abroad) return number.shape.find('.') == std::string::npos;
  return number.shape == "11" || number.shape == "3-4-4" || number.shape == "3 4 4";
}

bool is_chinese_line(const Number& number) {
  const std::string& digits = number.digits;
  if (number.plus && digits.starts_with("86")) {
    return digits.size() >= 11 && digits.size() <= 13 &&
           number.shape.find('.') == std::string::npos;
  }
  if (digits.size() < 10 || digits.size() > 12 || digits[0] != '0' || digits[1] == '0')
    return false;
  std::string shape;
  for (const char c : number.shape) {
    if (is_digit(c)) shape += c;
    if (!is_digit(c) && !shape.empty() && is_digit(shape.back())) shape += '-';
  }
  const bool city = digits[1] == '1' || digits[1] == '2';  // 010 and 02x have three digits
  for (const char* known : {"3-8", "3-4-4"}) {
    if (shape == known) return city;
  }
  for (const char* known : {"4-7", "4-8", "4-3-4", "4-4-4"}) {
    if (shape == known) return digits[1] != '1';
  }
  return false;
}

bool is_american(const Number& number) {
  std::string_view digits = number.digits;
  std::string shape = number.shape;
  if (digits.size() == 11 && digits[0] == '1') {
    digits.remove_prefix(1);
    if (shape.size() > 2 && shape[0] == '1') shape.erase(0, 2);
  }
  if (digits.size() != 10 || digits[0] < '2' || digits[3] < '2') return false;
  return shape == "3-3-4" || shape == "(3)3-4" || shape == "(3) 3-4" || shape == "3)3-4" ||
         shape == "(3)3 4" || shape == "3 3 4" || shape == "3.3.4" || shape == "3-3 4";
}

bool is_british(const Number& number) {
  const std::string& digits = number.digits;
  if (number.plus || digits.size() != 11 || digits[0] != '0') return false;
  if (digits[1] == '7')
    return number.shape == "5 6" || number.shape == "5 3 3" || number.shape == "11";
  return digits[1] == '2' && number.shape == "3 4 4";
}

bool is_international(const Number& number) {
  return number.plus && number.digits.size() >= 9 && number.digits.size() <= 15 &&
         number.digits[0] != '0' && number.shape.find('.') == std::string::npos;
}

bool is_phone(const Number& number) {
  if (number.x_at_end) return false;
  return is_chinese_mobile(number) || is_chinese_line(number) || is_american(number) ||
         is_british(number) || is_international(number);
}

/// A number that is part of a word or of a longer one stands for something else.
bool stands_alone(std::string_view text, const Number& number) {
  if (number.begin > 0) {
    const char before = text[number.begin - 1];
    if (is_alnum(before) || before == '_' || before == '#') return false;
    const bool joined = before == '-' || before == '.' || before == '/' || before == ',';
    if (joined && number.begin > 1 && is_alnum(text[number.begin - 2])) return false;
    if (before == '$') return false;
  }
  if (number.end < text.size()) {
    const char after = text[number.end];
    if (is_alnum(after) || after == '_' || after == '%') return false;
    const bool joined =
        after == '-' || after == '.' || after == '/' || after == ',' || after == ':';
    if (joined && number.end + 1 < text.size() && is_alnum(text[number.end + 1])) return false;
  }
  return true;
}

}  // namespace

void mask_personal_data(std::string& text, const PersonalDataOptions& options,
                        PersonalDataCounts& counts) {
  std::string out;
  std::size_t kept = 0;
  const std::string_view all = text;
  const auto replace = [&](std::size_t begin, std::size_t end, const char* by) {
    out += all.substr(kept, begin - kept);
    out += by;
    kept = end;
  };
  for (std::size_t at = 0; at < all.size();) {
    const char c = all[at];
    if (c == '@') {
      const Found email = options.emails ? find_email(all, at) : Found{};
      if (email.ok() && email.begin >= kept) {
        replace(email.begin, email.end, "<email>");
        ++counts.emails;
        at = email.end;
      } else {
        ++at;
      }
      continue;
    }
    const bool begins =
        is_digit(c) || ((c == '+' || c == '(') && at + 1 < all.size() && is_digit(all[at + 1]));
    if (!begins) {
      ++at;
      continue;
    }
    const Number number = read_number(all, at);
    // Digits before an "@" are an address's.
    const bool address =
        number.end < all.size() && (all[number.end] == '@' || all[number.end] == '_');
    // The longest that is something: numbers may follow one another with a space between.
    std::size_t taken = 0;
    for (std::size_t i = number.stops.size(); i-- > 0 && !address && taken == 0;) {
      const bool whole = i + 1 == number.stops.size();
      const Number part = whole ? number : number.until(number.stops[i]);
      if (!whole && all[part.end] != ' ') continue;
      if (!stands_alone(all, part)) continue;
      const bool id = is_resident_id(part) || is_social_security(part) || is_bank_card(part);
      if (id ? !options.id_numbers : !(options.phones && is_phone(part))) {
        if (id) break;
        continue;
      }
      replace(part.begin, part.end, id ? "<id>" : "<phone>");
      ++(id ? counts.id_numbers : counts.phones);
      taken = part.end;
    }
    if (taken > 0) {
      at = taken;
      continue;
    }
    // Behind the first run of digits the rest may still be a number of its own.
    at += c == '+' || c == '(' ? 1 : 0;
    while (at < all.size() && is_digit(all[at])) ++at;
  }
  if (kept == 0) return;
  out += all.substr(kept);
  text = std::move(out);
}

}  // namespace llmctl
