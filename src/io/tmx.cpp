#include "io/tmx.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "base/utf8.h"
#include "io/text_format.h"
#include "io/text_source.h"

namespace llmctl {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

/// What is wrong within a unit.
struct Malformed {
  std::string what;
};

/// More than the longest reference to a character.
constexpr std::size_t kLongestReference = 64;

/// The text behind white space.
std::string_view skip_space(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return text;
}

/// "&amp;" and numbers of characters; others are as they stand.
std::string without_references(std::string_view text) {
  static constexpr std::pair<std::string_view, std::string_view> kNamed[] = {
      {"lt", "<"}, {"gt", ">"}, {"amp", "&"}, {"quot", "\""}, {"apos", "'"}};
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length =
        text[i] == '&' ? text.substr(i, kLongestReference).find(';') : text.npos;
    if (length == text.npos) {
      out += text[i++];
      continue;
    }
    const std::size_t end = i + length;
    std::string_view name = text.substr(i + 1, end - i - 1);
    const auto named = std::find_if(std::begin(kNamed), std::end(kNamed),
                                    [&](const auto& entry) { return entry.first == name; });
    if (named != std::end(kNamed)) {
      out += named->second;
    } else if (name.starts_with('#')) {
      name.remove_prefix(1);
      const bool hexadecimal = name.starts_with('x');
      if (hexadecimal) name.remove_prefix(1);
      std::uint32_t code = 0;
      const auto [stop, error] =
          std::from_chars(name.data(), name.data() + name.size(), code, hexadecimal ? 16 : 10);
      const bool character = code > 0 && code < 0x110000 && (code < 0xD800 || code > 0xDFFF);
      if (error != std::errc() || stop != name.data() + name.size() || !character)
        throw Malformed{concat("&", text.substr(i + 1, end - i - 1), "; is no character")};
      append_utf8(out, static_cast<char32_t>(code));
    } else {
      throw Malformed{concat("&", name, "; is not known")};
    }
    i = end + 1;
  }
  return out;
}

struct Tag {
  std::string_view name, attributes;
  bool closes = false, empty = false;
};

/// Takes what stands up to `end` off the text.
std::string_view take_until(std::string_view& text, std::string_view end, const char* what) {
  const std::size_t at = text.find(end);
  if (at == text.npos) throw Malformed{concat(what, " never ends")};
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at + end.size());
  return taken;
}

/// The tag behind its "<".
Tag take_tag(std::string_view& text) {
  // A ">" may stand in the value of an attribute.
  char quote = 0;
  std::size_t end = 0;
  for (; end < text.size() && (quote != 0 || text[end] != '>'); ++end) {
    if (quote != 0 ? text[end] == quote : text[end] == '"' || text[end] == '\'')
      quote = quote != 0 ? 0 : text[end];
  }
  if (end == text.size()) throw Malformed{"a tag never ends"};
  std::string_view inside = text.substr(0, end);
  text.remove_prefix(end + 1);
  Tag tag;
  tag.closes = inside.starts_with('/');
  if (tag.closes) inside.remove_prefix(1);
  tag.empty = inside.ends_with('/');
  if (tag.empty) inside.remove_suffix(1);
  const std::size_t name = std::min(inside.find_first_of(kSpace), inside.size());
  tag.name = inside.substr(0, name);
  tag.attributes = inside.substr(name);
  if (tag.name.empty()) throw Malformed{"'<' begins no tag (a text spells it &lt;)"};
  return tag;
}

std::optional<std::string> attribute(std::string_view attributes, std::string_view name) {
  for (std::size_t at = 0; (at = attributes.find(name, at)) != attributes.npos; ++at) {
    const bool begins = at > 0 && kSpace.find(attributes[at - 1]) != kSpace.npos;
    std::string_view rest = attributes.substr(at + name.size());
    rest = skip_space(rest);
    if (!begins || !rest.starts_with('=')) continue;
    rest = skip_space(rest.substr(1));
    if (rest.empty() || (rest[0] != '"' && rest[0] != '\'')) return std::nullopt;
    const std::size_t end = rest.find(rest[0], 1);
    if (end == rest.npos) return std::nullopt;
    return without_references(rest.substr(1, end - 1));
  }
  return std::nullopt;
}

bool is_native_code(std::string_view name) {
  return name == "bpt" || name == "ept" || name == "it" || name == "ph" || name == "ut";
}

