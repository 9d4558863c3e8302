#include "corpus/cleaner.h"

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "base/utf8.h"
#include "corpus/chinese_script.h"
#include "corpus/html_text.h"
#include "corpus/language.h"
#include "corpus/personal_data.h"
#include "corpus/quality.h"
#include "corpus/stop_words.h"
#include "corpus/unicode_steps.h"
#include "corpus/web_residue.h"
#include "corpus/wiki_text.h"
#include "text/chinese_words.h"

namespace llmctl {
namespace {

/// A step that is a function of the text.
class FunctionStep : public CleanStep {
 public:
  using Function = std::function<bool(std::string&, std::uint64_t&)>;
  FunctionStep(std::string name, Function function)
      : name_(std::move(name)), function_(std::move(function)) {}
  std::string name() const override { return name_; }
  bool apply(std::string& text, std::uint64_t& matches) const override {
    return function_(text, matches);
  }

 private:
  std::string name_;
  Function function_;
};

}  // namespace

void StepCount::add(const StepCount& other) {
  seen += other.seen;
  changed += other.changed;
  dropped += other.dropped;
  matches += other.matches;
  bytes_in += other.bytes_in;
  bytes_out += other.bytes_out;
}

std::string DocumentOrigin::text() const {
  return file == nullptr ? std::string() : concat(*file, ":", place);
}

std::string excerpt(std::string_view text, std::size_t at) {
  constexpr std::size_t kBefore = 40, kLength = 200;
  std::size_t begin = at < kBefore ? 0 : at - kBefore;
  while (begin > 0 && begin < text.size() && (text[begin] & 0xC0) == 0x80) --begin;
  std::size_t end = std::min(text.size(), begin + kLength);
  while (end < text.size() && (text[end] & 0xC0) == 0x80) --end;
  return concat(begin > 0 ? "…" : "", text.substr(begin, end - begin),
                end < text.size() ? "…" : "");
}

void CleanCounts::add(const CleanCounts& other) {
  const auto take = [](std::vector<Json>& into, const std::vector<Json>& from) {
    const std::size_t free = kExamples - std::min(kExamples, into.size());
    into.insert(into.end(), from.begin(),
                from.begin() + static_cast<std::ptrdiff_t>(std::min(from.size(), free)));
  };
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    steps_[i].add(other.steps_[i]);
    take(examples_[i].changed, other.examples_[i].changed);
    take(examples_[i].dropped, other.examples_[i].dropped);
  }
}

Json CleanCounts::to_json() const {
  Json list = Json::array();
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const StepCount& step = steps_[i];
    list.push_back(
        {{"step", names_[i]},
         {"documents", step.seen},
         {"changed", step.changed},
         {"dropped", step.dropped},
         {"matches", step.matches},
         {"bytes_in", step.bytes_in},
         {"bytes_out", step.bytes_out},
         {"examples", {{"changed", examples_[i].changed}, {"dropped", examples_[i].dropped}}}});
  }
  return list;
}

CleanCounts CleanCounts::from_json(const Json& json) {
  std::vector<std::string> names;
  for (const Json& step : json) names.push_back(step.at("step").get<std::string>());
  CleanCounts counts(std::move(names));
  for (std::size_t i = 0; i < json.size(); ++i) {
    const auto number = [&](const char* key) { return json[i].at(key).get<std::uint64_t>(); };
    counts.of(i) = {number("documents"), number("changed"),  number("dropped"),
                    number("matches"),   number("bytes_in"), number("bytes_out")};
    const Json& examples = json[i].at("examples");
    counts.examples(i) = {examples.at("changed").get<std::vector<Json>>(),
                          examples.at("dropped").get<std::vector<Json>>()};
  }
  return counts;
}

