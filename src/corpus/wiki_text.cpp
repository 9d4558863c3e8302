#include "corpus/wiki_text.h"

#include <algorithm>
#include <array>
#include <vector>

#include "corpus/html_text.h"

namespace llmctl {
namespace {

constexpr std::size_t kMaxNested = 8;  // links in one another: each is copied once a level

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 32);
  }
  return out;
}

/// Comments, and elements whose content is no prose.
std::string without_elements(std::string_view text) {
  static constexpr std::array<std::string_view, 9> kDropped = {
      "ref",    "math",  "gallery", "timeline", "syntaxhighlight",
      "source", "score", "chem",    "imagemap"};
  std::string out;
  std::array<bool, kDropped.size()> closes;
  closes.fill(true);
  bool comments_close = true;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t sign = std::min(text.find('<', at), text.size());
    out += text.substr(at, sign - at);
    at = sign;
    if (at == text.size()) break;
    if (comments_close && text.substr(at).starts_with("<!--")) {
      const std::size_t end = text.find("-->", at);
      comments_close = end != text.npos;
      if (comments_close) {
        at = end + 3;
        continue;
      }
    }
    bool dropped = false;
    for (std::size_t i = 0; i < kDropped.size() && !dropped; ++i) {
      const std::string_view name = kDropped[i];
      const std::string begin = lower(text.substr(at + 1, name.size() + 1));
      if (begin.size() <= name.size() || begin.substr(0, name.size()) != name ||
          (begin.back() != '>' && begin.back() != ' ' && begin.back() != '/')) {
        continue;
      }
      const std::size_t end = text.find('>', at);
      if (end == text.npos) break;
      if (text[end - 1] == '/') {
        at = end + 1;
        dropped = true;
      } else if (closes[i]) {
        const std::string closing = "</" + std::string(name) + ">";
        const std::size_t close = text.find(closing, end);
        closes[i] = close != text.npos;
        if (closes[i]) {
          at = close + closing.size();
          dropped = true;
        }
      }
    }
    if (dropped) continue;
    out += '<';
    ++at;
  }
  return out;
}

/// A template or table that opens with `open` and closes with `close`, nested as may be, is left
/// out; one without end takes the rest with it.
std::string without_nested(std::string_view text, std::string_view open, std::string_view close) {
  std::string out;
  std::size_t depth = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with(open)) {
      ++depth;
      at += open.size();
    } else if (depth > 0 && text.substr(at).starts_with(close)) {
      --depth;
      at += close.size();
    } else {
      if (depth == 0) out += text[at];
      ++at;
    }
  }
  return out;
}

bool is_left_out(std::string_view target) {
  static constexpr std::array<std::string_view, 14> kSpaces = {
      "file:", "image:", "category:", "media:", "文件:",     "檔案:", "档案:",
      "图像:", "圖像:",  "分类:",     "分類:",  "template:", "help:", "special:"};
  const std::string name = lower(target.substr(0, 32));
  return std::any_of(kSpaces.begin(), kSpaces.end(),
                     [&](std::string_view space) { return name.starts_with(space); });
}

