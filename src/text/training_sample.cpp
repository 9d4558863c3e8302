#include "text/training_sample.h"

#include <algorithm>
#include <array>

namespace llmctl {
namespace {

/// Position in text behind the last sentence end, or 0.
std::size_t last_sentence_end(std::string_view text) {
  constexpr std::array<std::string_view, 6> kEnds = {"。", "！", "？", "；", "!", "?"};
  std::size_t end = 0;
  for (const std::string_view mark : kEnds) {
    const std::size_t at = text.rfind(mark);
    if (at != text.npos) end = std::max(end, at + mark.size());
  }
  const std::size_t stop = text.rfind(". ");
  if (stop != text.npos) end = std::max(end, stop + 1);
  return end;
}

/// Where to end a chunk of a document longer than limit.
std::size_t cut_position(std::string_view document, std::size_t limit) {
  const std::string_view window = document.substr(0, limit);
  const std::size_t line = window.rfind('\n');
  if (line != window.npos) return line + 1;
  if (const std::size_t sentence = last_sentence_end(window)) return sentence;
  const std::size_t space = window.rfind(' ');
  if (space != window.npos && space > 0) return space;
  std::size_t cut = limit;
  while ((static_cast<unsigned char>(document[cut]) & 0xC0) == 0x80) --cut;
  return cut;
}

}  // namespace

void cut_document(std::string_view document, std::size_t limit,
                  const std::function<void(std::string_view chunk, bool first)>& chunk) {
  bool first = true;
  while (document.size() > limit) {
    const std::size_t cut = cut_position(document, limit);
    chunk(document.substr(0, cut), first);
    document.remove_prefix(cut);
    first = false;
  }
  if (!document.empty()) chunk(document, first);
}

void TrainingSample::add(std::string chunk) {
  const std::uint64_t number = count_++;
  bytes_ += chunk.size();
  Random random(random_key(seed_, "tokenizer sample", number));
  chunks_.insert({random.next(), number, std::move(chunk)});
  while (bytes_ > budget_ && chunks_.size() > 1) {
    const auto last = std::prev(chunks_.end());
    bytes_ -= last->text.size();
    chunks_.erase(last);
  }
}

std::vector<std::string> TrainingSample::take() {
  std::vector<Chunk> ordered;
  ordered.reserve(chunks_.size());
  while (!chunks_.empty()) ordered.push_back(std::move(chunks_.extract(chunks_.begin()).value()));
  std::sort(ordered.begin(), ordered.end(),
            [](const Chunk& a, const Chunk& b) { return a.number < b.number; });
  std::vector<std::string> texts;
  texts.reserve(ordered.size());
  for (Chunk& chunk : ordered) texts.push_back(std::move(chunk.text));
  bytes_ = 0;
  return texts;
}

}  // namespace llmctl
