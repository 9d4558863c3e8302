#include "corpus/contamination.h"

#include <algorithm>

#include "corpus/readers.h"
#include "corpus/shingles.h"
#include "io/text_format.h"
#include "io/text_source.h"

namespace llmctl {

Contamination::Contamination(const ContaminationConfig& config)
    : n_(static_cast<std::size_t>(config.ngram)) {
  for (const auto& path : expand_paths(config.against)) {
    const std::string format = text_format(path);
    if (format == "json") {
      add(load_json(path));
    } else if (format == "jsonl" || format == "csv" || format == "tsv") {
      for_each_record_of(format, path, [&](std::uint64_t, const Json& record) {
        add(record);
        return true;
      });
    } else {
      SourceConfig how;
      how.path = path.string();
      how.format = format;
      for_each_source_document({path, how}, [&](const SourceDocument& document) {
        add_text(document.text);
        return true;
      });
    }
  }
}

bool Contamination::touches(std::string_view text) const {
  const auto words = shingles(text, n_);
  return std::any_of(words.begin(), words.end(),
                     [&](std::uint64_t run) { return runs_.contains(run); });
}

void Contamination::add(const Json& value) {
  if (value.is_string()) add_text(value.get_ref<const std::string&>());
  if (value.is_structured()) {
    for (const Json& inner : value) add(inner);
  }
}

void Contamination::add_text(std::string_view text) {
  // A text shorter than a run says nothing by being found.
  if (word_hashes(text).size() < n_) return;
  for (const std::uint64_t run : shingles(text, n_)) runs_.insert(run);
}

}  // namespace llmctl
