#include "prompt/generate.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/utf8.h"
#include "infer/alignment.h"
#include "prompt/beam_settings.h"
#include "prompt/growing_text.h"

namespace llmctl {
namespace {

/// More than a prompt may have samples: what a sample draws does not depend on their number.
constexpr std::uint64_t kStreams = 1u << 14;

void require_utf8(const std::string& prompt, const std::string& place) {
  if (const auto offset = find_invalid_utf8(prompt)) {
    fail(ErrorCode::kData, place, ": byte ", *offset, " is not UTF-8");
  }
}

/// How many ids the tokenizer puts before a text. A text's own may be special ones, too: <unk>.
std::size_t added_before(const Tokenizer& tokenizer) {
  const TokenId probe = -1;  // no token's
  const std::vector<TokenId> ids = tokenizer.with_special(std::span(&probe, 1));
  return static_cast<std::size_t>(std::find(ids.begin(), ids.end(), probe) - ids.begin());
}

Json token_json(const TokenText& token) {
  return {{"token", token.text}, {"id", token.id}, {"logprob", token.logprob}};
}

void add_logprobs(Json& json, const std::vector<ChosenToken>& tokens) {
  double sum = 0;
  Json list = Json::array();
  for (const ChosenToken& chosen : tokens) {
    sum += chosen.token.logprob;
    Json& token = list.emplace_back(token_json(chosen.token));
    if (chosen.likeliest.empty()) continue;
    token["top_logprobs"] = Json::array();
    for (const TokenText& likely : chosen.likeliest)
      token["top_logprobs"].push_back(token_json(likely));
  }
  json["logprob"] = sum;
  json["logprobs"] = std::move(list);
}

void add_alignment(Json& json, const TextAlignment& alignment) {
  Json links = Json::array();
  for (std::size_t t = 0; t < alignment.places.size(); ++t)
    links.push_back({alignment.places[t], t});
  json["alignment"] = std::move(links);
  json["source_tokens"] = alignment.source;
  json["target_tokens"] = alignment.target;
}

TokenText token_text(const Tokenizer& tokenizer, TokenId id, float logprob) {
  std::string text = tokenizer.token_bytes(id);
  if (text.empty() || find_invalid_utf8(text)) text = tokenizer.piece(id);
  return {std::move(text), id, logprob};
}

std::vector<ChosenToken> chosen_tokens(const Tokenizer& tokenizer, const GeneratedTokens& answer) {
  std::vector<ChosenToken> tokens;
  for (std::size_t t = 0; t < answer.logprobs.size(); ++t) {
    ChosenToken& chosen = tokens.emplace_back();
    chosen.token = token_text(tokenizer, answer.ids[t], answer.logprobs[t]);
    if (t >= answer.top_logprobs.size()) continue;
    for (const TokenLogprob& likely : answer.top_logprobs[t])
      chosen.likeliest.push_back(token_text(tokenizer, likely.id, likely.logprob));
  }
  return tokens;
}

std::string place_of(const EncodedPrompt& prompt, std::size_t index) {
  return prompt.place.empty() ? concat("prompt ", index + 1) : prompt.place;
}

}  // namespace

EncodedPrompt encode_source(const Tokenizer& tokenizer, const std::string& text,
                            const std::string& place) {
  require_utf8(text, place);
  const std::vector<TokenId> own = tokenizer.encode(text);
  EncodedPrompt prompt{tokenizer.with_special(own), false, place};
  require(!prompt.ids.empty(), ErrorCode::kData, place, " is empty");
  prompt.opening = added_before(tokenizer);
  prompt.closing = prompt.ids.size() - own.size() - prompt.opening;
  return prompt;
}

EncodedPrompt encode_prompt(const Tokenizer& tokenizer, const std::string& prompt,
                            const std::string& place) {
  require_utf8(prompt, place);
  std::vector<TokenId> ids = tokenizer.encode(prompt);
  const std::size_t opening = added_before(tokenizer), complete = opening + ids.size();
  ids = tokenizer.with_special(ids);
  // What the tokenizer would put behind a complete text ([SEP], </s>) is the model's to write.
  const SpecialTokens& special = tokenizer.special();
  while (ids.size() > complete && (ids.back() == special.sep || ids.back() == special.eos)) {
    ids.pop_back();
  }
  require(!ids.empty(), ErrorCode::kData, place,
          " is empty, and the tokenizer has no token that begins a text");
  return {std::move(ids), !prompt.empty(), place, opening};
}

Json generated_json(const GeneratedText& text) {
  Json json = {{"generated_text", text.text},
               {"finish_reason", text.finish_reason},
               {"tokens", text.ids.size()}};
  if (text.score) json["score"] = *text.score;
  if (text.alignment) add_alignment(json, *text.alignment);
  if (text.finish_reason == "skipped") {
    json["generated_text"] = nullptr;
    json["note"] = text.note;
  } else if (text.with_logprobs) {
    add_logprobs(json, text.logprobs);
  }
  return json;
}

Json samples_json(const std::vector<GeneratedText>& samples) {
  if (samples.size() == 1) return generated_json(samples.front());
  Json list = Json::array();
  for (const GeneratedText& sample : samples) list.push_back(generated_json(sample));
  return {{"samples", list}};
}

std::string too_long_reason(const ModelFacts& facts, const EncodedPrompt& prompt,
                            const GenerationSettings& all) {
  const GenerationSettings& settings = prompt.settings_or(all);
  const std::int64_t size = std::ssize(prompt.ids);
  const std::int64_t limit = settings.total_limit(facts.max_positions);
  if (facts.encoder_decoder) {
    if (size <= facts.max_positions) return "";
    return concat("has ", size, " tokens, the model takes ", facts.max_positions);
  }
  if (size < limit) return "";
  return concat("has ", size, " tokens and leaves no room, ",
                limit < facts.max_positions ? "max_length is " : "the model takes ", limit,
                " with the answer");
}

void shorten(const ModelFacts& facts, EncodedPrompt& prompt, const GenerationSettings& all) {
  const GenerationSettings& settings = prompt.settings_or(all);
  std::vector<TokenId>& ids = prompt.ids;
  const auto at = [&](std::size_t index) {
    return ids.begin() + static_cast<std::ptrdiff_t>(index);
  };
  if (facts.encoder_decoder) {
    const auto limit = static_cast<std::size_t>(facts.max_positions);
    if (ids.size() <= limit) return;
    const std::size_t closing = std::min(prompt.closing, limit);
    ids.erase(at(limit - closing), ids.end() - static_cast<std::ptrdiff_t>(closing));
    return;
  }
  const auto kept = static_cast<std::size_t>(settings.prompt_room(facts.max_positions));
  if (ids.size() <= kept) return;
  const std::size_t opening = std::min(prompt.opening, kept - 1);
  ids.erase(at(opening), at(opening + ids.size() - kept));
}

void check_prompts(const ModelFacts& facts, const std::vector<EncodedPrompt>& prompts,
                   const GenerationSettings& settings) {
  require(facts.causal, ErrorCode::kData, facts.architecture,
          " continues no text; give it a text with [MASK], or a task's input");
  std::string first;
  std::size_t count = 0;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const GenerationSettings& own = prompts[i].settings_or(settings);
    if (own.alignment_layer) alignment_layer({*own.alignment_layer}, facts.layers);
    require(!facts.encoder_decoder || own.total_limit(facts.max_positions) > 1, ErrorCode::kData,
            place_of(prompts[i], i), ": max_length ", own.max_length.value_or(0),
            " leaves no room for an answer; raise it or set max_new_tokens");
    if (own.too_long != TooLong::kError) continue;
    const std::string reason = too_long_reason(facts, prompts[i], settings);
    if (!reason.empty() && count++ == 0) first = place_of(prompts[i], i) + " " + reason;
  }
  if (count == 0) return;
  fail(ErrorCode::kData, first,
       count > 1 ? concat("; ", count - 1, count > 2 ? " more are" : " more is", " too long")
                 : std::string(),
       "; shorten ", count > 1 ? "them" : "it", ", or set generation.too_long to truncate or skip");
}

