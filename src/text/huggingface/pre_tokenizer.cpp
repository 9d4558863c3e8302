#include "text/huggingface/pre_tokenizer.h"

#include <optional>

#include "base/utf8.h"
#include "text/characters.h"
#include "text/huggingface/old_unicode.h"
#include "text/huggingface/pattern.h"
#include "text/huggingface/split_rules.h"
#include "text/regex.h"

namespace llmctl {
namespace {

/// What becomes of the matches that cut a text.
enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

Behavior behavior_of(const JsonAccess& json) {
  const std::string name = json.string();
  if (name == "Removed") return Behavior::kRemoved;
  if (name == "Isolated") return Behavior::kIsolated;
  if (name == "MergedWithPrevious") return Behavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return Behavior::kMergedWithNext;
  if (name == "Contiguous") return Behavior::kContiguous;
  json.fail("\"", name,
            "\", expected Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

/// Collects the matches of one part from left to right and lays down what the behaviour makes of
/// them.
class Cutter {
 public:
  Cutter(Behavior behavior, std::vector<TextRange>& out) : behavior_(behavior), out_(out) {}

  void begin(TextRange part) {
    part_ = part;
    at_ = part.begin;
    last_was_match_ = false;
    first_ = true;
  }
  /// A match; what is before it, since the last, is none.
  void match(TextRange match) {
    add({at_, match.begin}, false);
    add(match, true);
    at_ = match.end;
  }
  void end() { add({at_, part_.end}, false); }

  /// The next piece, a match or not; empty ones are passed over.
  void add(TextRange range, bool is_match) {
    if (range.size() == 0) return;
    bool joins = false;
    switch (behavior_) {
      case Behavior::kRemoved:
        if (is_match) return;
        break;
      case Behavior::kIsolated:
        break;
      case Behavior::kMergedWithPrevious:
        joins = !first_ && is_match && !last_was_match_;
        break;
      case Behavior::kMergedWithNext:
        joins = !first_ && !is_match && last_was_match_;
        break;
      case Behavior::kContiguous:
        joins = !first_ && is_match == last_was_match_;
        break;
    }
    if (joins) {
      out_.back().end = range.end;
    } else {
      out_.push_back(range);
    }
    last_was_match_ = is_match;
    first_ = false;
  }

 private:
  Behavior behavior_;
  std::vector<TextRange>& out_;
  TextRange part_;
  std::uint32_t at_ = 0;
  bool last_was_match_ = false, first_ = true;
};

/// Cuts every part anew: `cut(part)` appends to text.spare.
template <class Cut>
void cut_parts(CutText& text, const Cut& cut) {
  text.spare.clear();
  for (const TextRange part : text.parts) cut(part);
  text.parts.swap(text.spare);
}

class SequencePreTokenizer : public PreTokenizer {
 public:
  explicit SequencePreTokenizer(std::vector<std::unique_ptr<PreTokenizer>> steps)
      : steps_(std::move(steps)) {}
  void apply(CutText& text) const override {
    for (const auto& step : steps_) step->apply(text);
  }
  bool is_byte_level() const override { return !steps_.empty() && steps_.back()->is_byte_level(); }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> steps_;
};

class PatternPreTokenizer : public PreTokenizer {
 public:
  PatternPreTokenizer(std::unique_ptr<Pattern> pattern, Behavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  void apply(CutText& text) const override {
    Cutter cutter(behavior_, text.spare);
    cut_parts(text, [&](TextRange part) {
      cutter.begin(part);
      std::uint32_t at = part.begin;
      pattern_->for_each_match(text.stretch.text(), part, [&](TextRange match) {
        cutter.add({at, match.begin}, invert_);
        cutter.add(match, !invert_);
        at = match.end;
      });
      cutter.add({at, part.end}, invert_);
    });
  }

 private:
  std::unique_ptr<Pattern> pattern_;
  Behavior behavior_;
  bool invert_;
};

class RulePreTokenizer : public PreTokenizer {
 public:
  explicit RulePreTokenizer(SplitRule rule) : rule_(rule) {}
  void apply(CutText& text) const override {
    cut_parts(text,
              [&](TextRange part) { split_by_rule(rule_, text.stretch.text(), part, text.spare); });
  }

 private:
  SplitRule rule_;
};

/// Cuts at single characters.
class CharacterPreTokenizer : public PreTokenizer {
 public:
  using Test = std::function<bool(char32_t)>;
  CharacterPreTokenizer(Test test, Behavior behavior)
      : test_(std::move(test)), behavior_(behavior) {}

  void apply(CutText& text) const override {
    Cutter cutter(behavior_, text.spare);
    cut_parts(text, [&](TextRange part) {
      cutter.begin(part);
      for (std::uint32_t at = part.begin; at < part.end;) {
        const auto [c, length] = character_at(text.stretch.text(), at);
        if (test_(c)) cutter.match({at, at + length});
        at += length;
      }
      cutter.end();
    });
  }

 private:
  Test test_;
  Behavior behavior_;
};

/// Words between white space, every sign of punctuation by itself.
class BertPreTokenizer : public PreTokenizer {
 public:
  void apply(CutText& text) const override {
    const std::string_view all = text.stretch.text();
    cut_parts(text, [&](TextRange part) {
      std::uint32_t begin = part.begin;
      for (std::uint32_t at = part.begin; at < part.end;) {
        const auto [c, length] = character_at(all, at);
        const bool space = is_white_space(c);
        if (space || is_bert_punctuation(c)) {
          if (at > begin) text.spare.push_back({begin, at});
          if (!space) text.spare.push_back({at, at + length});
          begin = at + length;
        }
        at += length;
      }
      if (part.end > begin) text.spare.push_back({begin, part.end});
    });
  }
};

/// Rewrites each part by itself: `rewrite(part, out)` puts what becomes of it.
template <class Rewrite>
void rewrite_parts(CutText& text, const Rewrite& rewrite) {
  Rewriter out(text.stretch);
  text.spare.clear();
  for (const TextRange part : text.parts) {
    const auto begin = static_cast<std::uint32_t>(out.size());
    rewrite(part, out);
    text.spare.push_back({begin, static_cast<std::uint32_t>(out.size())});
  }
  out.commit();
  text.parts.swap(text.spare);
}

/// Spaces spelled by a sign, one put before the text.
class MetaspacePreTokenizer : public PreTokenizer {
 public:
  enum class Prepend { kAlways, kFirst, kNever };
  MetaspacePreTokenizer(std::string sign, Prepend prepend, bool split)
      : sign_(std::move(sign)),
        prepend_(prepend),
        split_(split),
        pattern_(make_string_pattern(sign_)) {}

  void apply(CutText& text) const override {
    const std::string_view all = text.stretch.text();
    rewrite_parts(text, [&](TextRange part, Rewriter& out) {
      const std::string_view own = all.substr(part.begin, part.size());
      const bool first = prepend_ == Prepend::kAlways ||
                         (prepend_ == Prepend::kFirst && text.stretch.begins_text(part.begin));
      if (first && !own.starts_with(' ') && !own.starts_with(sign_)) out.put(sign_, part.begin);
      for (std::uint32_t at = part.begin; at < part.end;) {
        const auto space = static_cast<std::uint32_t>(
            std::min<std::size_t>(all.substr(0, part.end).find(' ', at), part.end));
        out.copy(at, space);
        if (space < part.end) out.put(sign_, space);
        at = space + 1;
      }
    });
    if (!split_) return;
    Cutter cutter(Behavior::kMergedWithNext, text.spare);
    cut_parts(text, [&](TextRange part) {
      cutter.begin(part);
      pattern_->for_each_match(text.stretch.text(), part,
                               [&](TextRange match) { cutter.match(match); });
      cutter.end();
    });
  }

 private:
  std::string sign_;
  Prepend prepend_;
  bool split_;
  std::unique_ptr<Pattern> pattern_;
};

class ByteLevelPreTokenizer : public PreTokenizer {
 public:
  ByteLevelPreTokenizer(bool prefix, bool rule) : prefix_(prefix), rule_(rule) {}
  bool is_byte_level() const override { return true; }

  void apply(CutText& text) const override {
    if (prefix_) {
      const std::string_view all = text.stretch.text();
      rewrite_parts(text, [&](TextRange part, Rewriter& out) {
        if (all[part.begin] != ' ') out.put(" ", part.begin);
        out.copy(part.begin, part.end);
      });
    }
    if (!rule_) return;
    cut_parts(text, [&](TextRange part) {
      split_by_rule(SplitRule::kGpt2, text.stretch.text(), part, text.spare);
    });
  }

 private:
  bool prefix_, rule_;
};

std::unique_ptr<PreTokenizer> make_metaspace(const JsonAccess& json) {
  using Prepend = MetaspacePreTokenizer::Prepend;
  const std::string sign = json.string_or("replacement", "\u2581");
  if (count_code_points(sign) != 1) json["replacement"].fail("expected one character");
  Prepend prepend = json.boolean_or("add_prefix_space", true) ? Prepend::kAlways : Prepend::kNever;
  if (json.has("prepend_scheme")) {
    const std::string scheme = json["prepend_scheme"].string();
    if (scheme != "always" && scheme != "first" && scheme != "never") {
      json["prepend_scheme"].fail("\"", scheme, "\", expected always, first or never");
    }
    prepend = scheme == "always"  ? Prepend::kAlways
              : scheme == "first" ? Prepend::kFirst
                                  : Prepend::kNever;
  }
  return std::make_unique<MetaspacePreTokenizer>(sign, prepend, json.boolean_or("split", true));
}

std::unique_ptr<PreTokenizer> make_split(const JsonAccess& json) {
  const Behavior behavior = behavior_of(json["behavior"]);
  const bool invert = json.boolean_or("invert", false);
  const JsonAccess pattern = json["pattern"];
  if (pattern.has("Regex") && behavior != Behavior::kContiguous) {
    // Their matches are all of the text: isolated, or what is kept when what is between goes.
    const auto rule = split_rule_of(pattern["Regex"].string());
    if (rule && (behavior == Behavior::kIsolated || (behavior == Behavior::kRemoved && invert))) {
      return std::make_unique<RulePreTokenizer>(*rule);
    }
  }
  return std::make_unique<PatternPreTokenizer>(make_pattern(pattern), behavior, invert);
}

/// Runs of word characters, and of what is neither that nor white space.
std::unique_ptr<PreTokenizer> make_whitespace(const JsonAccess& json) {
  static const Json expression = {{"Regex", R"(\w+|[^\w\s]+)"}};
  return std::make_unique<PatternPreTokenizer>(make_pattern({expression, json.place()}),
                                               Behavior::kRemoved, true);
}

std::unique_ptr<PreTokenizer> make_sequence_pre_tokenizer(const JsonAccess& json) {
  const JsonAccess list = json["pretokenizers"];
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!steps.empty() && steps.back()->is_byte_level()) {
      list[i].fail("ByteLevel is supported as the last step only");
    }
    if (auto step = make_pre_tokenizer(list[i])) steps.push_back(std::move(step));
  }
  return std::make_unique<SequencePreTokenizer>(std::move(steps));
}

bool is_numeric(char32_t c) {
  return class_of(c) == CharacterClass::kNumber;
}

}  // namespace

std::unique_ptr<PreTokenizer> make_pre_tokenizer(const JsonAccess& json) {
  if (json.json().is_null()) return nullptr;
  const std::string type = json.type();
  if (type == "Sequence") return make_sequence_pre_tokenizer(json);
  if (type == "ByteLevel") {
    return std::make_unique<ByteLevelPreTokenizer>(json.boolean_or("add_prefix_space", true),
                                                   json.boolean_or("use_regex", true));
  }
  if (type == "BertPreTokenizer") return std::make_unique<BertPreTokenizer>();
  if (type == "Metaspace") return make_metaspace(json);
  if (type == "Split") return make_split(json);
  if (type == "Whitespace") return make_whitespace(json);
  if (type == "WhitespaceSplit") {
    return std::make_unique<CharacterPreTokenizer>(is_white_space, Behavior::kRemoved);
  }
  if (type == "Digits") {
    return std::make_unique<CharacterPreTokenizer>(
        is_numeric,
        json.boolean_or("individual_digits", false) ? Behavior::kIsolated : Behavior::kContiguous);
  }
  if (type == "Punctuation") {
    return std::make_unique<CharacterPreTokenizer>(
        is_bert_punctuation,
        json.has("behavior") ? behavior_of(json["behavior"]) : Behavior::kIsolated);
  }
  if (type == "CharDelimiterSplit") {
    const auto delimiter = code_points(json["delimiter"].string());
    if (delimiter.size() != 1) json["delimiter"].fail("expected one character");
    return std::make_unique<CharacterPreTokenizer>(
        [c = delimiter[0]](char32_t d) { return d == c; }, Behavior::kRemoved);
  }
  json.refuse_type("pre-tokenizer",
                   "BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, Metaspace, "
                   "Punctuation, Sequence, Split, Whitespace and WhitespaceSplit");
}

}  // namespace llmctl
