#include "infer/beam_chooser.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/random.h"

namespace llmctl {

BeamChooser::BeamChooser(const GenerationRequest& request, std::int64_t positions,
                         ChooserEvents events)
    : request_(request),
      options_(within(request.options, positions - std::ssize(request.prompt))),
      events_(std::move(events)),
      words_(options_.beams.force_words_ids),
      scorer_(options_),
      groups_(static_cast<std::size_t>(options_.beams.num_beam_groups)) {
  Hypothesis prompt;
  prompt.ids = request.prompt;
  prompt.words = words_.begin();
  for (Group& group : groups_) group.running = {prompt};
}

std::size_t BeamChooser::group_size() const {
  return static_cast<std::size_t>(beams().num_beams / beams().num_beam_groups);
}

std::span<const TokenId> BeamChooser::answer(const Hypothesis& text) const {
  return std::span(text.ids).subspan(request_.prompt.size());
}

void BeamChooser::choose(std::span<const RowLogits> rows) {
  taken_.clear();
  std::size_t begin = 0;
  for (Group& group : groups_) {
    if (group.done) continue;
    const std::size_t size = group.running.size();
    choose_group(group, rows.subspan(begin, size), begin);
    if (!first_) begin += size;
  }
  first_ = false;
}

void BeamChooser::choose_group(Group& group, std::span<const RowLogits> rows, std::size_t first) {
  find_continuations(group, rows);
  if (!words_.none()) order_by_words(group);
  group.parents.clear();
  extend(group, rows);
  std::swap(group.running, group.next);
  for (std::size_t& row : group.parents) row += first;
  for (const Hypothesis& text : group.running) taken_.push_back(text.ids.back());
}

/// Fills continuations_, best first, with more than enough to go on with where all that may end
/// does.
void BeamChooser::find_continuations(const Group& group, std::span<const RowLogits> rows) {
  const std::size_t ends = std::max<std::size_t>(options_.eos_token_ids.size(), 1);
  const std::size_t most = (ends + 1) * group_size();
  continuations_.clear();
  norms_.clear();
  top_.reset(most);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const Hypothesis& text = group.running[r];
    const RowScores scores =
        scorer_.score(rows[r].at(0), {text.ids, std::ssize(answer(text)), request_.source}, taken_);
    require(!std::isnan(scores.norm), ErrorCode::kInternal, "prompt ", request_.number, ", token ",
            text.ids.size() + 1,
            ": the model's logits are not finite; its weights are damaged, or bf16 overflows (try "
            "fp32)");
    norms_.push_back(scores.norm);
    if (options_.do_sample) {
      // The place among all rows of the request names the draws.
      const std::uint64_t place = static_cast<std::uint64_t>(&group - groups_.data()) << 32 | r;
      top_.add_drawn(
          r, scores, text.score,
          random_key(options_.seed, "beam sampling", request_.stream, text.ids.size(), place));
    } else {
      top_.add(r, scores, text.score);
    }
    if (words_.none()) continue;
    // Each row by itself, since few of all rows' best have more of the words.
    const std::vector<Continuation>& best = top_.sorted();
    continuations_.insert(continuations_.end(), best.begin(), best.end());
    top_.reset(most);
    add_mandatory(text, r, scores);
  }
  if (words_.none()) continuations_ = top_.sorted();
}

/// The continuations with a token of a missing word, where they are not among the row's best.
void BeamChooser::add_mandatory(const Hypothesis& text, std::size_t row, const RowScores& scores) {
  wanted_.clear();
  words_.next(answer(text), text.words, wanted_);
  for (const TokenId id : wanted_) {
    const bool there =
        std::any_of(continuations_.begin(), continuations_.end(),
                    [&](const Continuation& c) { return c.row == row && c.id == id; });
    if (there || !scores.possible(id)) continue;
    const double score = scores.of(id) + text.score;
    continuations_.push_back({score, row, id, score});
  }
}

