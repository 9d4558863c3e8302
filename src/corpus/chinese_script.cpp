#include "corpus/chinese_script.h"

#include "base/error.h"

#ifdef LLMCTL_WITH_OPENCC
#include <opencc.h>
#endif

namespace llmctl {

#ifdef LLMCTL_WITH_OPENCC
struct ChineseScript::Impl {
  explicit Impl(const char* tables) : converter(tables) {}
  opencc::SimpleConverter converter;
};

ChineseScript::ChineseScript(const std::string& script) {
  try {
    impl_ = std::make_unique<Impl>(script == "simplified" ? "t2s.json" : "s2t.json");
  } catch (const std::exception& error) {
    fail(ErrorCode::kConfig, "clean.chinese: OpenCC's tables cannot be read (", error.what(),
         "); install libopencc-data");
  }
}

std::string ChineseScript::convert(const std::string& text) const {
  return impl_->converter.Convert(text);
}
#else
struct ChineseScript::Impl {};

ChineseScript::ChineseScript(const std::string&) {
  fail(ErrorCode::kConfig,
       "clean.chinese: this build cannot convert Chinese; install libopencc-dev and build again");
}

std::string ChineseScript::convert(const std::string& text) const {
  return text;
}
#endif

ChineseScript::~ChineseScript() = default;

}  // namespace llmctl
