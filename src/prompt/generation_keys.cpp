#include "prompt/generation_keys.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "base/error.h"

namespace llmctl {
namespace {

constexpr std::array kDone = {"max_new_tokens",
                              "max_length",
                              "min_new_tokens",
                              "min_length",
                              "do_sample",
                              "temperature",
                              "top_k",
                              "top_p",
                              "min_p",
                              "typical_p",
                              "epsilon_cutoff",
                              "eta_cutoff",
                              "sequence_bias",
                              "encoder_repetition_penalty",
                              "repetition_penalty",
                              "presence_penalty",
                              "frequency_penalty",
                              "no_repeat_ngram_size",
                              "encoder_no_repeat_ngram_size",
                              "exponential_decay_length_penalty",
                              "eos_token_id",
                              "forced_eos_token_id",
                              "bad_words_ids",
                              "suppress_tokens",
                              "begin_suppress_tokens",
                              "decoder_start_token_id",
                              "num_beams",
                              "num_beam_groups",
                              "diversity_penalty",
                              "length_penalty",
                              "early_stopping",
                              "renormalize_logits",
                              "force_words_ids",
                              "prompt_lookup_num_tokens",
                              "max_matching_ngram_size"};
constexpr std::array kForDrawing = {"temperature", "top_k",          "top_p",     "min_p",
                                    "typical_p",   "epsilon_cutoff", "eta_cutoff"};
constexpr std::array kListsOfIds = {"eos_token_id", "forced_eos_token_id", "forced_bos_token_id",
                                    "suppress_tokens", "begin_suppress_tokens"};

/// What would change a text; `neutral` is a value that changes none, beside null and false.
struct NotDone {
  const char* key;
  double neutral;
};
constexpr std::array kNotDone = {
    NotDone{"num_return_sequences", 1}, NotDone{"penalty_alpha", 0},
    NotDone{"dola_layers", 0},          NotDone{"max_time", 0},
    NotDone{"constraints", 0},          NotDone{"forced_decoder_ids", 0},
    NotDone{"token_healing", 0},        NotDone{"guidance_scale", 1},
    NotDone{"watermarking_config", 0},  NotDone{"custom_generate", 0}};
/// What changes no text, whatever its value: how it is computed, what else is given out.
constexpr std::array kIdle = {"_from_model_config",
                              "assistant_confidence_threshold",
                              "assistant_early_exit",
                              "assistant_ensemble_weight",
                              "assistant_lookbehind",
                              "bos_token_id",
                              "cache_config",
                              "cache_implementation",
                              "compile_config",
                              "continuous_batching_config",
                              "disable_compile",
                              "generation_kwargs",
                              "is_assistant",
                              "low_memory",
                              "max_cache_len",
                              "num_assistant_tokens",
                              "num_assistant_tokens_schedule",
                              "output_attentions",
                              "output_hidden_states",
                              "output_logits",
                              "output_scores",
                              "pad_token_id",
                              "prefill_chunk_size",
                              "remove_invalid_values",
                              "return_dict_in_generate",
                              "return_legacy_cache",
                              "speculation_type",
                              "target_lookbehind",
                              "transformers_version",
                              "use_cache",
                              "use_mtp"};
/// Where tokens are drawn.
constexpr std::array kNotDoneWhenDrawing = {NotDone{"top_h", 0}};

bool changes_nothing(const Json& value, double neutral) {
  return value.is_null() || value == false || (value.is_number() && value == neutral) ||
         ((value.is_array() || value.is_object()) && value.empty());
}

template <class Names>
bool contains(const Names& names, const std::string& key) {
  return std::find(names.begin(), names.end(), key) != names.end();
}

std::string shown(const std::string& key, const Json& value) {
  const bool plain = value.is_number() || value.is_string() || value.is_boolean();
  return plain ? concat(key, " ", value.is_string() ? value.get<std::string>() : dump_json(value))
               : key;
}

bool is_id(const Json& value) {
  return value.is_number_integer() && value >= 0 &&
         value <= std::numeric_limits<std::int32_t>::max();
}

/// Lone ids of the keys that take several become lists of one.
Json with_listed_ids(Json section) {
  for (const char* key : kListsOfIds) {
    if (section.contains(key) && section[key].is_number_integer()) {
      const Json id = section[key];
      section[key] = Json::array({id});
    }
  }
  return section;
}

/// Null and what no vocabulary has (-1: none) left out; what is no number stays, to be refused.
Json only_ids(const Json& list) {
  if (!list.is_array()) return list;
  Json ids = Json::array();
  for (const Json& id : list) {
    if (is_id(id) || !(id.is_null() || id.is_number_integer())) ids.push_back(id);
  }
  return ids;
}

void mend_number(Json& done, const char* key, double least, double most, const Json& otherwise) {
  if (!done.contains(key) || !done[key].is_number()) return;
  const double value = done[key].get<double>();
  if (value < least || value > most) done[key] = otherwise;
}

/// As transformers takes them: what is out of a setting's range turns it off.
void mend_values(Json& done) {
  for (const char* key : kListsOfIds) {
    if (!done.contains(key)) continue;
    done[key] = only_ids(done[key]);
    if (done[key].is_array() && done[key].empty()) done.erase(key);
  }
  if (done.contains("decoder_start_token_id") && !is_id(done["decoder_start_token_id"])) {
    done.erase("decoder_start_token_id");
  }
  if (done.contains("temperature") && done["temperature"] == 0) {
    done.erase("temperature");  // some write "no drawing" so
    done["do_sample"] = false;
  }
  constexpr double kAny = std::numeric_limits<double>::max();
  for (const char* key : {"top_k", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size",
                          "min_length", "min_new_tokens"}) {
    mend_number(done, key, 0, kAny, 0);
  }
  for (const char* key : {"num_beams", "num_beam_groups"}) mend_number(done, key, 1, kAny, 1);
  mend_number(done, "prompt_lookup_num_tokens", 0, kAny, 0);
  mend_number(done, "max_matching_ngram_size", 1, kAny, 2);
  mend_number(done, "top_p", -kAny, 1, 1.0);
  mend_number(done, "typical_p", -kAny, 1, 1.0);
  mend_number(done, "epsilon_cutoff", 0, 1, 0.0);
  mend_number(done, "eta_cutoff", 0, 1, 0.0);
}

/// stop_strings, a string or a list, as our key has it.
Json stop_strings(const Json& given) {
  Json stop = Json::array();
  for (const Json& text : given.is_array() ? given : Json::array({given})) {
    if (text != "" && !text.is_null()) stop.push_back(text);
  }
  return stop;
}

}  // namespace

GenerationKeys sort_generation_keys(const Json& file, bool encoder_decoder) {
  GenerationKeys keys;
  for (const auto& [key, value] : file.items()) {
    if (value.is_null()) continue;
    if (contains(kDone, key)) keys.done[key] = value;
    if (key == "stop_strings") keys.done["stop"] = stop_strings(value);
    if (key == "forced_bos_token_id") {
      if (encoder_decoder) {
        keys.done[key] = value;
      } else {
        keys.not_done.push_back(shown(key, value));
      }
    }
  }
  const auto add_to = [&](std::vector<std::string>& names, const auto& list) {
    for (const NotDone& setting : list) {
      if (file.contains(setting.key) && !changes_nothing(file[setting.key], setting.neutral)) {
        names.push_back(shown(setting.key, file[setting.key]));
      }
    }
  };
  add_to(keys.not_done, kNotDone);
  add_to(keys.not_done_when_drawing, kNotDoneWhenDrawing);
  keys.done = with_listed_ids(keys.done);
  mend_values(keys.done);
  return keys;
}

const std::vector<std::string>& keys_for_drawing() {
  static const std::vector<std::string> keys(kForDrawing.begin(), kForDrawing.end());
  return keys;
}

Json own_generation_keys(const ConfigNode& node) {
  Json section = node.value();
  if (!section.is_object()) return section;
  for (const auto& [key, value] : node.value().items()) {
    if (contains(kIdle, key)) section.erase(key);
    if (key == "stop_strings") {
      if (section.contains("stop")) node.fail(key, "is another name of stop, which is there, too");
      section.erase(key);
      section["stop"] = stop_strings(value);
    }
    const auto erase_or_refuse = [&](const auto& list) {
      for (const NotDone& setting : list) {
        if (key != setting.key || key == "num_return_sequences") continue;
        if (!changes_nothing(value, setting.neutral)) {
          node.fail(key, concat("of transformers' settings this one is not done here, got ",
                                dump_json(value)));
        }
        section.erase(key);
      }
    };
    erase_or_refuse(kNotDone);
    erase_or_refuse(kNotDoneWhenDrawing);
  }
  return with_listed_ids(std::move(section));
}

}  // namespace llmctl