/// Dynamic beam allocation: the best of those that lack fewest tokens of the words, the best of
/// those that lack one more, and so on, then the second best of each. Leaves out what could not
/// have all words any more, unless that is all there is.
void BeamChooser::order_by_words(const Group& group) {
  const std::int64_t length = std::ssize(answer(group.running.front())) + 1;
  const std::int64_t left =
      options_.max_new_tokens - length - (options_.forced_eos_token_ids.empty() ? 0 : 1);
  struct Placed {
    Continuation continuation;
    std::int64_t missing;
    std::size_t place = 0;
  };
  std::vector<Placed> placed, hopeless;
  for (const Continuation& continuation : continuations_) {
    const Hypothesis& text = group.running[continuation.row];
    const bool ends =
        end_of(text, continuation.id) != End::kNone && length < options_.max_new_tokens;
    if (ends && text.words.missing > 0) continue;
    MandatoryWords::State state = text.words;
    std::vector<TokenId> ids(answer(text).begin(), answer(text).end());
    ids.push_back(continuation.id);
    words_.accept(ids, state);
    (state.missing <= std::max<std::int64_t>(left, 0) ? placed : hopeless)
        .push_back({continuation, state.missing});
  }
  if (placed.empty()) placed = std::move(hopeless);
  std::sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    if (a.missing != b.missing) return a.missing < b.missing;
    return a.continuation.score > b.continuation.score;
  });
  for (std::size_t i = 1; i < placed.size(); ++i) {
    if (placed[i].missing == placed[i - 1].missing) placed[i].place = placed[i - 1].place + 1;
  }
  std::stable_sort(placed.begin(), placed.end(),
                   [](const Placed& a, const Placed& b) { return a.place < b.place; });
  continuations_.clear();
  places_.clear();
  for (const Placed& one : placed) {
    continuations_.push_back(one.continuation);
    places_.push_back(one.place);
  }
}

BeamChooser::End BeamChooser::end_of(const Hypothesis& text, TokenId id) const {
  const std::vector<TokenId>& eos = options_.eos_token_ids;
  if (std::find(eos.begin(), eos.end(), id) != eos.end()) return End::kEos;
  if (events_.complete) {
    std::vector<TokenId> ids(answer(text).begin(), answer(text).end());
    ids.push_back(id);
    if (events_.complete(ids)) return End::kComplete;
  }
  const bool last = std::ssize(answer(text)) + 1 >= options_.max_new_tokens;
  return last ? End::kLength : End::kNone;
}

void BeamChooser::extend(Group& group, std::span<const RowLogits> rows) {
  const std::size_t size = group_size();
  const bool grouped = groups_.size() > 1;
  const std::int64_t length = std::ssize(answer(group.running.front())) + 1;
  picked_.clear();
  double best = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < continuations_.size(); ++i) {
    const Continuation& continuation = continuations_[i];
    const Hypothesis& parent = group.running[continuation.row];
    End end = end_of(parent, continuation.id);
    if (grouped) best = std::max(best, continuation.score);
    // In groups, what the length ends counts after all that ends by itself.
    if (end == End::kNone || (grouped && end == End::kLength)) {
      if (picked_.size() == size) continue;
      picked_.push_back(continuation);
      if (!grouped) best = std::max(best, continuation.score);
    } else if ((words_.none() ? i : places_[i]) < size) {
      Hypothesis text;
      grow(parent, continuation, rows, text);
      finish(group, std::move(text), end);
    }
  }
  // In the order of their parents, which is what a step promises.
  std::stable_sort(picked_.begin(), picked_.end(),
                   [](const Continuation& a, const Continuation& b) { return a.row < b.row; });
  group.next.resize(picked_.size());
  for (std::size_t i = 0; i < picked_.size(); ++i) {
    grow(group.running[picked_[i].row], picked_[i], rows, group.next[i]);
    group.parents.push_back(picked_[i].row);
  }
  group.done = picked_.empty() || is_done(group, best, length);
  if (length < options_.max_new_tokens || group.done) return;
  for (const Hypothesis& text : group.next) finish(group, text, End::kLength);
  group.done = true;
}

void BeamChooser::grow(const Hypothesis& parent, const Continuation& by,
                       std::span<const RowLogits> rows, Hypothesis& text) const {
  text.ids.assign(parent.ids.begin(), parent.ids.end());
  text.ids.push_back(by.id);
  text.score = by.score;
  if (!words_.none()) {
    text.words = parent.words;
    words_.accept(answer(text), text.words);
  }
  if (!request_.logprobs) return;
  text.logprobs = parent.logprobs;
  text.top = parent.top;
  note_logprobs(rows[by.row].at(0), norms_[by.row], by.id, *request_.logprobs, text.logprobs,
                text.top);
}

