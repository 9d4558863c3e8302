#include "corpus/segments.h"

namespace llmctl {

void SegmentCounts::add(const SegmentCounts& other) {
  read += other.read;
  bytes += other.bytes;
  kept += other.kept;
  contaminated += other.contaminated;
  clean.add(other.clean);
  for (const Json& example : other.contaminated_examples) {
    if (contaminated_examples.size() < kExamples) contaminated_examples.push_back(example);
  }
}

Json SegmentCounts::to_json() const {
  return {{"read", read},
          {"bytes", bytes},
          {"kept", kept},
          {"contaminated", contaminated},
          {"contaminated_examples", contaminated_examples},
          {"clean", clean.to_json()}};
}

SegmentCounts SegmentCounts::from_json(const Json& json) {
  const auto number = [&](const char* name) { return json.at(name).get<std::uint64_t>(); };
  SegmentCounts counts;
  counts.read = number("read");
  counts.bytes = number("bytes");
  counts.kept = number("kept");
  counts.contaminated = number("contaminated");
  counts.contaminated_examples = json.at("contaminated_examples").get<std::vector<Json>>();
  counts.clean = CleanCounts::from_json(json.at("clean"));
  return counts;
}

}  // namespace llmctl
