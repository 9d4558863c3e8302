#include "corpus/stop_words.h"

#include <sstream>

#include "base/files.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

constexpr char kEnglish[] =
    "a about above after again against all am an and any are as at be because been before being "
    "below between both but by can could did do does doing down during each few for from further "
    "had has have having he her here hers herself him himself his how i if in into is it its "
    "itself just me more most my myself no nor not now of off on once only or other our ours "
    "ourselves out over own same she should so some such than that the their theirs them "
    "themselves then there these they this those through to too under until up very was we were "
    "what when where which while who whom why will with would you your yours yourself yourselves";

constexpr char kChinese[] =
    "的 了 在 是 我的 你的 他的 她的 它的 我 你 他 她 它 我们 你们 他们 她们 它们 和 与 及 或 而 "
    "但 但是 也 都 就 还 又 很 "
    "更 最 "
    "不 没 没有 这 那 这个 那个 这些 那些 这里 那里 这样 那样 一 一个 一些 有 把 被 让 给 对 对于 "
    "从 到 向 "
    "往 于 以 以及 为 为了 因为 所以 因此 如果 虽然 然而 不过 并 并且 而且 则 却 只 只是 已 已经 "
    "正在 着 过 "
    "地 得 之 其 其中 什么 怎么 哪 哪里 谁 多少 几 吗 呢 吧 啊 呀 嘛 哦 上 下 里 中 内 外 前 后 时 "
    "等 会 "
    "能 可以 要 想 说 去 来 个 该 各 每 某 另 自己 本 此 由 由于 跟 同 比 除了 当 无 将 再 才 便";

}  // namespace

void StopWords::add_list(const char* list) {
  std::istringstream words(list);
  for (std::string word; words >> word;) words_.insert(word);
}

StopWords::StopWords(const std::string& which) {
  if (which == "en" || which == "zh,en" || which == "en,zh") add_list(kEnglish);
  if (which == "zh" || which == "zh,en" || which == "en,zh") add_list(kChinese);
  if (!words_.empty()) return;
  for_each_line(which, [&](std::uint64_t, std::string_view line) {
    const std::string_view word = trim(line.substr(0, line.find('#')));
    if (!word.empty()) words_.insert(to_lower(word));
    return true;
  });
}

bool StopWords::has(std::string_view word) const {
  return words_.contains(to_lower(word));
}

std::uint64_t StopWords::remove(std::string& text, const ChineseWords& words) const {
  std::uint64_t count = 0;
  std::string out;
  std::size_t kept = 0;
  for (const ByteSpan word : words.split(text)) {
    if (!has(std::string_view(text).substr(word.begin, word.end - word.begin))) continue;
    ++count;
    out += std::string_view(text).substr(kept, word.begin - kept);
    kept = word.end;
    if (kept < text.size() && text[kept] == ' ') ++kept;
  }
  if (count == 0) return 0;
  out += std::string_view(text).substr(kept);
  while (out.ends_with(' ')) out.pop_back();
  text = std::move(out);
  return count;
}

}  // namespace llmctl