/// Takes an ended text among the group's finished ones, as many as it has beams.
void BeamChooser::finish(Group& group, Hypothesis text, End end) const {
  const auto length = static_cast<double>(answer(text).size());
  Finished finished;
  finished.score = text.score / std::pow(length, beams().length_penalty);
  finished.has_words = text.words.missing == 0;
  finished.end = end;
  finished.text = std::move(text);
  const auto place = std::upper_bound(group.finished.begin(), group.finished.end(), finished,
                                      [](const Finished& a, const Finished& b) {
                                        if (a.has_words != b.has_words) return a.has_words;
                                        return a.score > b.score;
                                      });
  group.finished.insert(place, std::move(finished));
  if (group.finished.size() > group_size()) group.finished.pop_back();
}

/// Whether a running text of the score `best` can no longer be among the finished ones.
bool BeamChooser::is_done(const Group& group, double best, std::int64_t length) const {
  if (group.finished.size() < group_size() || !group.finished.back().has_words) return false;
  if (beams().early_stopping == EarlyStopping::kYes) return true;
  const bool any_length =
      beams().early_stopping == EarlyStopping::kNever && beams().length_penalty > 0;
  const auto counted = static_cast<double>(any_length ? options_.max_new_tokens : length);
  return best / std::pow(counted, beams().length_penalty) <= group.finished.back().score;
}

const Step& BeamChooser::advance() {
  step_.branches.clear();
  for (const Group& group : groups_) {
    if (group.done) continue;
    for (std::size_t i = 0; i < group.running.size(); ++i) {
      step_.branches.push_back({group.parents[i], group.running[i].ids.back()});
    }
  }
  if (step_.branches.empty()) report();
  return step_;
}

void BeamChooser::report() {
  std::vector<Finished> best;
  for (Group& group : groups_) {
    std::move(group.finished.begin(), group.finished.end(), std::back_inserter(best));
  }
  std::stable_sort(best.begin(), best.end(), [](const Finished& a, const Finished& b) {
    if (a.has_words != b.has_words) return a.has_words;
    return a.score > b.score;
  });
  require(!best.empty(), ErrorCode::kData, "prompt ", request_.number,
          ": the settings leave no token possible");
  best.resize(std::min(best.size(), static_cast<std::size_t>(request_.samples)));
  for (std::size_t s = 0; s < best.size(); ++s) {
    results_.push_back(result_of(best[s]));
    tell(s);
  }
}

GeneratedTokens BeamChooser::result_of(Finished& finished) const {
  GeneratedTokens result;
  const std::span<const TokenId> ids = answer(finished.text);
  const std::size_t kept = ids.size() - (finished.end == End::kEos ? 1 : 0);
  result.ids.assign(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(kept));
  result.logprobs = std::move(finished.text.logprobs);
  result.top_logprobs = std::move(finished.text.top);
  result.logprobs.resize(std::min(result.logprobs.size(), kept));
  result.top_logprobs.resize(std::min(result.top_logprobs.size(), kept));
  result.score = finished.score;
  result.reason = FinishReason::kStop;
  if (finished.end == End::kLength) {
    const bool short_of_room = options_.max_new_tokens < request_.options.max_new_tokens;
    result.reason = short_of_room ? FinishReason::kPositions : FinishReason::kLength;
  }
  return result;
}

/// Answers are told when they are known: all tokens of one after the other.
void BeamChooser::tell(std::size_t sample) {
  GeneratedTokens& result = results_[sample];
  for (std::size_t i = 0; events_.token && i < result.ids.size(); ++i) {
    if (!events_.token(sample, result.ids[i])) continue;
    result.ids.resize(i + 1);
    result.logprobs.resize(std::min(result.logprobs.size(), i + 1));
    result.top_logprobs.resize(std::min(result.top_logprobs.size(), i + 1));
    result.reason = FinishReason::kStop;
  }
  if (events_.end) events_.end(sample, result);
}

}  // namespace llmctl
