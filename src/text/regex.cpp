#include "text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"
#include "text/characters.h"

namespace llmctl {
namespace {

constexpr std::uint32_t kMatchLimit = 10'000'000;  // steps of one match
constexpr std::uint32_t kHeapLimit = 64 << 10;     // KiB of one match

std::string message_of(int code) {
  std::string text(256, '\0');
  pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(text.data()), text.size());
  text.resize(text.find('\0'));
  return text;
}

struct MatchData {
  explicit MatchData(const pcre2_code* code)
      : data(pcre2_match_data_create_from_pattern(code, nullptr)) {}
  ~MatchData() { pcre2_match_data_free(data); }
  MatchData(const MatchData&) = delete;
  MatchData& operator=(const MatchData&) = delete;
  pcre2_match_data* data;
};

}  // namespace

struct Regex::Impl {
  pcre2_code* code = nullptr;
  pcre2_match_context* context = nullptr;
  ~Impl() {
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
};

Regex::Regex(const std::string& expression, const std::string& place)
    : impl_(std::make_unique<Impl>()), place_(place), expression_(expression) {
  int error = 0;
  PCRE2_SIZE at = 0;
  impl_->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr);
  if (impl_->code == nullptr) {
    fail(ErrorCode::kData, place, ": not a regular expression: ", message_of(error), " at byte ",
         at);
  }
  impl_->context = pcre2_match_context_create(nullptr);
  if (impl_->context == nullptr) throw std::bad_alloc();
  pcre2_set_match_limit(impl_->context, kMatchLimit);
  pcre2_set_heap_limit(impl_->context, kHeapLimit);
  pcre2_jit_compile(impl_->code, PCRE2_JIT_COMPLETE);  // where there is none, it is interpreted
}

Regex::~Regex() = default;

void Regex::for_each_match(std::string_view text, TextRange range,
                           const std::function<void(TextRange)>& found) const {
  const MatchData match(impl_->code);
  if (match.data == nullptr) throw std::bad_alloc();
  // What stands outside must not be seen by assertions either.
  const std::string_view part = text.substr(range.begin, range.size());
  const auto subject = reinterpret_cast<PCRE2_SPTR>(part.data());
  std::size_t at = 0;
  while (at <= part.size()) {
    const auto run = [&](std::uint32_t options) {
      return pcre2_match(impl_->code, subject, part.size(), at, PCRE2_NO_UTF_CHECK | options,
                         match.data, impl_->context);
    };
    int count = run(0);
    if (count == PCRE2_ERROR_JIT_STACKLIMIT) count = run(PCRE2_NO_JIT);  // its stack is the heap
    if (count == PCRE2_ERROR_NOMATCH) return;
    if (count < 0) {
      fail(ErrorCode::kData, place_, ": the expression ", expression_,
           " fails on a text: ", message_of(count));
    }
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(match.data);
    const auto begin = static_cast<std::uint32_t>(ends[0]),
               end = static_cast<std::uint32_t>(ends[1]);
    if (begin > end) return;  // \K inside an assertion
    found({range.begin + begin, range.begin + end});
    at = end;
    if (begin == end) at += at < part.size() ? character_at(part, at).length : 1;
  }
}

std::string escape_regex(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace llmctl
