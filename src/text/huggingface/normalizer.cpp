#include "text/huggingface/normalizer.h"

#include <algorithm>
#include <functional>

#include "base/utf8.h"
#include "text/base64.h"
#include "text/characters.h"
#include "text/charsmap.h"
#include "text/huggingface/old_unicode.h"
#include "text/huggingface/pattern.h"
#include "text/huggingface/unicode_forms.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

using Change = Rewriter::Change;

class SequenceNormalizer : public Normalizer {
 public:
  explicit SequenceNormalizer(std::vector<std::unique_ptr<Normalizer>> steps)
      : steps_(std::move(steps)) {}
  void apply(Stretch& stretch) const override {
    for (const auto& step : steps_) step->apply(stretch);
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> steps_;
};

class FormNormalizer : public Normalizer {
 public:
  explicit FormNormalizer(UnicodeForm form) : form_(form) {}
  void apply(Stretch& stretch) const override {
    const std::string_view text = stretch.text();
    if (is_in_form(text, form_)) return;
    Rewriter out(stretch);
    for (std::size_t at = 0; at < text.size();) {
      // What is between two boundaries never meets what is outside.
      const std::size_t end = form_boundary(text, at);
      const std::string_view part = text.substr(at, end - at);
      if (is_in_form(part, form_)) {
        out.copy(at, end);
      } else {
        out.put_changes(changes_to_form(part, form_), at);
      }
      at = end;
    }
    out.commit();
  }

 private:
  UnicodeForm form_;
};

/// One character at a time.
class CharacterNormalizer : public Normalizer {
 public:
  /// What becomes of a character: `unchanged`, or the characters appended to the list.
  using Rule = bool (*)(char32_t c, std::vector<char32_t>& out);
  explicit CharacterNormalizer(Rule rule) : rule_(rule) {}

  void apply(Stretch& stretch) const override {
    const std::string_view text = stretch.text();
    Rewriter out(stretch);
    std::vector<char32_t> characters;
    std::size_t kept = 0;  // from here to `at` the text stays
    for (std::size_t at = 0; at < text.size();) {
      const auto [c, length] = character_at(text, at);
      characters.clear();
      if (rule_(c, characters)) {
        at += length;
        continue;
      }
      out.copy(kept, at);
      for (const char32_t changed : characters) out.put(changed, at);
      at += length;
      kept = at;
    }
    if (kept == 0) return;
    out.copy(kept, text.size());
    out.commit();
  }

