#include "corpus/html_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include "base/utf8.h"

namespace llmctl {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c;
}
bool is_letter(char c) {
  return lower(c) >= 'a' && lower(c) <= 'z';
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/// Elements of HTML, the old ones too, and those of SVG that stand in pages.
bool is_element(std::string_view name) {
  static const std::set<std::string_view> kElements = {"a",
                                                       "abbr",
                                                       "acronym",
                                                       "address",
                                                       "applet",
                                                       "area",
                                                       "article",
                                                       "aside",
                                                       "audio",
                                                       "b",
                                                       "base",
                                                       "basefont",
                                                       "bdi",
                                                       "bdo",
                                                       "big",
                                                       "blink",
                                                       "blockquote",
                                                       "body",
                                                       "br",
                                                       "button",
                                                       "canvas",
                                                       "caption",
                                                       "center",
                                                       "cite",
                                                       "code",
                                                       "col",
                                                       "colgroup",
                                                       "data",
                                                       "datalist",
                                                       "dd",
                                                       "del",
                                                       "details",
                                                       "dfn",
                                                       "dialog",
                                                       "dir",
                                                       "div",
                                                       "dl",
                                                       "dt",
                                                       "em",
                                                       "embed",
                                                       "fieldset",
                                                       "figcaption",
                                                       "figure",
                                                       "font",
                                                       "footer",
                                                       "form",
                                                       "frame",
                                                       "frameset",
                                                       "h1",
                                                       "h2",
                                                       "h3",
                                                       "h4",
                                                       "h5",
                                                       "h6",
                                                       "head",
                                                       "header",
                                                       "hgroup",
                                                       "hr",
                                                       "html",
                                                       "i",
                                                       "iframe",
                                                       "img",
                                                       "input",
                                                       "ins",
                                                       "kbd",
                                                       "label",
                                                       "legend",
                                                       "li",
                                                       "link",
                                                       "main",
                                                       "map",
                                                       "mark",
                                                       "marquee",
                                                       "menu",
                                                       "meta",
                                                       "meter",
                                                       "nav",
                                                       "nobr",
                                                       "noframes",
                                                       "noscript",
                                                       "object",
                                                       "ol",
                                                       "optgroup",
                                                       "option",
                                                       "output",
                                                       "p",
                                                       "param",
                                                       "picture",
                                                       "pre",
                                                       "progress",
                                                       "q",
                                                       "rp",
                                                       "rt",
                                                       "ruby",
                                                       "s",
                                                       "samp",
                                                       "script",
                                                       "section",
                                                       "select",
                                                       "slot",
                                                       "small",
                                                       "source",
                                                       "span",
                                                       "strike",
                                                       "strong",
                                                       "style",
                                                       "sub",
                                                       "summary",
                                                       "sup",
                                                       "svg",
                                                       "table",
                                                       "tbody",
                                                       "td",
                                                       "template",
                                                       "textarea",
                                                       "tfoot",
                                                       "th",
                                                       "thead",
                                                       "time",
                                                       "title",
                                                       "tr",
                                                       "track",
                                                       "tt",
                                                       "u",
                                                       "ul",
                                                       "var",
                                                       "video",
                                                       "wbr",
                                                       "path",
                                                       "g",
                                                       "rect",
                                                       "circle",
                                                       "polygon",
                                                       "polyline",
                                                       "ellipse",
                                                       "defs",
                                                       "use",
                                                       "symbol",
                                                       "tspan",
                                                       "stop",
                                                       "lineargradient",
                                                       "radialgradient",
                                                       "clippath"};
  return kElements.contains(name);
}

bool is_boolean_attribute(std::string_view name) {
  static constexpr std::array<std::string_view, 27> kNames = {
      "allowfullscreen", "async", "autofocus", "autoplay", "checked",  "compact", "controls",
      "default",         "defer", "disabled",  "download", "hidden",   "inert",   "ismap",
      "itemscope",       "loop",  "multiple",  "muted",    "nohref",   "noshade", "novalidate",
      "nowrap",          "open",  "readonly",  "required", "reversed", "selected"};
  return name.starts_with("data-") || std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

struct Tag {
  std::string name;     ///< of a known element, in lower case
  bool closes = false;  ///< </name>
  bool plain = true;    ///< without attributes
  std::size_t end = 0;  ///< behind its ">"
};

/// Reads attributes from `at` to behind the ">"; npos where they are none: "<b and c>" compares.
std::size_t attributes_end(std::string_view text, std::size_t at, bool& plain) {
  const std::size_t limit = std::min(text.size(), at + 16 * 1024);
  bool apart = true;  // an attribute may begin here
  while (at < limit) {
    if (is_space(text[at])) {
      apart = true;
      ++at;
    } else if (text[at] == '>') {
      return at + 1;
    } else if (text[at] == '/') {
      apart = true;
      ++at;
    } else {
      const std::size_t begin = at;
      while (at < limit && !is_space(text[at]) &&
             std::string_view("\"'<>/=").find(text[at]) == std::string_view::npos) {
        ++at;
      }
      if (!apart || begin == at || at == limit) return text.npos;
      std::string name(text.substr(begin, at - begin));
      for (char& c : name) c = lower(c);
      if (!is_letter(name[0]) &&
          std::string_view("@:_#*[(v").find(name[0]) == std::string_view::npos) {
        return text.npos;
      }
      std::size_t sign = at;
      while (sign < limit && is_space(text[sign])) ++sign;
      plain = false;
      apart = false;
      if (sign == limit || text[sign] != '=') {
        if (!is_boolean_attribute(name)) return text.npos;
        continue;
      }
      at = sign + 1;
      while (at < limit && is_space(text[at])) ++at;
      if (at == limit) return text.npos;
      if (text[at] == '"' || text[at] == '\'') {
        const std::size_t close = text.substr(0, limit).find(text[at], at + 1);
        if (close == text.npos) return text.npos;
        at = close + 1;
        apart = true;
      } else {
        while (at < limit && !is_space(text[at]) && text[at] != '>' && text[at] != '<') ++at;
      }
    }
  }
  return text.npos;
}

/// The tag that begins at text[at] == '<'; its end is 0 where there is none.
Tag tag_at(std::string_view text, std::size_t at, Elements elements) {
  Tag tag;
  ++at;
  if (at < text.size() && text[at] == '/') {
    tag.closes = true;
    ++at;
  }
  for (; at < text.size() && tag.name.size() < 16; ++at) {
    const char c = lower(text[at]);
    if (!is_letter(c) && !(c >= '0' && c <= '9' && !tag.name.empty())) break;
    tag.name += c;
  }
  if (at >= text.size() || tag.name.empty()) return tag;
  if (elements == Elements::kHtml && !is_element(tag.name)) return tag;
  if (!is_space(text[at]) && text[at] != '>' && text[at] != '/') return tag;
  if (tag.closes) {
    while (at < text.size() && is_space(text[at])) ++at;
    if (at < text.size() && text[at] == '>') tag.end = at + 1;
    return tag;
  }
  const std::size_t end = attributes_end(text, at, tag.plain);
  if (end != text.npos) tag.end = end;
  return tag;
}

/// Elements whose content is no text.
bool is_unseen(std::string_view name) {
  return name == "script" || name == "style" || name == "noscript" || name == "template";
}

/// Elements of one letter are generics and comparisons too ("x<i>y", "vector<b>"), and prose names
/// those that hide their content: tags where the text closes them. <p> needs no closing.
bool must_be_closed(std::string_view name) {
  return (name.size() == 1 && name != "p") || is_unseen(name);
}

/// Behind a declaration, CDATA's marks or a processing instruction that begins at text[at] == '<';
/// npos: none.
std::size_t declaration_end(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at, 16);
  const auto is = [&](std::string_view word) {
    return rest.size() >= word.size() && std::equal(word.begin(), word.end(), rest.begin(),
                                                    [](char a, char b) { return a == lower(b); });
  };
  const std::string_view close = is("<?xml") || is("<?php") ? "?>" : ">";
  if (close == ">" && !is("<!doctype") && !is("<![if") && !is("<![endif")) return text.npos;
  const std::size_t end = text.substr(0, at + 16 * 1024).find(close, at);
  return end == text.npos ? end : end + close.size();
}

/// Where "</name>" stands from `at` on.
std::size_t find_closing(std::string_view text, std::size_t at, std::string_view name) {
  for (; (at = text.find("</", at)) != text.npos; at += 2) {
    const std::string_view found = text.substr(at + 2, name.size());
    const std::size_t behind = at + 2 + name.size();
    const bool ends = behind < text.size() && (text[behind] == '>' || is_space(text[behind]));
    if (ends && std::equal(found.begin(), found.end(), name.begin(), name.end(),
                           [](char a, char b) { return lower(a) == b; })) {
      return at;
    }
  }
  return text.npos;
}

bool breaks_line(std::string_view name) {
  static constexpr std::array<std::string_view, 31> kBlocks = {
      "address", "article",    "aside",   "blockquote", "br",    "dd",   "div", "dl",
      "dt",      "figcaption", "footer",  "form",       "h1",    "h2",   "h3",  "h4",
      "h5",      "h6",         "header",  "hr",         "li",    "main", "nav", "ol",
      "p",       "pre",        "section", "table",      "title", "tr",   "ul"};
  return std::find(kBlocks.begin(), kBlocks.end(), name) != kBlocks.end();
}

char32_t named_entity(std::string_view name) {
  static const std::map<std::string_view, char32_t> table = {
      {"amp", '&'},       {"lt", '<'},        {"gt", '>'},        {"quot", '"'},
      {"apos", '\''},     {"nbsp", 0xA0},     {"iexcl", 0xA1},    {"cent", 0xA2},
      {"pound", 0xA3},    {"yen", 0xA5},      {"sect", 0xA7},     {"copy", 0xA9},
      {"laquo", 0xAB},    {"reg", 0xAE},      {"deg", 0xB0},      {"plusmn", 0xB1},
      {"sup2", 0xB2},     {"sup3", 0xB3},     {"acute", 0xB4},    {"micro", 0xB5},
      {"para", 0xB6},     {"middot", 0xB7},   {"raquo", 0xBB},    {"frac14", 0xBC},
      {"frac12", 0xBD},   {"frac34", 0xBE},   {"iquest", 0xBF},   {"Agrave", 0xC0},
      {"Aacute", 0xC1},   {"Acirc", 0xC2},    {"Atilde", 0xC3},   {"Auml", 0xC4},
      {"Aring", 0xC5},    {"AElig", 0xC6},    {"Ccedil", 0xC7},   {"Egrave", 0xC8},
      {"Eacute", 0xC9},   {"Ecirc", 0xCA},    {"Euml", 0xCB},     {"Ntilde", 0xD1},
      {"Ouml", 0xD6},     {"times", 0xD7},    {"Oslash", 0xD8},   {"Uuml", 0xDC},
      {"szlig", 0xDF},    {"agrave", 0xE0},   {"aacute", 0xE1},   {"acirc", 0xE2},
      {"atilde", 0xE3},   {"auml", 0xE4},     {"aring", 0xE5},    {"aelig", 0xE6},
      {"ccedil", 0xE7},   {"egrave", 0xE8},   {"eacute", 0xE9},   {"ecirc", 0xEA},
      {"euml", 0xEB},     {"igrave", 0xEC},   {"iacute", 0xED},   {"icirc", 0xEE},
      {"iuml", 0xEF},     {"ntilde", 0xF1},   {"ograve", 0xF2},   {"oacute", 0xF3},
      {"ocirc", 0xF4},    {"otilde", 0xF5},   {"ouml", 0xF6},     {"divide", 0xF7},
      {"oslash", 0xF8},   {"ugrave", 0xF9},   {"uacute", 0xFA},   {"ucirc", 0xFB},
      {"uuml", 0xFC},     {"yacute", 0xFD},   {"yuml", 0xFF},     {"ensp", 0x2002},
      {"emsp", 0x2003},   {"thinsp", 0x2009}, {"zwnj", 0x200C},   {"zwj", 0x200D},
      {"ndash", 0x2013},  {"mdash", 0x2014},  {"lsquo", 0x2018},  {"rsquo", 0x2019},
      {"sbquo", 0x201A},  {"ldquo", 0x201C},  {"rdquo", 0x201D},  {"bdquo", 0x201E},
      {"dagger", 0x2020}, {"bull", 0x2022},   {"hellip", 0x2026}, {"permil", 0x2030},
      {"prime", 0x2032},  {"lsaquo", 0x2039}, {"rsaquo", 0x203A}, {"euro", 0x20AC},
      {"trade", 0x2122},  {"larr", 0x2190},   {"uarr", 0x2191},   {"rarr", 0x2192},
      {"darr", 0x2193},   {"minus", 0x2212},  {"infin", 0x221E},  {"asymp", 0x2248},
      {"ne", 0x2260},     {"le", 0x2264},     {"ge", 0x2265},     {"alpha", 0x3B1},
      {"beta", 0x3B2},    {"gamma", 0x3B3},   {"delta", 0x3B4},   {"pi", 0x3C0},
      {"sigma", 0x3C3},   {"omega", 0x3C9}};
  const auto found = table.find(name);
  return found == table.end() ? 0 : found->second;
}

/// The character that the inside of "&…;" names; 0: none.
char32_t entity(std::string_view name) {
  if (!name.starts_with('#')) return named_entity(name);
  name.remove_prefix(1);
  const bool hex = name.starts_with('x') || name.starts_with('X');
  if (hex) name.remove_prefix(1);
  std::uint32_t code = 0;
  const auto [end, failure] =
      std::from_chars(name.data(), name.data() + name.size(), code, hex ? 16 : 10);
  if (name.empty() || failure != std::errc() || end != name.data() + name.size()) return 0;
  const bool valid = code > 0 && code <= 0x10FFFF && !(code >= 0xD800 && code < 0xE000);
  return valid ? static_cast<char32_t>(code) : 0;
}

}  // namespace

