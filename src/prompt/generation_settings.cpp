#include "prompt/generation_settings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "prompt/beam_settings.h"
#include "prompt/constraint_settings.h"
#include "prompt/generation_keys.h"

namespace llmctl {
namespace {

constexpr std::int64_t kDefaultNewTokens = 64;

bool is_id(std::int64_t id) {
  return id >= 0 && id <= std::numeric_limits<TokenId>::max();
}

/// The id that a key of logit_bias is.
std::optional<std::int64_t> parse_id(const std::string& text) {
  std::int64_t id = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  const bool whole = error == std::errc() && end == text.data() + text.size() && is_id(id);
  return whole ? std::optional(id) : std::nullopt;
}

/// Whether an element of sequence_bias is [[ids], number].
bool is_biased_sequence(const Json& pair) {
  if (!pair.is_array() || pair.size() != 2 || !pair[0].is_array() || pair[0].empty()) return false;
  const auto good = [](const Json& id) {
    return id.is_number_integer() && is_id(id.get<std::int64_t>());
  };
  return pair[1].is_number() && std::all_of(pair[0].begin(), pair[0].end(), good);
}

std::vector<TokenId> token_ids(const std::vector<std::int64_t>& ids) {
  std::vector<TokenId> tokens;
  for (const std::int64_t id : ids) tokens.push_back(static_cast<TokenId>(id));
  return tokens;
}

/// Whether tokens are drawn: the user's word, else what the user's settings ask for, else the
/// file's.
bool draws(const Json& own, const Json& file) {
  if (own.contains("temperature") && own["temperature"] == 0) return false;
  if (own.contains("do_sample")) return own["do_sample"] == true;
  for (const std::string& key : keys_for_drawing()) {
    if (own.contains(key)) return true;
  }
  return file.contains("do_sample") && file["do_sample"] == true;
}

/// Takes out of some settings the lengths that others replace.
void drop_replaced_lengths(Json& settings, const Json& others) {
  const auto replaces = [&](const char* one, const char* other) {
    if (!others.contains(one) && !others.contains(other)) return;
    settings.erase(one);
    settings.erase(other);
  };
  replaces("max_new_tokens", "max_length");
  replaces("min_new_tokens", "min_length");
}

/// Takes out of the file's settings what the user's replace or what plays no part.
void drop_idle(Json& file, const Json& own, bool drawing) {
  drop_replaced_lengths(file, own);
  drop_idle_beams(file, own);
  for (const auto& [key, value] : own.items()) file.erase(key);
  if (drawing) return;
  for (const std::string& key : keys_for_drawing()) file.erase(key);
}

/// Settings of the user's that change nothing beside the others.
void note_idle(const Json& own, const GenerationConfig& config, std::vector<std::string>& notes) {
  if (own.contains("max_new_tokens") && own.contains("max_length")) {
    notes.push_back("max_length has no effect: max_new_tokens goes before it");
  }
  note_idle_beams(own, config, notes);
  if (own.contains("alignment_layer") && !config.alignments)
    notes.push_back("alignment_layer has no effect: alignments are not asked for");
  if (config.do_sample) return;
  std::vector<std::string> idle;
  for (const std::string& key : keys_for_drawing()) {
    if (own.contains(key) && !(key == "temperature" && own[key] == 0)) idle.push_back(key);
  }
  if (own.contains("seed")) idle.emplace_back("seed");
  if (idle.empty()) return;
  notes.push_back(concat(join(idle), idle.size() == 1 ? " has" : " have",
                         " no effect: nothing is drawn (do_sample is false)"));
}

void add_id(std::vector<TokenId>& ids, std::int64_t id) {
  const auto token = static_cast<TokenId>(id);
  if (std::find(ids.begin(), ids.end(), token) == ids.end()) ids.push_back(token);
}

/// Of a sequence that is there twice the last bias counts, as in transformers.
std::vector<SequenceBias> sequence_biases(const GenerationConfig& config) {
  std::map<std::vector<TokenId>, double> biases;
  for (const Json& pair : config.sequence_bias) {
    biases[pair[0].get<std::vector<TokenId>>()] = pair[1].get<double>();
  }
  for (const auto& [id, bias] : config.logit_bias) {
    biases[{static_cast<TokenId>(*parse_id(id))}] += bias;
  }
  std::vector<SequenceBias> result;
  for (const auto& [ids, bias] : biases) result.push_back({ids, static_cast<float>(bias)});
  return result;
}

SamplingOptions sampling_options(const GenerationConfig& config) {
  SamplingOptions options;
  options.eos_token_ids = token_ids(config.eos_token_id);
  for (const std::int64_t id : config.stop_token_ids) add_id(options.eos_token_ids, id);
  options.sequence_bias = sequence_biases(config);
  options.encoder_repetition_penalty = config.encoder_repetition_penalty;
  options.repetition_penalty = config.repetition_penalty;
  options.repetition_in_answer = config.repetition_penalty_scope == "answer";
  options.presence_penalty = config.presence_penalty;
  options.frequency_penalty = config.frequency_penalty;
  options.no_repeat_ngram_size = config.no_repeat_ngram_size;
  options.encoder_no_repeat_ngram_size = config.encoder_no_repeat_ngram_size;
  if (const auto& decay = config.exponential_decay_length_penalty; !decay.empty()) {
    options.exponential_decay_length_penalty = {static_cast<std::int64_t>(decay[0]), decay[1]};
  }
  for (const auto& word : config.bad_words_ids) {
    // As in transformers, an end of the text is no bad word.
    const bool ends = word.size() == 1 &&
                      std::find(config.eos_token_id.begin(), config.eos_token_id.end(), word[0]) !=
                          config.eos_token_id.end();
    if (!ends) options.bad_words_ids.push_back(token_ids(word));
  }
  options.suppress_tokens = token_ids(config.suppress_tokens);
  options.begin_suppress_tokens = token_ids(config.begin_suppress_tokens);
  options.forced_bos_token_ids = token_ids(config.forced_bos_token_id);
  options.forced_eos_token_ids = token_ids(config.forced_eos_token_id);
  options.do_sample = config.do_sample;
  options.temperature = config.temperature;
  options.top_k = config.top_k;
  options.top_p = config.top_p;
  options.min_p = config.min_p;
  options.typical_p = config.typical_p;
  options.epsilon_cutoff = config.epsilon_cutoff;
  options.eta_cutoff = config.eta_cutoff;
  options.seed = static_cast<std::uint64_t>(config.seed);
  options.prompt_lookup_num_tokens = config.prompt_lookup_num_tokens;
  options.max_matching_ngram_size = config.max_matching_ngram_size;
  options.beams = beam_options(config);
  return options;
}

/// Refuses ids that the tokenizer does not have where the user biases them: nothing would happen.
void check_biased(const ConfigNode& node, const GenerationConfig& config, std::int64_t vocab) {
  if (vocab == 0) return;
  const auto check = [&](const char* key, std::int64_t id) {
    if (node.has(key) && id >= vocab) {
      node.fail(key, concat("holds id ", id, ", the vocabulary has ", vocab));
    }
  };
  for (const auto& [id, bias] : config.logit_bias) check("logit_bias", *parse_id(id));
  for (const Json& pair : config.sequence_bias) {
    for (const Json& id : pair[0]) check("sequence_bias", id.get<std::int64_t>());
  }
}

TooLong parse_too_long(const std::string& name) {
  if (name == "truncate") return TooLong::kTruncate;
  return name == "skip" ? TooLong::kSkip : TooLong::kError;
}

/// The ids of config.json, where neither the user nor generation_config.json names any.
std::vector<std::int64_t> eos_of(const GenerationSources& sources) {
  const Json stands = {{"eos_token_id", sources.config.value("eos_token_id", Json())}};
  const Json keys = sort_generation_keys(stands, sources.encoder_decoder).done;
  std::vector<std::int64_t> ids;
  for (const Json& id : keys.value("eos_token_id", Json::array())) {
    if (id.is_number_integer()) ids.push_back(id.get<std::int64_t>());
  }
  if (ids.empty() && sources.tokenizer_eos) ids.push_back(*sources.tokenizer_eos);
  return ids;
}

}  // namespace

void GenerationConfig::validate(const ConfigNode& node) const {
  validate_beams(*this, node);
  for (const std::string& text : stop) {
    if (text.empty()) node.fail("stop", "holds an empty string, which every text contains");
  }
  constraint_of(*this, node);
  const auto check_ids = [&](const char* key, const std::vector<std::int64_t>& ids) {
    for (const std::int64_t id : ids) {
      if (!is_id(id)) node.fail(key, concat("expected ids from 0 up, got ", id));
    }
  };
  check_ids("eos_token_id", eos_token_id);
  check_ids("stop_token_ids", stop_token_ids);
  check_ids("forced_bos_token_id", forced_bos_token_id);
  check_ids("forced_eos_token_id", forced_eos_token_id);
  check_ids("suppress_tokens", suppress_tokens);
  check_ids("begin_suppress_tokens", begin_suppress_tokens);
  for (const auto& word : bad_words_ids) {
    check_ids("bad_words_ids", word);
    if (word.empty()) node.fail("bad_words_ids", "holds an empty list, which every text contains");
  }
  if (!sequence_bias.is_array() ||
      !std::all_of(sequence_bias.begin(), sequence_bias.end(), is_biased_sequence)) {
    node.fail("sequence_bias",
              concat("expected pairs [[ids], number], got ", dump_json(sequence_bias)));
  }
  for (const auto& [id, bias] : logit_bias) {
    if (!parse_id(id)) node.fail("logit_bias", concat("expected ids as keys, got \"", id, "\""));
  }
  const std::vector<double>& decay = exponential_decay_length_penalty;
  if (!decay.empty() && (decay.size() != 2 || decay[0] < 0 || decay[0] != std::floor(decay[0]) ||
                         decay[0] > 1e7 || decay[1] <= 0)) {
    node.fail("exponential_decay_length_penalty",
              concat("expected [start, factor], a number of tokens and one above 0, got ",
                     dump_json(Json(decay))));
  }
}

GenerationConfig read_generation(const ConfigNode& section) {
  const Json own = own_generation_keys(section);
  GenerationConfig config;
  read_config(section.with_value(&own), config);
  return config;
}

void GenerationSettings::add_eos(TokenId id) {
  add_id(sampling.eos_token_ids, id);
}

void GenerationSettings::constrain(std::shared_ptr<const Tokenizer> tokenizer) {
  if (!constraint) return;
  sampling.constraint = make_constraint(*constraint, std::move(tokenizer), sampling.eos_token_ids);
}

std::int64_t GenerationSettings::total_limit(std::int64_t positions) const {
  const bool by_length = max_length && !max_new_tokens;
  return by_length ? std::min(positions, *max_length) : positions;
}

std::int64_t prompt_room(std::int64_t length, std::int64_t answer) {
  return std::max<std::int64_t>(length - std::min(answer, length / 2), 1);
}

std::int64_t GenerationSettings::prompt_room(std::int64_t positions) const {
  return llmctl::prompt_room(total_limit(positions),
                             max_new_tokens.value_or(SamplingOptions().max_new_tokens));
}

SamplingOptions GenerationSettings::options(const ModelFacts& facts, std::int64_t prompt,
                                            std::int64_t source) const {
  SamplingOptions options = sampling;
  if (max_new_tokens) {
    options.max_new_tokens = *max_new_tokens;
  } else if (max_length) {
    options.max_new_tokens = *max_length - prompt;
  } else {
    // Nobody asked for so many: where the positions end, the text has its full length.
    options.max_new_tokens = std::min(facts.encoder_decoder ? 2 * source + 32 : kDefaultNewTokens,
                                      facts.max_positions - prompt);
  }
  options.min_new_tokens = std::max(min_new_tokens, min_length - prompt);
  return options;
}

GenerationFiles::GenerationFiles(GenerationSources sources) : sources_(std::move(sources)) {
  const std::filesystem::path path = sources_.directory / "generation_config.json";
  // Without a directory the name alone would be one of the current directory.
  if (sources_.directory.empty() || !std::filesystem::exists(path)) {
    // Directories older than that file have the same keys in config.json.
    path_ = (sources_.directory / "config.json").string();
    keys_ = sort_generation_keys(sources_.config, sources_.encoder_decoder);
    return;
  }
  path_ = path.string();
  const Json file = load_json(path);
  require(file.is_object(), ErrorCode::kData, path_, ": expected an object, got ",
          file.type_name());
  keys_ = sort_generation_keys(file, sources_.encoder_decoder);
}

Json with_own_members(const Json& section, const Json& members) {
  Json merged = section;
  drop_replaced_lengths(merged, members);
  const std::vector<std::string>& drawing = keys_for_drawing();
  const bool asks = std::any_of(drawing.begin(), drawing.end(),
                                [&](const std::string& key) { return members.contains(key); });
  const bool refuses = (members.contains("temperature") && members["temperature"] == 0) ||
                       (members.contains("do_sample") && members["do_sample"] == false);
  if (asks || refuses || members.contains("do_sample")) {
    merged.erase("do_sample");
    if (merged.contains("temperature") && merged["temperature"] == 0) merged.erase("temperature");
  }
  if (refuses) {
    for (const std::string& key : drawing) merged.erase(key);
    merged.erase("seed");
  }
  const std::vector<std::string>& constraints = constraint_keys();
  if (std::ranges::any_of(constraints, [&](const auto& key) { return members.contains(key); })) {
    for (const std::string& key : constraints) merged.erase(key);
  }
  for (const auto& [key, value] : members.items()) merged[key] = value;
  return merged;
}

GenerationSettings resolve_generation(const GenerationFiles& files, const Json& own_section) {
  const GenerationSources& sources = files.sources();
  const JsonDocument document{own_section, {}};
  const ConfigNode node(&document.value, "generation", &document);
  read_generation(node);  // the user's faults are the user's alone
  const Json own = own_generation_keys(node);

  const bool drawing = draws(own, files.keys().done);
  Json merged = files.keys().done;
  drop_idle(merged, own, drawing);
  GenerationConfig checked;
  read_config(ConfigNode(&merged, files.path(), nullptr, ErrorCode::kData), checked);
  for (const auto& [key, value] : own.items()) merged[key] = value;
  merged["do_sample"] = drawing;
  if (!drawing) merged.erase("temperature");
  GenerationConfig config;
  read_config(ConfigNode(&merged, "generation", nullptr), config);
  if (config.eos_token_id.empty()) config.eos_token_id = eos_of(sources);
  check_beams(config, node);
  check_biased(node, config, sources.vocab_size);

  GenerationSettings settings;
  settings.sampling = sampling_options(config);
  settings.max_new_tokens = config.max_new_tokens;
  settings.max_length = config.max_length;
  settings.min_new_tokens = config.min_new_tokens;
  settings.min_length = config.min_length;
  if (config.decoder_start_token_id) {
    settings.decoder_start = static_cast<TokenId>(*config.decoder_start_token_id);
  }
  settings.stop = config.stop;
  settings.force_words = config.force_words;
  settings.prefix = config.prefix;
  settings.too_long = parse_too_long(config.too_long);
  settings.logprobs = config.logprobs;
  if (config.alignments) {
    if (!sources.encoder_decoder)
      node.fail("alignments", "the model has no encoder, whose text its own could be aligned to");
    settings.alignment_layer = config.alignment_layer;
  }
  settings.echo = config.echo;
  settings.samples = config.num_return_sequences;
  settings.batch_size = config.batch_size;
  settings.keys = config_to_json(config);
  settings.constraint = constraint_of(config, node);
  if (settings.constraint) {  // what files say
    if (settings.constraint->grammar) settings.keys["grammar"] = *settings.constraint->grammar;
    if (settings.constraint->json_schema) {
      settings.keys["json_schema"] = *settings.constraint->json_schema;
    }
  }

  std::vector<std::string> not_done = files.keys().not_done;
  if (drawing) {
    const std::vector<std::string>& more = files.keys().not_done_when_drawing;
    not_done.insert(not_done.end(), more.begin(), more.end());
  }
  if (!not_done.empty()) {
    settings.notes.push_back(concat(files.path(), ": ", join(not_done),
                                    not_done.size() == 1 ? " is" : " are",
                                    " not done; texts may differ from those of transformers"));
  }
  note_idle(own, config, settings.notes);
  return settings;
}

}  // namespace llmctl