Cleaner::Cleaner(const CleanConfig& config) {
  const auto step = [&](const char* name, FunctionStep::Function function) {
    steps_.push_back(std::make_unique<FunctionStep>(name, std::move(function)));
  };
  if (config.html) {
    step("html", [](std::string& text, std::uint64_t&) {
      text = html_text(text);
      return true;
    });
  }
  if (config.wiki) {
    step("wiki", [](std::string& text, std::uint64_t&) {
      text = wiki_text(text);
      return true;
    });
  }
  if (config.unicode != "none") {
    step("unicode", [compatible = config.unicode == "nfkc"](std::string& text, std::uint64_t&) {
      normalize_unicode(text, compatible);
      return true;
    });
  }
  if (config.control_characters) {
    step("control_characters", [](std::string& text, std::uint64_t& matches) {
      matches += drop_control_characters(text);
      return true;
    });
  }
  if (config.chinese != "keep") {
    step("chinese", [script = std::make_shared<const ChineseScript>(config.chinese)](
                        std::string& text, std::uint64_t&) {
      text = script->convert(text);
      return true;
    });
  }
  const WebResidue residue{config.urls == "remove", config.mentions == "remove",
                           config.hashtags == "remove"};
  if (residue.urls || residue.mentions || residue.hashtags) {
    step("web_residue", [residue](std::string& text, std::uint64_t& matches) {
      matches += remove_web_residue(text, residue);
      return true;
    });
  }
  if (config.whitespace) {
    step("whitespace", [](std::string& text, std::uint64_t&) {
      tidy_whitespace(text);
      return true;
    });
  }
  const PersonalDataOptions personal{config.personal_data.emails == "mask",
                                     config.personal_data.phones == "mask",
                                     config.personal_data.id_numbers == "mask"};
  if (personal.emails || personal.phones || personal.id_numbers) {
    step("personal_data", [personal](std::string& text, std::uint64_t& matches) {
      PersonalDataCounts counts;
      mask_personal_data(text, personal, counts);
      matches += counts.emails + counts.phones + counts.id_numbers;
      return true;
    });
  }
  step("length", [least = static_cast<std::uint64_t>(config.min_characters.value_or(1)),
                  most = static_cast<std::uint64_t>(config.max_characters.value_or(INT64_MAX))](
                     std::string& text, std::uint64_t&) {
    const std::size_t count = count_code_points(text);
    return count >= least && count <= most;
  });
  if (!config.languages.empty()) {
    step("languages", [filter = std::make_shared<const LanguageFilter>(config.languages,
                                                                       config.language_confidence)](
                          std::string& text, std::uint64_t&) { return filter->keeps(text); });
  }
  const QualityRules quality(config.quality);
  for (std::size_t rule = 0; rule < quality.names().size(); ++rule) {
    step(("quality." + quality.names()[rule]).c_str(),
         [quality, rule](std::string& text, std::uint64_t&) { return quality.keeps(rule, text); });
  }
  if (config.segment_words || !config.stop_words.empty()) {
    const auto words = std::make_shared<const ChineseWords>();
    if (!config.stop_words.empty()) {
      step("stop_words", [words, stop = std::make_shared<const StopWords>(config.stop_words)](
                             std::string& text, std::uint64_t& matches) {
        matches += stop->remove(text, *words);
        return true;
      });
    }
    if (config.segment_words) {
      step("segment_words", [words](std::string& text, std::uint64_t&) {
        text = words->with_spaces(text);
        return true;
      });
    }
  }
}

CleanCounts Cleaner::new_counts() const {
  std::vector<std::string> names;
  for (const auto& step : steps_) names.push_back(step->name());
  return CleanCounts(std::move(names));
}

bool Cleaner::clean(std::string& text, CleanCounts& counts, const DocumentOrigin& origin,
                    std::string* rule) const {
  std::string before;
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    StepCount& count = counts.of(i);
    before = text;
    const bool kept = steps_[i]->apply(text, count.matches);
    ++count.seen;
    count.bytes_in += before.size();
    count.bytes_out += kept ? text.size() : 0;
    if (text != before) {
      ++count.changed;
      if (counts.wants_changed(i)) {
        const auto [first, second] =
            std::mismatch(before.begin(), before.end(), text.begin(), text.end());
        counts.examples(i).changed.push_back(
            {{"source", origin.text()},
             {"before", excerpt(before, static_cast<std::size_t>(first - before.begin()))},
             {"after", excerpt(text, static_cast<std::size_t>(second - text.begin()))}});
      }
    }
    if (!kept) {
      ++count.dropped;
      if (counts.wants_dropped(i)) {
        counts.examples(i).dropped.push_back(
            {{"source", origin.text()}, {"text", excerpt(before)}});
      }
      if (rule) *rule = steps_[i]->name();
      return false;
    }
  }
  return true;
}

}  // namespace llmctl