 private:
  Rule rule_;
};

bool lowercase(char32_t c, std::vector<char32_t>& out) {
  if (c == 0x130) {  // the one whose lower case is two characters
    out = {U'i', 0x307};
    return false;
  }
  const char32_t lower = to_lower(c);
  if (lower == c) return true;
  out.push_back(lower);
  return false;
}

bool strip_accent(char32_t c, std::vector<char32_t>&) {
  return !is_combining_mark(c);
}

/// The rules of Google's NMT models, before a table of their own.
bool nmt(char32_t c, std::vector<char32_t>& out) {
  const bool dropped = (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) ||
                       c == 0x7F || c == 0x8F || c == 0x9F;
  if (dropped) return false;
  const bool space = c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
                     (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
                     c == 0xFEFF || c == 0xFFFD;
  if (!space) return true;
  out.push_back(U' ');
  return false;
}

class StripNormalizer : public Normalizer {
 public:
  StripNormalizer(bool left, bool right) : left_(left), right_(right) {}
  void apply(Stretch& stretch) const override {
    const std::string_view text = stretch.text();
    std::size_t begin = text.size(), end = 0;  // of what is no white space
    for (std::size_t at = 0; at < text.size();) {
      const auto [c, length] = character_at(text, at);
      if (!is_white_space(c)) begin = std::min(begin, at);
      at += length;
      if (!is_white_space(c)) end = at;
    }
    if (!left_) begin = 0;
    if (!right_) end = text.size();
    end = std::max(begin, end);
    if (begin == 0 && end == text.size()) return;
    Rewriter out(stretch);
    out.copy(begin, end);
    out.commit();
  }

 private:
  bool left_, right_;
};

class PrependNormalizer : public Normalizer {
 public:
  explicit PrependNormalizer(std::string text) : text_(std::move(text)) {}
  void apply(Stretch& stretch) const override {
    const std::size_t size = stretch.text().size();
    if (size == 0) return;
    Rewriter out(stretch);
    out.put(text_, 0);
    out.copy(0, size);
    out.commit();
  }

 private:
  std::string text_;
};

class ReplaceNormalizer : public Normalizer {
 public:
  ReplaceNormalizer(std::unique_ptr<Pattern> pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void apply(Stretch& stretch) const override { replace_all(stretch, *pattern_, content_); }

 private:
  std::unique_ptr<Pattern> pattern_;
  std::string content_;
};

/// A SentencePiece table, applied as Hugging Face's tokenizers do: to a grapheme cluster of less
/// than six bytes as a whole by the shortest key that it begins with, else character by character.
class PrecompiledNormalizer : public Normalizer {
 public:
  explicit PrecompiledNormalizer(Charsmap map) : map_(std::move(map)) {}

  void apply(Stretch& stretch) const override {
    const std::string_view text = stretch.text();
    std::vector<Change> changes;
    bool modified = false;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = grapheme_end(text, begin);
      const std::string_view cluster = text.substr(begin, end - begin);
      begin = end;
      const auto whole = cluster.size() < 6 ? map_.shortest_match(cluster) : std::nullopt;
      if (whole) {
        replace(cluster, whole->replacement, changes);
        modified = true;
        continue;
      }
      for (std::size_t at = 0; at < cluster.size();) {
        const auto [c, length] = character_at(cluster, at);
        const std::string_view character = cluster.substr(at, length);
        at += length;
        if (const auto match = map_.shortest_match(character)) {
          replace(character, match->replacement, changes);
          modified = true;
        } else {
          changes.push_back({c, 0});
        }
      }
    }
    if (!modified) return;
    Rewriter out(stretch);
    out.put_changes(changes, 0);
    out.commit();
  }

 private:
  static void replace(std::string_view old, std::string_view replacement,
                      std::vector<Change>& changes) {
    const auto old_count = static_cast<int>(count_code_points(old));
    int count = 0;
    for (std::size_t at = 0; at < replacement.size(); ++count) {
      changes.push_back({next_code_point(replacement, at), count < old_count ? 0 : 1});
    }
    if (count < old_count && !changes.empty()) changes.back().change += count - old_count;
  }

  Charsmap map_;
};

/// clean_text, handle_chinese_chars, strip_accents and lowercase in one walk.
class BertNormalizer : public Normalizer {
 public:
  BertNormalizer(bool clean, bool ideographs, bool strip_accents, bool lower)
      : clean_(clean), ideographs_(ideographs), strip_accents_(strip_accents), lower_(lower) {
    for (char32_t c = 0; c < 128; ++c) {
      char& to = ascii_[c];
      to = static_cast<char>(c);
      if (clean_ && (c == '\t' || c == '\n' || c == '\r')) to = ' ';
      if (lower_ && c >= 'A' && c <= 'Z') to = static_cast<char>(c | 32);
      drop_[c] = clean_ && to != ' ' && (c < 32 || c == 127);
    }
  }

  void apply(Stretch& stretch) const override {
    const std::string_view text = stretch.text();
    Rewriter out(stretch);
    std::vector<Change> changes;
    for (std::size_t at = 0; at < text.size();) {
      const auto byte = static_cast<unsigned char>(text[at]);
      if (byte < 128) {
        // A combining mark behind a letter belongs to its decomposition, which changes neither.
        if (!drop_[byte]) out.put(std::string_view(&ascii_[byte], 1), at);
        ++at;
        continue;
      }
      at = rare(text, at, out, changes);
    }
    out.commit();
  }

 private:
  bool dropped(char32_t c) const {
    if (!clean_) return false;
    return c == 0xFFFD || is_control_character(c);
  }

  void finish(char32_t c, std::size_t at, Rewriter& out) const {
    if (!lower_) return out.put(c, at);
    if (c == 0x130) {
      out.put(U'i', at);
      return out.put(0x307, at);
    }
    out.put(to_lower(c), at);
  }

  /// The character at `at`, which is none of ASCII.
  std::size_t rare(std::string_view text, std::size_t at, Rewriter& out,
                   std::vector<Change>& scratch) const {
    const auto [c, length] = character_at(text, at);
    if (dropped(c)) return at + length;
    if (clean_ && is_white_space(c) && c != 0x85) {
      out.put(" ", at);
    } else if (ideographs_ && is_bert_ideograph(c)) {
      out.put(" ", at);
      // Only compatibility ideographs decompose, into one other.
      finish(strip_accents_ ? canonical_singleton(c) : c, at, out);
      out.put(" ", at);
    } else if (strip_accents_) {
      scratch.clear();
      decompose_character(c, scratch);
      for (const Change& part : scratch) {
        if (!is_nonspacing_mark(part.code_point)) finish(part.code_point, at, out);
      }
    } else {
      finish(c, at, out);
    }
    return at + length;
  }

  bool clean_, ideographs_, strip_accents_, lower_;
  std::array<char, 128> ascii_;
  std::array<bool, 128> drop_;
};

std::unique_ptr<Normalizer> make_bert(const JsonAccess& json) {
  const bool lower = json.boolean_or("lowercase", true);
  return std::make_unique<BertNormalizer>(json.boolean_or("clean_text", true),
                                          json.boolean_or("handle_chinese_chars", true),
                                          json.boolean_or("strip_accents", lower), lower);
}

std::unique_ptr<Normalizer> make_precompiled(const JsonAccess& json) {
  const JsonAccess table = json["precompiled_charsmap"];
  const auto bytes = decode_base64(table.string());
  if (!bytes) table.fail("not base64");
  return std::make_unique<PrecompiledNormalizer>(Charsmap(*bytes, table.place()));
}

std::unique_ptr<Normalizer> make_sequence_normalizer(const JsonAccess& json) {
  const JsonAccess list = json["normalizers"];
  std::vector<std::unique_ptr<Normalizer>> steps;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (auto step = make_normalizer(list[i])) steps.push_back(std::move(step));
  }
  return std::make_unique<SequenceNormalizer>(std::move(steps));
}

}  // namespace

