#include "corpus/language.h"

#include <algorithm>

#include "base/error.h"

#ifdef LLMCTL_WITH_CLD2
#include <cld2/public/compact_lang_det.h>
#include <cld2/public/encodings.h>
#endif

namespace llmctl {

#ifdef LLMCTL_WITH_CLD2
namespace {

void require_library() {}

bool is_code(const std::string& code) {
  return code == "zh-Hans" || CLD2::GetLanguageFromName(code.c_str()) != CLD2::UNKNOWN_LANGUAGE;
}

}  // namespace

LanguageGuess identify_language(std::string_view text) {
  // What decides is decided by then, and its lengths are ints.
  constexpr std::size_t kEnough = 64 * 1024;
  CLD2::Language languages[3];
  int percent[3];
  double scores[3];
  int text_bytes = 0;
  bool reliable = false;
  const CLD2::CLDHints hints = {nullptr, nullptr, CLD2::UNKNOWN_ENCODING, CLD2::UNKNOWN_LANGUAGE};
  CLD2::ExtDetectLanguageSummary(text.data(), static_cast<int>(std::min(text.size(), kEnough)),
                                 true, &hints, 0, languages, percent, scores, nullptr, &text_bytes,
                                 &reliable);
  if (languages[0] == CLD2::UNKNOWN_LANGUAGE) return {};
  return {CLD2::LanguageCode(languages[0]), percent[0] / 100.0};
}
#else
namespace {

[[noreturn]] void require_library() {
  fail(ErrorCode::kConfig,
       "clean.languages: this build cannot tell languages; install libcld2-dev and build again");
}

bool is_code(const std::string&) {
  return true;
}

}  // namespace

LanguageGuess identify_language(std::string_view) {
  require_library();
}
#endif

LanguageFilter::LanguageFilter(std::vector<std::string> codes, double confidence)
    : codes_(std::move(codes)), confidence_(confidence) {
  require_library();
  for (const std::string& code : codes_) {
    require(is_code(code), ErrorCode::kConfig, "clean.languages: '", code,
            "' is no language that CLD2 knows; expected a code such as en, zh, zh-Hant or de");
  }
}

bool LanguageFilter::keeps(std::string_view text) const {
  const LanguageGuess guess = identify_language(text);
  if (guess.share < confidence_) return false;
  return std::any_of(codes_.begin(), codes_.end(), [&](const std::string& code) {
    if (code == guess.code) return true;
    if (code == "zh-Hans") return guess.code == "zh";
    return code == "zh" && guess.code.starts_with("zh");
  });
}

}  // namespace llmctl
