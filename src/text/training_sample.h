// What a tokenizer is trained on: documents cut into chunks, and a random sample of those within a
// budget of bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace llmctl {

/// Most bytes of one chunk. (SentencePiece's BPE trainer holds positions within one in 16 bits.)
inline constexpr std::size_t kTrainingChunkBytes = 4000;

/// Cuts a document into pieces of at most `limit` bytes, which end to end are the document: after a
/// line break, else after a sentence end (。！？；!? or a full stop before a space), else before a
/// space, else between two characters. `limit` is at least 4.
void cut_document(std::string_view document, std::size_t limit,
                  const std::function<void(std::string_view chunk, bool first)>& chunk);

/// A uniform sample of the chunks that it is given, bounded in memory: each chunk has a random
/// priority, a function of the seed and its number, and those of lowest priority that fit are kept.
class TrainingSample {
 public:
  TrainingSample(std::uint64_t seed, std::uint64_t budget) : seed_(seed), budget_(budget) {}

  void add(std::string chunk);
  std::uint64_t bytes() const { return bytes_; }
  /// The chunks kept, in the order in which they came; the sample is empty afterwards.
  std::vector<std::string> take();

 private:
  struct Chunk {
    std::uint64_t priority, number;
    std::string text;
    bool operator<(const Chunk& other) const {
      return priority != other.priority ? priority < other.priority : number < other.number;
    }
  };

  std::uint64_t seed_, budget_, bytes_ = 0, count_ = 0;
  std::set<Chunk> chunks_;
};

}  // namespace llmctl