GenerationRequest make_request(const ModelFacts& facts, const EncodedPrompt& prompt,
                               const GenerationSettings& all) {
  const GenerationSettings& settings = prompt.settings_or(all);
  GenerationRequest request;
  if (facts.encoder_decoder) {
    request.source = prompt.ids;
    request.prompt = {settings.decoder_start.value_or(static_cast<TokenId>(facts.decoder_start))};
  } else {
    request.prompt = prompt.ids;
  }
  request.adapters = prompt.adapters;
  request.samples = settings.samples;
  request.logprobs = settings.logprobs;
  if (settings.alignment_layer)
    request.alignment = {*settings.alignment_layer, prompt.opening, prompt.closing};
  request.options = settings.options(facts, std::ssize(request.prompt), std::ssize(request.source));
  request.options.constraint = request.options.constraint.at_start(prompt.continues);
  return request;
}

std::vector<std::vector<GeneratedText>> generate_texts(
    Model& model, const std::shared_ptr<const Tokenizer>& tokenizer,
    const std::vector<std::string>& prompts, const GenerationSettings& settings,
    const Context& context, const TextProgress& progress) {
  std::vector<EncodedPrompt> encoded;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::string place = concat("prompt ", progress.first_prompt + i + 1);
    encoded.push_back(model.facts().encoder_decoder ? encode_source(*tokenizer, prompts[i], place)
                                                    : encode_prompt(*tokenizer, prompts[i], place));
  }
  Engine engine(model, engine_options(settings, *tokenizer), context);
  return generate_texts(engine, model.facts(), tokenizer, encoded, settings, progress);
}

