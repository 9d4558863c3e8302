#include "metrics/ter.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>

#include "metrics/ngrams.h"

namespace llmctl {
namespace {

// Tercom's limits, and the two of sacreBLEU's search.
constexpr int kLongestShift = 10, kFarthestShift = 50, kBeam = 25, kMostCandidates = 1000;
constexpr int kUnreached = 1 << 29;

enum class Edit : std::uint8_t { kNone, kSubstitute, kInsert, kDelete, kUnknown };

/// What a shortest way from words to the reference says of both sides.
struct Alignment {
  std::vector<int> word_of;  ///< for each word of the reference the one that stands for it, or the
                             ///< last one before it; -1 before the first
  std::vector<int> reference_errors, word_errors;  ///< errors before each position, summed up
};

/// Edit distances to one reference, along the diagonal of the table only, as Tercom does.
class EditDistance {
 public:
  EditDistance(const Units& reference, std::size_t words)
      : reference_(reference),
        words_(static_cast<int>(words)),
        columns_(static_cast<int>(reference.size()) + 1),
        ratio_(words == 0 ? 1.0
                          : static_cast<double>(reference.size()) / static_cast<double>(words)),
        beam_(kBeam < ratio_ / 2 ? static_cast<int>(std::ceil(ratio_ / 2 + kBeam)) : kBeam),
        costs_(static_cast<std::size_t>(words_ + 1) * static_cast<std::size_t>(columns_)),
        edits_(costs_.size(), Edit::kUnknown),
        upper_(static_cast<std::size_t>(columns_)),
        lower_(upper_) {
    for (int j = 0; j < columns_; ++j) {
      costs_[static_cast<std::size_t>(j)] = j;
      edits_[static_cast<std::size_t>(j)] = Edit::kInsert;
    }
  }

  /// Fills the table for these words, which the calls below refer to.
  int set(const Units& words) {
    for (int i = 1; i <= words_; ++i)
      fill(i, words[static_cast<std::size_t>(i - 1)], row(i - 1), row(i), &edits_[index(i)]);
    return row(words_)[columns_ - 1];
  }

  /// Of words that are the same before `first`.
  int distance_of(const Units& words, int first) {
    const int* above = row(first);
    for (int i = first + 1; i <= words_; ++i) {
      fill(i, words[static_cast<std::size_t>(i - 1)], above, lower_.data(), nullptr);
      std::swap(upper_, lower_);
      above = upper_.data();
    }
    return above[columns_ - 1];
  }

  Alignment alignment() const {
    std::vector<Edit> way;
    for (int i = words_, j = columns_ - 1; i > 0 || j > 0;) {
      const Edit edit = edits_[index(i) + static_cast<std::size_t>(j)];
      way.push_back(edit);
      if (edit != Edit::kInsert) --i;
      if (edit != Edit::kDelete) --j;
    }
    Alignment alignment{{}, {0}, {0}};
    int word = -1;
    for (auto edit = way.rbegin(); edit != way.rend(); ++edit) {
      const int error = *edit == Edit::kNone ? 0 : 1;
      if (*edit != Edit::kInsert) {
        ++word;
        alignment.word_errors.push_back(alignment.word_errors.back() + error);
      }
      if (*edit != Edit::kDelete) {
        alignment.word_of.push_back(word);
        alignment.reference_errors.push_back(alignment.reference_errors.back() + error);
      }
    }
    return alignment;
  }

 private:
  std::size_t index(int i) const {
    return static_cast<std::size_t>(i) * static_cast<std::size_t>(columns_);
  }
  int* row(int i) { return &costs_[index(i)]; }

  void fill(int i, std::uint32_t word, const int* above, int* here, Edit* edits) const {
    const int diagonal = static_cast<int>(std::floor(i * ratio_));
    const int begin = std::max(0, diagonal - beam_);
    const int end = i == words_ ? columns_ : std::min(columns_, diagonal + beam_);
    std::fill(here, here + columns_, kUnreached);
    for (int j = begin; j < end; ++j) {
      Edit edit = Edit::kDelete;
      int cost = above[j] + 1;
      if (j > 0) {
        const bool same = word == reference_[static_cast<std::size_t>(j - 1)];
        const int replaced = above[j - 1] + (same ? 0 : 1);
        // Of ways that cost the same: none or a substitution, then a deletion, then an insertion.
        if (replaced <= cost) {
          cost = replaced;
          edit = same ? Edit::kNone : Edit::kSubstitute;
        }
        if (here[j - 1] + 1 < cost) {
          cost = here[j - 1] + 1;
          edit = Edit::kInsert;
        }
      }
      here[j] = std::min(cost, kUnreached);
      if (edits != nullptr) edits[j] = edit;
    }
  }