/// [[target|text]], nested in files' captions; [http://… text].
std::string without_links(std::string_view text) {
  struct Open {
    std::size_t out;    // where the link's text begins in `out`
    std::size_t begin;  // of its inside in `text`
  };
  std::string out;
  std::vector<Open> open;
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with("[[") && open.size() < kMaxNested) {
      at += 2;
      open.push_back({out.size(), at});
    } else if (!open.empty() && text.substr(at).starts_with("]]")) {
      const Open link = open.back();
      open.pop_back();
      std::string_view inside = text.substr(link.begin, at - link.begin);
      at += 2;
      const bool escaped = inside.starts_with(':');
      if (is_left_out(inside) && !escaped) {
        out.resize(link.out);
        continue;
      }
      // What the inside became, from its last bar on.
      std::string words = out.substr(link.out);
      const std::size_t bar = words.rfind('|');
      if (bar != words.npos) words.erase(0, bar + 1);
      if (escaped && bar == words.npos) words.erase(0, 1);
      out.resize(link.out);
      out += words;
    } else if (text[at] == '[' &&
               (text.substr(at + 1).starts_with("http") || text.substr(at + 1).starts_with("//"))) {
      const std::size_t end = text.substr(0, at + 4096).find_first_of("]\n", at);
      if (end == text.npos || text[end] != ']') {
        out += text[at++];
        continue;
      }
      const std::string_view inside = text.substr(at + 1, end - at - 1);
      const std::size_t blank = inside.find(' ');
      if (blank != inside.npos) out += inside.substr(blank + 1);
      at = end + 1;
    } else {
      out += text[at++];
    }
  }
  return out;
}

/// -{zh-hans:软件; zh-hant:軟體}- leaves 软件, -{x}- leaves x; rules (-{H|…}-) leave nothing.
std::string without_variants(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (!text.substr(at).starts_with("-{")) {
      out += text[at++];
      continue;
    }
    const std::size_t end = text.substr(0, at + 1024).find("}-", at);
    if (end == text.npos) {
      out += text[at++];
      continue;
    }
    std::string_view inside = text.substr(at + 2, end - at - 2);
    at = end + 2;
    const std::size_t bar = inside.find('|');
    if (bar != inside.npos) {
      const std::string_view flags = inside.substr(0, bar);
      if (flags.find_first_of("HTA-") != flags.npos) continue;
      inside.remove_prefix(bar + 1);
    }
    std::string first, chosen;
    for (std::size_t begin = 0; begin < inside.size();) {
      const std::size_t stop = std::min(inside.find(';', begin), inside.size());
      std::string_view form = inside.substr(begin, stop - begin);
      begin = stop + 1;
      const std::size_t colon = form.find(':');
      const std::string_view name = form.substr(0, colon == form.npos ? 0 : colon);
      if (name.find("zh") != name.npos) form.remove_prefix(colon + 1);
      if (first.empty()) first = form;
      const bool simplified = name.find("hans") != name.npos || name.find("cn") != name.npos;
      if (simplified && chosen.empty()) chosen = form;
    }
    out += chosen.empty() ? first : chosen;
  }
  return out;
}

/// Signs at the beginnings of lines, and those of bold and italics.
std::string without_signs(std::string_view text) {
  std::string out;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    const std::string_view trimmed =
        line.substr(std::min(line.find_first_not_of(' '), line.size()));
    if (trimmed.starts_with("__") && trimmed.ends_with("__")) continue;
    while (!line.empty() &&
           (line[0] == '*' || line[0] == '#' || line[0] == ':' || line[0] == ';')) {
      line.remove_prefix(1);
    }
    if (line.starts_with("----"))
      line.remove_prefix(std::min(line.find_first_not_of('-'), line.size()));
    if (line.starts_with("==") && line.find("==", 2) != line.npos) {
      while (line.starts_with('=') || line.starts_with(' ')) line.remove_prefix(1);
      while (line.ends_with(' ') || line.ends_with('=')) line.remove_suffix(1);
    }
    for (std::size_t at = 0; at < line.size();) {
      std::size_t quotes = 0;
      while (at + quotes < line.size() && line[at + quotes] == '\'') ++quotes;
      if (quotes >= 2) {
        at += quotes;
      } else {
        out += line[at++];
      }
    }
    out += '\n';
  }
  if (!out.empty()) out.pop_back();
  return out;
}

}  // namespace

std::string wiki_text(std::string_view markup) {
  std::string text = without_elements(markup);
  text = without_nested(text, "{{", "}}");
  text = without_nested(text, "{|", "|}");
  text = without_variants(text);
  text = without_links(text);
  text = without_signs(text);
  return html_text(text, Elements::kAny);
}

}  // namespace llmctl