EngineOptions engine_options(const GenerationSettings& settings, const Tokenizer& tokenizer) {
  EngineOptions options;
  // Each prompt with its beams: they share what is read in a pass.
  options.batch_size = settings.batch_size * settings.sampling.beams.num_beams;
  options.vocab_limit = tokenizer.target().vocab_size();
  return options;
}

/// A prompt under way.
struct TextGenerator::Work {
  std::size_t index = 0;
  std::shared_ptr<const GenerationSettings> own;  // its stop strings are the texts'
  std::vector<GrowingText> texts;                 // of the samples
  bool with_logprobs = false, shortened = false, continues = false;
  std::vector<std::string> stop;  // in beam search
  std::vector<TokenId> prefix;
  std::optional<AlignmentOptions> alignment;
  std::vector<TokenId> source;  // where alignments are wanted
};

TextGenerator::TextGenerator(Engine& engine, const ModelFacts& facts,
                             const std::shared_ptr<const Tokenizer>& tokenizer,
                             const GenerationSettings& settings, TextProgress progress)
    : engine_(engine),
      facts_(facts),
      source_(tokenizer),
      // What the model writes may be in other words than what it reads.
      target_(tokenizer, &tokenizer->target()),
      settings_(settings),
      progress_(std::move(progress)),
      before_(engine.counts()) {}

TextGenerator::~TextGenerator() {
  tell_guesses();
  for (const auto& [id, work] : works_) engine_.cancel(id);
}

void TextGenerator::tell_guesses() const {
  const EngineCounts& counts = engine_.counts();
  const std::int64_t guessed = counts.guessed - before_.guessed,
                     accepted = counts.accepted - before_.accepted;
  if (guessed == 0) return;
  // What a row brings in a pass: the token it was fed and the guesses that came true.
  const double each =
      1 + static_cast<double>(accepted) / static_cast<double>(counts.generated - before_.generated);
  log_debug("prompt lookup: ", accepted, " of ", guessed, " guesses came true, ",
            std::round(100 * each) / 100, " tokens a pass");
}

void TextGenerator::submit(EncodedPrompt prompt) {
  const std::size_t index = submitted_++;
  const GenerationSettings& settings = prompt.settings_or(settings_);
  const auto samples = static_cast<std::size_t>(settings.samples);
  const std::vector<TokenId> prefix =
      settings.prefix.empty() ? std::vector<TokenId>() : target_->encode(settings.prefix);
  if (!facts_.encoder_decoder) {
    prompt.ids.insert(prompt.ids.end(), prefix.begin(), prefix.end());
  }
  const std::string reason = too_long_reason(facts_, prompt, settings);
  if (!reason.empty() && settings.too_long == TooLong::kSkip) {
    GeneratedText skipped;
    skipped.finish_reason = "skipped";
    skipped.note = "the prompt " + reason;
    done_.emplace_back(index, std::vector<GeneratedText>(samples, skipped));
    complete_ += samples;
    if (!progress_.on_text) return;
    for (std::size_t s = 0; s < samples; ++s) progress_.on_text({index, s, "", true});
    return;
  }
  if (!reason.empty()) shorten(facts_, prompt, settings);
  GenerationRequest request = make_request(facts_, prompt, settings);
  if (facts_.encoder_decoder && !prefix.empty()) {
    request.prompt.insert(request.prompt.end(), prefix.begin(), prefix.end());
    const SamplingOptions lengths =
        settings.options(facts_, std::ssize(request.prompt), std::ssize(request.source));
    request.options.max_new_tokens = lengths.max_new_tokens;
    request.options.min_new_tokens = lengths.min_new_tokens;
  }
  for (const std::string& word : settings.force_words) {
    request.options.beams.force_words_ids.push_back(word_alternatives(*target_, word));
  }
  request.number = progress_.first_prompt + index + 1;
  request.stream = (progress_.first_prompt + index) * kStreams;
  auto work = std::make_unique<Work>();
  work->index = index;
  work->own = prompt.settings;
  work->with_logprobs = request.logprobs.has_value();
  work->shortened = !reason.empty();
  work->continues = prompt.continues;
  work->prefix = prefix;
  work->alignment = request.alignment;
  if (request.alignment) work->source = request.source;
  const BeamOptions& beams = request.options.beams;
  if (beams.num_beams > 1 || !beams.force_words_ids.empty()) work->stop = settings.stop;
  for (std::size_t s = 0; s < samples; ++s) {
    GrowingText& text = work->texts.emplace_back(target_, prompt.continues, settings.stop);
    for (const TokenId id : prefix) text.push(id);
  }
  ChooserEvents events = events_of(*work);
  works_[engine_.submit(std::move(request), std::move(events))] = std::move(work);
}

