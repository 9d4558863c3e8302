#include "tasks/labelled_spans.h"

#include "base/error.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "tasks/record_names.h"

namespace llmctl {

std::vector<LabelledSpan> labelled_spans(std::string_view text,
                                         std::span<const PredictedEntity> predicted) {
  std::vector<LabelledSpan> spans;
  std::size_t byte = 0, characters = 0;
  const auto characters_before = [&](std::size_t offset) {
    characters += count_code_points(text.substr(byte, offset - byte));
    byte = offset;
    return characters;
  };
  for (const auto& [entity, probability] : predicted) {
    LabelledSpan span{std::string(text.substr(entity.begin, entity.end - entity.begin)),
                      entity.type, 0, 0, probability};
    span.begin = characters_before(entity.begin);
    span.end = characters_before(entity.end);
    spans.push_back(std::move(span));
  }
  return spans;
}

Json spans_json(std::span<const LabelledSpan> spans) {
  Json list = Json::array();
  for (const LabelledSpan& span : spans) {
    Json one = {{"text", span.text}};
    if (span.type != kUntyped) one["label"] = span.type;
    one["start"] = span.begin;
    one["end"] = span.end;
    one["probability"] = span.probability;
    list.push_back(std::move(one));
  }
  return list;
}

Json SpansAnswer::record() const {
  Json record = {{kPrediction, spans_json(spans_)}};
  if (joined_) record["text"] = *joined_;
  return record;
}

std::string SpansAnswer::text() const {
  std::vector<std::string> lines;
  bool typed = false;
  for (const LabelledSpan& span : spans_) {
    typed = typed || span.type != kUntyped;
    lines.push_back(span.type == kUntyped
                        ? span.text
                        : concat(span.text, "  ", span.type, "  ", span.begin, "-", span.end, " ",
                                 format_percent(span.probability)));
  }
  return lines.empty() ? "(no span)" : join(lines, typed ? "\n" : " ");
}

}  // namespace llmctl