  const Units& reference_;
  int words_, columns_;
  double ratio_;
  int beam_;
  std::vector<int> costs_;
  std::vector<Edit> edits_;
  std::vector<int> upper_, lower_;
};

/// The words [start, start + length) put before the word at `target`; inside the shifted ones the
/// target counts behind them.
void shift_words(const Units& words, int start, int length, int target, Units& out) {
  out = words;
  const auto at = [&](int i) { return out.begin() + i; };
  if (target < start) {
    std::rotate(at(target), at(start), at(start + length));
  } else if (target > start + length) {
    std::rotate(at(start), at(start + length), at(target));
  } else {
    std::rotate(at(start), at(start + length),
                at(std::min(static_cast<int>(words.size()), length + target)));
  }
}

/// A shift, in the order in which Tercom prefers them: the best gain, the longest, the earliest.
using Shift = std::tuple<int, int, int, int>;  // gain, length, -start, -target

/// Searches the shift of the words set in `distance` that gains most.
class ShiftSearch {
 public:
  ShiftSearch(const Units& words, const Units& reference, EditDistance& distance, int now)
      : words_(words),
        reference_(reference),
        distance_(distance),
        now_(now),
        alignment_(distance.alignment()) {}

  /// Nothing where there is no candidate. `tried` counts candidates over all searches.
  std::optional<Shift> best(int& tried) {
    const int words = static_cast<int>(words_.size());
    const int references = static_cast<int>(reference_.size());
    for (int start = 0; start < words; ++start) {
      const int begin = std::max(0, start - kFarthestShift);
      const int end = std::min(references, start + kFarthestShift + 1);
      for (int to = begin; to < end; ++to) {
        const int longest = std::min({kLongestShift, words - start, references - to});
        for (int length = 1; length <= longest && word(start + length) == target(to + length);
             ++length) {
          if (!helps(start, to, length)) continue;
          try_targets(start, to, length, tried);
          if (tried >= kMostCandidates) return best_;
        }
      }
    }
    return best_;
  }

 private:
  std::uint32_t word(int end) const { return words_[static_cast<std::size_t>(end - 1)]; }
  std::uint32_t target(int end) const { return reference_[static_cast<std::size_t>(end - 1)]; }
  static int errors(const std::vector<int>& sums, int begin, int length) {
    return sums[static_cast<std::size_t>(begin + length)] - sums[static_cast<std::size_t>(begin)];
  }
  int aligned(int position) const { return alignment_.word_of[static_cast<std::size_t>(position)]; }

  /// Both sides are wrong where they stand, and the target is no part of what is shifted.
  bool helps(int start, int to, int length) const {
    if (errors(alignment_.word_errors, start, length) == 0 ||
        errors(alignment_.reference_errors, to, length) == 0)
      return false;
    return aligned(to) < start || aligned(to) >= start + length;
  }

  void try_targets(int start, int to, int length, int& tried) {
    int before = -1;
    for (int offset = -1; offset < length; ++offset) {
      const int position = to + offset;
      if (position >= static_cast<int>(reference_.size())) break;
      const int index = position < 0 ? 0 : aligned(position) + 1;
      if (index == before) continue;
      before = index;
      shift_words(words_, start, length, index, shifted_);
      const int gain = now_ - distance_.distance_of(shifted_, std::min(start, index));
      ++tried;
      const Shift candidate{gain, length, -start, -index};
      if (!best_ || candidate > *best_) best_ = candidate;
    }
  }

  const Units& words_;
  const Units& reference_;
  EditDistance& distance_;
  int now_;
  Alignment alignment_;
  std::optional<Shift> best_;
  Units shifted_;
};

double edits_to(Units words, const Units& reference) {
  if (reference.empty()) return static_cast<double>(words.size());
  EditDistance distance(reference, words.size());
  int tried = 0, shifts = 0;
  while (true) {
    const int now = distance.set(words);
    const auto best = ShiftSearch(words, reference, distance, now).best(tried);
    if (tried >= kMostCandidates || !best || std::get<0>(*best) <= 0) return now + shifts;
    const auto [gain, length, start, target] = *best;
    Units shifted;
    shift_words(words, -start, length, -target, shifted);
    words = std::move(shifted);
    ++shifts;
  }
}

}  // namespace

TerCounts ter_counts(const std::vector<std::string_view>& translation,
                     std::span<const std::vector<std::string_view>> references) {
  std::size_t total = translation.size();
  for (const auto& reference : references) total += reference.size();
  Numbering<std::string_view> numbers;
  numbers.clear(total);
  const auto units_of = [&](const std::vector<std::string_view>& words) {
    Units units;
    for (const std::string_view word : words) units.push_back(numbers(word));
    return units;
  };
  const Units words = units_of(translation);
  TerCounts counts;
  counts.edits = std::numeric_limits<double>::infinity();
  for (const auto& reference : references) {
    counts.edits = std::min(counts.edits, edits_to(words, units_of(reference)));
    counts.reference_length += static_cast<double>(reference.size());
  }
  counts.reference_length /= static_cast<double>(references.size());
  return counts;
}

double ter_score(const TerCounts& counts) {
  if (counts.reference_length > 0) return 100 * (counts.edits / counts.reference_length);
  return counts.edits > 0 ? 100 : 0;
}

}  // namespace llmctl
