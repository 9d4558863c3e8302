#include "corpus/html_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "base/utf8.h"

namespace llmctl {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c;
}
bool is_letter(char c) {
  return lower(c) >= 'a' && lower(c) <= 'z';
}

/// The name of a tag that begins at text[at] == '<', without its "/"; empty: no tag.
std::string tag_name(std::string_view text, std::size_t at) {
  ++at;
  if (at < text.size() && text[at] == '/') ++at;
  std::string name;
  for (; at < text.size() && name.size() < 16; ++at) {
    const char c = lower(text[at]);
    if (!is_letter(c) && !(c >= '0' && c <= '9' && !name.empty())) break;
    name += c;
  }
  return name;
}

/// Behind the ">" of a tag that begins at `at`; quoted attributes may hold one. npos: without end.
std::size_t tag_end(std::string_view text, std::size_t at) {
  char quote = 0;
  const std::size_t limit = std::min(text.size(), at + 16 * 1024);
  for (; at < limit; ++at) {
    const char c = text[at];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '>') {
      return at + 1;
    }
  }
  return text.npos;
}

/// Where "</name" stands from `at` on.
std::size_t find_closing(std::string_view text, std::size_t at, std::string_view name) {
  for (; (at = text.find("</", at)) != text.npos; at += 2) {
    const std::string_view found = text.substr(at + 2, name.size());
    if (std::equal(found.begin(), found.end(), name.begin(), name.end(),
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

std::string html_text(std::string_view html) {
  std::string out;
  out.reserve(html.size());
  // Once something is known to have no end, nobody looks for that end again.
  bool comments_end = true, tags_end = true;
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
    const bool markup = at + 1 < html.size() && (html[at + 1] == '!' || html[at + 1] == '?');
    const std::string name = tag_name(html, at);
    const std::size_t end = (name.empty() && !markup) || !tags_end ? html.npos : tag_end(html, at);
    if (end == html.npos) {
      if (tags_end && html.find('>', at) == html.npos) tags_end = false;
      out += '<';
      ++at;
      continue;
    }
    const bool opens = html[at + 1] != '/';
    at = end;
    if (opens &&
        (name == "script" || name == "style" || name == "noscript" || name == "template")) {
      const std::size_t closing = find_closing(html, at, name);
      at = closing == html.npos ? html.size() : closing;
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