/// The segments between "<tu …>" and "</tu>".
TranslationUnit parse_unit(std::string_view text) {
  TranslationUnit unit;
  std::optional<std::string> language;
  std::string segment;
  bool in_segment = false;
  int native = 0;  // depth of native code
  const auto add = [&](std::string piece) {
    if (in_segment && native == 0) segment += piece;
  };
  while (!text.empty()) {
    const std::size_t markup = std::min(text.find('<'), text.size());
    add(without_references(text.substr(0, markup)));
    text.remove_prefix(std::min(markup + 1, text.size()));
    if (text.empty()) break;
    if (text.starts_with("!--")) {
      take_until(text, "-->", "a comment");
    } else if (text.starts_with("![CDATA[")) {
      text.remove_prefix(8);
      add(std::string(take_until(text, "]]>", "a CDATA section")));
    } else if (text.starts_with('?')) {
      take_until(text, "?>", "a processing instruction");
    } else {
      const Tag tag = take_tag(text);
      if (tag.name == "tuv") {
        language.reset();
        if (tag.closes) continue;
        language = attribute(tag.attributes, "xml:lang");
        if (!language) language = attribute(tag.attributes, "lang");  // before TMX 1.4
        if (!language) throw Malformed{"a <tuv> says no language (xml:lang)"};
      } else if (tag.name == "seg") {
        if (tag.closes && language) unit.emplace_back(*language, segment);
        segment.clear();
        in_segment = !tag.closes && !tag.empty;
      } else if (is_native_code(tag.name) && !tag.empty) {
        native += tag.closes ? -1 : 1;
        if (native < 0) throw Malformed{concat("</", tag.name, "> closes nothing")};
      }
    }
  }
  if (in_segment || native > 0) throw Malformed{"a segment never ends"};
  return unit;
}

/// Where "<tu" begins a unit in the text from `at` on, not "<tuv".
std::size_t find_unit(std::string_view text, std::size_t at) {
  for (; (at = text.find("<tu", at)) != text.npos; at += 3) {
    if (at + 3 == text.size() || text[at + 3] == '>' || kSpace.find(text[at + 3]) != kSpace.npos)
      return at;
  }
  return text.npos;
}

}  // namespace

void for_each_translation_unit(
    const std::filesystem::path& path,
    const std::function<bool(std::uint64_t, const TranslationUnit&)>& use,
    const std::function<void(const Error&)>& bad) {
  const std::string head = read_head(path);
  const std::string no_text = no_text_of(head);
  require(no_text.empty(), ErrorCode::kData, path, ": ", no_text);
  require(head.find("<tmx") != head.npos, ErrorCode::kData, path, ": has no <tmx>, expected TMX");
  std::string text;          // from the beginning of a unit
  std::uint64_t begin = 0;   // its line; 0: in no unit
  std::size_t searched = 0;  // of the text, for the end of the unit
  std::optional<Error> broken;
  // A unit is whole when the line that ends it is there.
  for_each_checked_line(path, [&](std::uint64_t number, std::string_view line, const Error* error) {
    if (begin == 0) text.clear();
    text.append(line) += '\n';
    require(text.size() <= kMaxTextUnit, ErrorCode::kData, path, ":", begin,
            ": a unit of more than ", kMaxTextUnit >> 20, " MiB");
    std::size_t at = 0;
    while (true) {
      if (begin == 0) {
        at = find_unit(text, at);
        if (at == text.npos) return true;
        begin = number;
        searched = at;
        broken.reset();
      }
      if (error != nullptr && !broken) broken = *error;
      constexpr std::string_view kEnd = "</tu>";
      const std::size_t end = text.find(kEnd, searched);
      if (end == text.npos) {
        text.erase(0, at);
        searched = text.size() - std::min(text.size(), kEnd.size() - 1);
        return true;
      }
      const std::uint64_t place = std::exchange(begin, 0);
      try {
        if (broken) {
          bad(*broken);
        } else if (!use(place, parse_unit(std::string_view(text).substr(at, end - at)))) {
          return false;
        }
      } catch (const Malformed& malformed) {
        bad(Error(ErrorCode::kData, concat(path.string(), ":", place, ": ", malformed.what)));
      }
      at = end + kEnd.size();
    }
  });
  require(begin == 0, ErrorCode::kData, path, ":", begin, ": the file ends within this unit");
}

}  // namespace llmctl