ChooserEvents TextGenerator::events_of(Work& work) {
  ChooserEvents events;
  events.token = [this, &work](std::size_t sample, TokenId id) {
    const bool done = work.texts[sample].push(id);
    give(work, sample, false);
    ++written_;
    if (progress_.on_token) progress_.on_token(complete_, written_);
    return done;
  };
  events.end = [this, &work](std::size_t sample, const GeneratedTokens&) {
    work.texts[sample].finish();
    ++complete_;
    give(work, sample, true);
  };
  if (!work.stop.empty()) {
    events.complete = [this, &work](std::span<const TokenId> answer) {
      GrowingText text(target_, work.continues, work.stop);
      for (const TokenId id : work.prefix) text.push(id);
      return std::any_of(answer.begin(), answer.end(), [&](TokenId id) { return text.push(id); });
    };
  }
  return events;
}

void TextGenerator::give(Work& work, std::size_t sample, bool last) {
  if (!progress_.on_text) return;
  std::string text = work.texts[sample].take();
  if (!text.empty() || last) progress_.on_text({work.index, sample, std::move(text), last});
}

std::vector<TextGenerator::Done> TextGenerator::step() {
  std::vector<Done> done = std::exchange(done_, {});
  if (works_.empty()) return done;
  std::vector<Engine::Finished> finished;
  try {
    finished = engine_.step();
  } catch (...) {
    for (const auto& [id, work] : works_) engine_.cancel(id);
    works_.clear();
    throw;
  }
  for (Engine::Finished& one : finished) {
    const auto found = works_.find(one.id);
    done.emplace_back(found->second->index, finish(*found->second, one.answers));
    works_.erase(found);
  }
  return done;
}

std::vector<GeneratedText> TextGenerator::finish(Work& work,
                                                 std::vector<GeneratedTokens>& answers) const {
  std::vector<GeneratedText> texts;
  for (std::size_t s = 0; s < answers.size(); ++s) {
    GeneratedTokens& answer = answers[s];
    GeneratedText& text = texts.emplace_back();
    text.text = work.texts[s].text();
    text.with_logprobs = work.with_logprobs;
    if (text.with_logprobs) text.logprobs = chosen_tokens(*target_, answer);
    if (work.alignment) text.alignment = alignment_of(work, answer);
    text.ids = std::move(answer.ids);
    text.score = answer.score;
    text.finish_reason = answer.reason == FinishReason::kStop ? "stop" : "length";
    text.out_of_positions = answer.reason == FinishReason::kPositions;
    text.shortened = work.shortened;
  }
  return texts;
}

TextAlignment TextGenerator::alignment_of(const Work& work, const GeneratedTokens& answer) const {
  TextAlignment alignment;
  for (const TokenId id : own_tokens(work.source, *work.alignment))
    alignment.source.push_back(source_->piece(id));
  for (const auto* ids : {&work.prefix, &answer.ids}) {
    for (const TokenId id : *ids) alignment.target.push_back(target_->piece(id));
  }
  alignment.places = answer.alignment;
  return alignment;
}

std::vector<std::vector<GeneratedText>> generate_texts(
    Engine& engine, const ModelFacts& facts, const std::shared_ptr<const Tokenizer>& tokenizer,
    const std::vector<EncodedPrompt>& prompts, const GenerationSettings& settings,
    const TextProgress& progress) {
  check_prompts(facts, prompts, settings);
  std::vector<std::vector<GeneratedText>> results(prompts.size());
  TextGenerator generator(engine, facts, tokenizer, settings, progress);
  for (const EncodedPrompt& prompt : prompts) generator.submit(prompt);
  while (!generator.idle()) {
    for (auto& [index, texts] : generator.step()) results[index] = std::move(texts);
  }
  return results;
}

}  // namespace llmctl
