// The work of data preparation between its passes: files of segments in the work directory, and
// what is known of a document.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "config/json.h"
#include "corpus/cleaner.h"
#include "corpus/shingles.h"

namespace llmctl {

/// A document while it is cleaned.
struct Cleaned {
  std::string text;
  std::uint32_t file = 0;   ///< of the sources
  std::uint64_t place = 0;  ///< in it
  std::string original;     ///< as it was read, where what is dropped is to be listed
  std::string rule;         ///< what dropped it
  bool kept = false, contaminated = false;
  std::uint64_t key = 0;
  Signature signature;
  std::vector<std::uint64_t> paragraphs;  ///< hashes of the long ones
};

/// Counts of a segment of the work.
struct SegmentCounts {
  std::uint64_t read = 0, bytes = 0, kept = 0, contaminated = 0;
  CleanCounts clean{};
  std::vector<Json> contaminated_examples;

  void add(const SegmentCounts& other);
  Json to_json() const;
  static SegmentCounts from_json(const Json& json);
};

/// The files of one segment: documents with their places, and numbers of each.
class SegmentFiles {
 public:
  SegmentFiles(const std::filesystem::path& directory, std::size_t number)
      : stem_(directory / concat("segment-", number)) {}
  std::filesystem::path texts() const { return stem_.string() + ".texts"; }
  std::filesystem::path keys() const { return stem_.string() + ".keys"; }
  std::filesystem::path signatures() const { return stem_.string() + ".signatures"; }
  std::filesystem::path paragraphs() const { return stem_.string() + ".paragraphs"; }
  std::filesystem::path dropped() const { return stem_.string() + ".dropped"; }
  std::filesystem::path counts() const { return stem_.string() + ".json"; }
  bool complete() const { return std::filesystem::exists(counts()); }

 private:
  std::filesystem::path stem_;
};

/// What stands before each document in texts().
struct DocumentHeader {
  std::uint32_t size = 0, file = 0;
  std::uint64_t place = 0;
};

/// Takes the first document off what is left of texts().
inline std::string_view next_document(std::string_view& rest, DocumentHeader& header) {
  std::memcpy(&header, rest.data(), sizeof header);
  const std::string_view text = rest.substr(sizeof header, header.size);
  rest.remove_prefix(sizeof header + header.size);
  return text;
}

/// Adds an example while there are fewer than kExamples.
inline void keep_example(std::vector<Json>& examples, const DocumentOrigin& origin,
                         std::string_view text) {
  if (examples.size() >= kExamples) return;
  examples.push_back({{"source", origin.text()}, {"text", excerpt(text)}});
}

}  // namespace llmctl
