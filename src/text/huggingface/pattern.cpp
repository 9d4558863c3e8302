#include "text/huggingface/pattern.h"

#include "text/regex.h"

namespace llmctl {
namespace {

class StringPattern : public Pattern {
 public:
  explicit StringPattern(std::string text) : text_(std::move(text)) {}
  void for_each_match(std::string_view text, TextRange range,
                      const std::function<void(TextRange)>& found) const override {
    if (text_.empty()) return;
    text = text.substr(0, range.end);
    for (std::size_t at = range.begin; (at = text.find(text_, at)) != text.npos;) {
      const std::size_t end = at + text_.size();
      found({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end)});
      at = end;
    }
  }

 private:
  std::string text_;
};

class RegexPattern : public Pattern {
 public:
  explicit RegexPattern(const JsonAccess& json) : regex_(json.string(), json.place()) {}
  void for_each_match(std::string_view text, TextRange range,
                      const std::function<void(TextRange)>& found) const override {
    regex_.for_each_match(text, range, found);
  }

 private:
  Regex regex_;
};

}  // namespace

std::unique_ptr<Pattern> make_string_pattern(std::string text) {
  return std::make_unique<StringPattern>(std::move(text));
}

std::unique_ptr<Pattern> make_pattern(const JsonAccess& json) {
  if (json.json().is_string()) return make_string_pattern(json.string());
  if (json.has("Regex")) return std::make_unique<RegexPattern>(json["Regex"]);
  return make_string_pattern(json["String"].string());
}

void replace_all(Stretch& stretch, const Pattern& pattern, std::string_view content) {
  const std::string_view text = stretch.text();
  Rewriter out(stretch);
  std::size_t kept = 0;
  bool changed = false;
  pattern.for_each_match(text, {0, static_cast<std::uint32_t>(text.size())}, [&](TextRange match) {
    out.copy(kept, match.begin);
    if (match.end > 0) {
      out.put(content, match.end - 1);
    } else {
      out.put_unfounded(content);
    }
    kept = match.end;
    changed = true;
  });
  if (!changed) return;
  out.copy(kept, text.size());
  out.commit();
}

}  // namespace llmctl