std::unique_ptr<Normalizer> make_normalizer(const JsonAccess& json) {
  if (json.json().is_null()) return nullptr;
  const std::string type = json.type();
  if (type == "Sequence") return make_sequence_normalizer(json);
  if (type == "BertNormalizer") return make_bert(json);
  if (type == "NFC") return std::make_unique<FormNormalizer>(UnicodeForm::kNfc);
  if (type == "NFD") return std::make_unique<FormNormalizer>(UnicodeForm::kNfd);
  if (type == "NFKC") return std::make_unique<FormNormalizer>(UnicodeForm::kNfkc);
  if (type == "NFKD") return std::make_unique<FormNormalizer>(UnicodeForm::kNfkd);
  if (type == "Lowercase") return std::make_unique<CharacterNormalizer>(lowercase);
  if (type == "StripAccents") return std::make_unique<CharacterNormalizer>(strip_accent);
  if (type == "Nmt") return std::make_unique<CharacterNormalizer>(nmt);
  if (type == "Strip") {
    return std::make_unique<StripNormalizer>(json.boolean_or("strip_left", true),
                                             json.boolean_or("strip_right", true));
  }
  if (type == "Prepend") return std::make_unique<PrependNormalizer>(json["prepend"].string());
  if (type == "Replace") {
    return std::make_unique<ReplaceNormalizer>(make_pattern(json["pattern"]),
                                               json["content"].string());
  }
  if (type == "Precompiled") return make_precompiled(json);
  json.refuse_type("normalizer",
                   "BertNormalizer, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, "
                   "Replace, Sequence, Strip and StripAccents");
}

}  // namespace llmctl
