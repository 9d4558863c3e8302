#include "tasks/overlap_baseline.h"

#include <map>
#include <set>
#include <vector>

#include "base/utf8.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

/// A word or a Chinese character: what is compared, where it stands, and the punctuation mark
/// before it, if any.
struct Unit {
  std::string text;
  std::size_t begin = 0, end = 0;
  bool after_break = false;
  std::size_t sentence = 0;
};

bool ends_sentence(char32_t c) {
  return c == U'。' || c == U'！' || c == U'？' || c == U'!' || c == U'?' || c == U'\n';
}

std::vector<Unit> units_of(std::string_view text) {
  std::vector<Unit> units;
  bool broken = true, in_word = false, stopped = false;
  std::size_t sentence = 0;
  for (std::size_t offset = 0; offset < text.size();) {
    const std::size_t begin = offset;
    const char32_t c = next_code_point(text, offset);
    if (is_alphanumeric(c)) {
      const bool alone = is_cjk(c);
      if (alone || !in_word) {
        units.push_back({"", begin, offset, broken, sentence});
        broken = false;
      }
      append_utf8(units.back().text, to_lower(c));
      units.back().end = offset;
      in_word = !alone;
      stopped = false;
      continue;
    }
    in_word = false;
    if (is_space(c) && c != U'\n') {
      if (stopped) ++sentence;  // a point ends a sentence only before white space
      stopped = false;
      continue;
    }
    broken = true;
    if (ends_sentence(c)) ++sentence;
    stopped = c == U'.';
  }
  return units;
}

}  // namespace

std::string overlap_answer(std::string_view question, std::string_view passage) {
  const std::vector<Unit> units = units_of(passage);
  if (units.empty()) return "";
  std::set<std::string> asked;
  for (const Unit& unit : units_of(question)) asked.insert(unit.text);
  std::map<std::string, std::set<std::size_t>> sentences_with;
  for (const Unit& unit : units) sentences_with[unit.text].insert(unit.sentence);
  std::map<std::size_t, double> overlap;
  for (const Unit& unit : units) overlap.try_emplace(unit.sentence, 0.0);
  for (const std::string& word : asked) {
    const auto found = sentences_with.find(word);
    if (found == sentences_with.end()) continue;
    for (std::size_t sentence : found->second)
      overlap[sentence] += 1.0 / static_cast<double>(found->second.size());
  }
  std::size_t best = units.front().sentence;
  for (const auto& [sentence, value] : overlap) {
    if (value > overlap[best]) best = sentence;
  }
  std::size_t begin = 0, end = 0, longest = 0, run_begin = 0, run = 0;
  for (const Unit& unit : units) {
    if (unit.sentence != best) continue;
    if (asked.contains(unit.text)) {
      run = 0;
      continue;
    }
    if (run == 0 || unit.after_break) {
      run_begin = unit.begin;
      run = 0;
    }
    if (++run > longest) {
      longest = run;
      begin = run_begin;
      end = unit.end;
    }
  }
  return std::string(passage.substr(begin, end - begin));
}

}  // namespace llmctl
