#include "prompt/generate.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
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

/// How many of the ids at the beginning the tokenizer put there.
std::size_t added_before(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  const auto own =
      std::find_if(ids.begin(), ids.end(), [&](TokenId id) { return !tokenizer.is_special(id); });
  return static_cast<std::size_t>(own - ids.begin());
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
  const std::size_t added = prompt.ids.size() - own.size();
  prompt.opening = std::min(added, added_before(tokenizer, prompt.ids));
  prompt.closing = added - prompt.opening;
  return prompt;
}

EncodedPrompt encode_prompt(const Tokenizer& tokenizer, const std::string& prompt,
                            const std::string& place) {
  require_utf8(prompt, place);
  std::vector<TokenId> ids = tokenizer.encode(prompt);
  const std::size_t own = ids.size();
  ids = tokenizer.with_special(ids);
  // What the tokenizer would put behind a complete text ([SEP], </s>) is the model's to write.
  const SpecialTokens& special = tokenizer.special();
  while (ids.size() > own && (ids.back() == special.sep || ids.back() == special.eos)) {
    ids.pop_back();
  }
  require(!ids.empty(), ErrorCode::kData, place,
          " is empty, and the tokenizer has no token that begins a text");
  const std::size_t opening = ids.size() - own;
  return {std::move(ids), !prompt.empty(), place, opening};
}

Json generated_json(const GeneratedText& text) {
  Json json = {{"generated_text", text.text},
               {"finish_reason", text.finish_reason},
               {"tokens", text.ids.size()}};
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
  request.samples = settings.samples;
  request.logprobs = settings.logprobs;
  request.options = settings.options(facts, std::ssize(request.prompt), std::ssize(request.source));
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
  options.batch_size = settings.batch_size;
  options.vocab_limit = tokenizer.target().vocab_size();
  return options;
}

std::vector<std::vector<GeneratedText>> generate_texts(
    Engine& engine, const ModelFacts& facts, const std::shared_ptr<const Tokenizer>& tokenizer,
    const std::vector<EncodedPrompt>& prompts, const GenerationSettings& settings,
    const TextProgress& progress) {
  check_prompts(facts, prompts, settings);
  // What the model writes may be in other words than what it reads.
  const std::shared_ptr<const Tokenizer> target(tokenizer, &tokenizer->target());

  std::vector<std::vector<GeneratedText>> results;
  std::size_t complete = 0, written = 0;
  const auto give = [&](std::size_t prompt, std::size_t sample, std::string text, bool last) {
    if (!progress.on_text || (text.empty() && !last)) return;
    progress.on_text({prompt, sample, std::move(text), last});
  };
  std::vector<GenerationRequest> requests;
  std::vector<std::size_t> prompt_of;           // the requests' prompts
  std::vector<std::vector<GrowingText>> texts;  // of the requests' samples
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    EncodedPrompt prompt = prompts[i];
    const GenerationSettings& own = prompts[i].settings_or(settings);
    const auto samples = static_cast<std::size_t>(own.samples);
    results.emplace_back(samples);
    const std::string reason = too_long_reason(facts, prompt, settings);
    if (!reason.empty() && own.too_long == TooLong::kSkip) {
      for (std::size_t s = 0; s < samples; ++s) {
        results[i][s].finish_reason = "skipped";
        results[i][s].note = "the prompt " + reason;
        ++complete;
        give(i, s, "", true);
      }
      continue;
    }
    if (!reason.empty()) shorten(facts, prompt, settings);
    for (GeneratedText& result : results[i]) result.shortened = !reason.empty();
    GenerationRequest request = make_request(facts, prompt, settings);
    request.number = progress.first_prompt + i + 1;
    request.stream = (progress.first_prompt + i) * kStreams;
    requests.push_back(std::move(request));
    prompt_of.push_back(i);
    std::vector<GrowingText>& growing = texts.emplace_back();
    for (std::size_t s = 0; s < samples; ++s) {
      growing.emplace_back(target, prompt.continues, own.stop);
    }
  }

  GenerationEvents events;
  events.token = [&](std::size_t request, std::size_t sample, TokenId id) {
    GrowingText& text = texts[request][sample];
    const bool done = text.push(id);
    give(prompt_of[request], sample, text.take(), false);
    ++written;
    if (progress.on_token) progress.on_token(complete, written);
    return done;
  };
  events.end = [&](std::size_t request, std::size_t sample, const GeneratedTokens&) {
    GrowingText& text = texts[request][sample];
    text.finish();
    ++complete;
    give(prompt_of[request], sample, text.take(), true);
  };
  std::vector<std::vector<GeneratedTokens>> tokens =
      generate_tokens(engine, facts, requests, events);

  for (std::size_t r = 0; r < tokens.size(); ++r) {
    for (std::size_t s = 0; s < tokens[r].size(); ++s) {
      GeneratedText& result = results[prompt_of[r]][s];
      GeneratedTokens& answer = tokens[r][s];
      result.text = texts[r][s].text();
      result.with_logprobs = requests[r].logprobs.has_value();
      if (result.with_logprobs) result.logprobs = chosen_tokens(*target, answer);
      result.ids = std::move(answer.ids);
      result.finish_reason = answer.reason == FinishReason::kStop ? "stop" : "length";
      result.out_of_positions = answer.reason == FinishReason::kPositions;
    }
  }
  return results;
}

}  // namespace llmctl