std::string decode_entities(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t sign = std::min(text.find('&', at), text.size());
    out += text.substr(at, sign - at);
    if (sign == text.size()) break;
    const std::size_t end = text.substr(0, sign + 12).find(';', sign);
    const char32_t c = end == text.npos ? 0 : entity(text.substr(sign + 1, end - sign - 1));
    if (c == 0) {
      out += '&';
      at = sign + 1;
    } else {
      append_utf8(out, c);
      at = end + 1;
    }
  }
  return out;
}

std::string html_text(std::string_view html, Elements elements) {
  std::string out;
  out.reserve(html.size());
  // Once something is known to have no end, nobody looks for that end again.
  bool comments_end = true;
  std::map<std::string, std::size_t, std::less<>> closings;  // where an element closes last
  std::set<std::string, std::less<>> opened;
  const auto closes_behind = [&](const std::string& name, std::size_t at) {
    auto found = closings.find(name);
    if (found == closings.end()) {
      std::size_t last = 0;
      for (std::size_t next = 0; (next = find_closing(html, next, name)) != html.npos; ++next) {
        last = next;
      }
      found = closings.emplace(name, last).first;
    }
    return found->second >= at;
  };
  for (std::size_t at = 0; at < html.size();) {
    const std::size_t sign = std::min(html.find('<', at), html.size());
    out += html.substr(at, sign - at);
    at = sign;
    if (at == html.size()) break;
    if (html.substr(at).starts_with("<!--") && comments_end) {
      const std::size_t end = html.find("-->", at + 4);
      if (end != html.npos) {
        at = end + 3;
        continue;
      }
      comments_end = false;
    }
    if (const std::size_t end = declaration_end(html, at); end != html.npos) {
      at = end;
      continue;
    }
    const Tag tag = tag_at(html, at, elements);
    const bool is_tag =
        tag.end != 0 &&
        (!must_be_closed(tag.name) ||
         (tag.closes ? opened.contains(tag.name) : !tag.plain || closes_behind(tag.name, tag.end)));
    if (!is_tag) {
      out += '<';
      ++at;
      continue;
    }
    at = tag.end;
    const std::string& name = tag.name;
    if (must_be_closed(name)) opened.insert(name);
    if (is_unseen(name) && !tag.closes) {
      // One that is never closed hides nothing.
      if (closes_behind(name, at)) at = find_closing(html, at, name);
      continue;
    }
    if (breaks_line(name)) {
      out += '\n';
    } else if (name == "td" || name == "th") {
      out += ' ';
    }
  }
  return decode_entities(out);
}

}  // namespace llmctl
