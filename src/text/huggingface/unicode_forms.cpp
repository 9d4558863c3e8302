#include "text/huggingface/unicode_forms.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/utf8.h"
#include "text/characters.h"

namespace llmctl {
namespace {

using Change = Rewriter::Change;

bool composes(UnicodeForm form) {
  return form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc;
}

bool is_compatible(UnicodeForm form) {
  return form == UnicodeForm::kNfkc || form == UnicodeForm::kNfkd;
}

int combining_class(char32_t c) {
  return utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
}

/// Characters that no form changes and that meet nothing: below U+0300 only with what follows.
bool is_plain(char32_t c) {
  if (c < 0x80) return true;
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3041 && c <= 0x3046) ||
         (c >= 0x3001 && c <= 0x3020);
}

/// True for what may join with the character before it, or be put in another order.
bool joins(char32_t c) {
  if (c < 0x300) return false;
  if (is_plain(c)) return false;
  const bool jamo = c >= 0x1160 && c <= 0x11FF;
  const auto kind = category(c);
  return jamo || kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_MC ||
         combining_class(c) != 0;
}

void decompose(char32_t c, bool compatible, std::vector<Change>& out) {
  std::array<utf8proc_int32_t, 32> parts;
  int last_boundclass = 0;
  const auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0));
  const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(),
                                             static_cast<utf8proc_ssize_t>(parts.size()), options,
                                             &last_boundclass);
  if (count <= 0 || count > static_cast<utf8proc_ssize_t>(parts.size())) {
    out.push_back({c, 0});
    return;
  }
  for (utf8proc_ssize_t i = 0; i < count; ++i) {
    out.push_back({static_cast<char32_t>(parts[static_cast<std::size_t>(i)]), i == 0 ? 0 : 1});
  }
}

std::optional<char32_t> composition(char32_t a, char32_t b) {
  std::array<utf8proc_int32_t, 2> pair = {static_cast<utf8proc_int32_t>(a),
                                          static_cast<utf8proc_int32_t>(b)};
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  if (utf8proc_normalize_utf32(pair.data(), 2, options) != 1) return std::nullopt;
  return static_cast<char32_t>(pair[0]);
}

/// Canonical composition (UAX #15) in place.
void compose(std::vector<Change>& text) {
  std::optional<std::size_t> starter;
  int last_class = 0;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const Change next = text[i];
    const int this_class = combining_class(next.code_point);
    const bool adjacent = starter && kept == *starter + 1;
    const bool blocked = !adjacent && (last_class == 0 || last_class >= this_class);
    if (starter && !blocked) {
      if (const auto joined = composition(text[*starter].code_point, next.code_point)) {
        // Two characters became one: where both were there, one of the old text is gone.
        text[*starter].code_point = *joined;
        text[*starter].change += next.change - 1;
        continue;
      }
    }
    if (this_class == 0) starter = kept;
    last_class = this_class;
    text[kept++] = next;
  }
  text.resize(kept);
}

}  // namespace

bool is_in_form(std::string_view text, UnicodeForm form) {
  for (std::size_t at = 0; at < text.size();) {
    const auto [c, length] = character_at(text, at);
    at += length;
    if (c < 0x80 || is_plain(c)) continue;
    if (c < 0x300 && form == UnicodeForm::kNfc) continue;
    if (joins(c)) return false;
    std::array<utf8proc_int32_t, 32> parts;
    int boundclass = 0;
    const auto options = static_cast<utf8proc_option_t>(
        UTF8PROC_DECOMPOSE | (is_compatible(form) ? UTF8PROC_COMPAT : 0));
    const auto count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), parts.data(),
                                static_cast<utf8proc_ssize_t>(parts.size()), options, &boundclass);
    const bool same = count == 1 && static_cast<char32_t>(parts[0]) == c;
    const bool hangul = composes(form) && c >= 0xAC00 && c <= 0xD7A3;
    if (!same && !hangul) return false;
  }
  return true;
}

std::size_t form_boundary(std::string_view text, std::size_t at) {
  at += character_at(text, at).length;
  while (at < text.size()) {
    const auto [c, length] = character_at(text, at);
    if (!joins(c)) {
      // Compatibility forms of some characters begin with a mark.
      std::vector<Change> parts;
      if (c >= 0x300 && !is_plain(c)) decompose(c, true, parts);
      if (parts.empty() || !joins(parts[0].code_point)) return at;
    }
    at += length;
  }
  return at;
}

std::vector<Change> changes_to_form(std::string_view text, UnicodeForm form) {
  std::vector<Change> changes;
  for (std::size_t at = 0; at < text.size();) {
    decompose(next_code_point(text, at), is_compatible(form), changes);
  }
  // Marks in a row are put in the order of their classes.
  for (auto begin = changes.begin(); begin != changes.end();) {
    if (combining_class(begin->code_point) == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, changes.end(), [](const Change& change) {
      return combining_class(change.code_point) == 0;
    });
    std::stable_sort(begin, end, [](const Change& a, const Change& b) {
      return combining_class(a.code_point) < combining_class(b.code_point);
    });
    begin = end;
  }
  if (composes(form)) compose(changes);
  return changes;
}

void decompose_character(char32_t c, std::vector<Change>& out) {
  decompose(c, false, out);
}

char32_t canonical_singleton(char32_t c) {
  if (c >= 0x3400 && c <= 0x9FFF) return c;
  std::vector<Change> parts;
  decompose(c, false, parts);
  return parts.size() == 1 ? parts[0].code_point : c;
}

std::size_t grapheme_end(std::string_view text, std::size_t at) {
  auto [previous, length] = character_at(text, at);
  at += length;
  utf8proc_int32_t state = 0;
  while (at < text.size()) {
    const auto next = character_at(text, at);
    if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(previous),
                                         static_cast<utf8proc_int32_t>(next.code_point), &state)) {
      break;
    }
    previous = next.code_point;
    at += next.length;
  }
  return at;
}

}  // namespace llmctl
