#include "text/chinese_words.h"

#include <memory>

#include "base/error.h"
#include "base/utf8.h"
#include "text/characters.h"

#ifdef LLMCTL_WITH_ICU
#include <unicode/ubrk.h>
#include <unicode/utext.h>
#endif

namespace llmctl {

#ifdef LLMCTL_WITH_ICU
namespace {

/// A break iterator for each thread: making one costs a thousand times what cutting a line does.
UBreakIterator* iterator_of_this_thread() {
  struct Closer {
    void operator()(UBreakIterator* iterator) const { ubrk_close(iterator); }
  };
  thread_local std::unique_ptr<UBreakIterator, Closer> iterator;
  if (!iterator) {
    UErrorCode status = U_ZERO_ERROR;
    iterator.reset(ubrk_open(UBRK_WORD, "zh", nullptr, 0, &status));
    if (U_FAILURE(status) || !iterator) {
      fail(ErrorCode::kConfig, "ICU cannot cut Chinese words: ", u_errorName(status));
    }
  }
  return iterator.get();
}

}  // namespace

ChineseWords::ChineseWords() {
  iterator_of_this_thread();
}

std::vector<ByteSpan> ChineseWords::split(std::string_view text) const {
  std::vector<ByteSpan> words;
  if (text.empty()) return words;
  UErrorCode status = U_ZERO_ERROR;
  UText source = UTEXT_INITIALIZER;
  utext_openUTF8(&source, text.data(), static_cast<std::int64_t>(text.size()), &status);
  UBreakIterator* iterator = iterator_of_this_thread();
  ubrk_setUText(iterator, &source, &status);
  if (U_FAILURE(status)) {
    utext_close(&source);
    fail(ErrorCode::kInternal, "ICU cannot cut a text into words: ", u_errorName(status));
  }
  std::int32_t begin = ubrk_first(iterator);
  for (std::int32_t end = ubrk_next(iterator); end != UBRK_DONE; end = ubrk_next(iterator)) {
    const auto from = static_cast<std::size_t>(begin), to = static_cast<std::size_t>(end);
    if (!is_white_space(character_at(text, from).code_point)) words.push_back({from, to});
    begin = end;
  }
  utext_close(&source);
  return words;
}
#else
ChineseWords::ChineseWords() {
  fail(ErrorCode::kConfig,
       "this build cannot cut Chinese words; install libicu-dev and build again");
}

std::vector<ByteSpan> ChineseWords::split(std::string_view) const {
  return {};
}
#endif

std::string ChineseWords::with_spaces(std::string_view text) const {
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  std::size_t copied = 0;
  bool after_chinese = false;
  for (const ByteSpan word : split(text)) {
    const bool chinese = is_cjk(character_at(text, word.begin).code_point);
    out += text.substr(copied, word.begin - copied);
    if (word.begin == copied && copied > 0 && (chinese || after_chinese)) out += ' ';
    out += text.substr(word.begin, word.end - word.begin);
    copied = word.end;
    after_chinese = chinese;
  }
  out += text.substr(copied);
  return out;
}

}  // namespace llmctl
