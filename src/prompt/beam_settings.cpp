#include "prompt/beam_settings.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/strings.h"

namespace llmctl {
namespace {

constexpr std::array kOfBeams = {"num_beam_groups", "diversity_penalty", "length_penalty",
                                 "early_stopping"};

bool is_ids(const Json& list) {
  return list.is_array() && !list.empty() &&
         std::all_of(list.begin(), list.end(), [](const Json& id) {
           return id.is_number_integer() && id >= 0 && id <= 2'147'483'647;
         });
}

/// A list of ids, or several of which one suffices.
bool is_word(const Json& word) {
  return is_ids(word) ||
         (word.is_array() && !word.empty() && std::all_of(word.begin(), word.end(), is_ids));
}

}  // namespace

void validate_beams(const GenerationConfig& config, const ConfigNode& node) {
  if (!config.early_stopping.is_boolean() && config.early_stopping != "never") {
    node.fail("early_stopping",
              concat("expected true, false or \"never\", got ", dump_json(config.early_stopping)));
  }
  const Json& words = config.force_words_ids;
  if (!words.is_array() || !std::all_of(words.begin(), words.end(), is_word)) {
    node.fail("force_words_ids", concat("expected lists of ids, or lists of such lists of which "
                                        "one suffices, got ",
                                        dump_json(words)));
  }
  for (const std::string& word : config.force_words) {
    if (word.empty()) node.fail("force_words", "holds an empty string, which every text contains");
  }
}

void check_beams(const GenerationConfig& config, const ConfigNode& node) {
  const bool words = !config.force_words_ids.empty() || !config.force_words.empty();
  const char* const words_key = config.force_words.empty() ? "force_words_ids" : "force_words";
  if (config.num_beams % config.num_beam_groups != 0) {
    node.fail("num_beam_groups", concat(config.num_beam_groups, " groups cannot share ",
                                        config.num_beams, " beams equally"));
  }
  if (config.num_beam_groups > 1 && config.diversity_penalty <= 0) {
    node.fail("num_beam_groups", "all groups would find the same; set diversity_penalty above 0");
  }
  if (config.num_beam_groups > 1 && config.do_sample) {
    node.fail("num_beam_groups", "groups of beams are not drawn; set do_sample to false");
  }
  if (words && (config.num_beam_groups > 1 || config.do_sample)) {
    node.fail(words_key, concat("cannot be had with ",
                                config.do_sample ? "drawn tokens (do_sample)" : "num_beam_groups"));
  }
  const std::int64_t wanted = config.num_return_sequences;
  if (config.num_beams > 1 && wanted > config.num_beams) {
    node.fail("num_return_sequences", concat(wanted, " texts per prompt of ", config.num_beams,
                                             " beams; set num_beams to as many"));
  }
  if (config.num_beams == 1 && wanted > 1 && (!config.do_sample || words)) {
    node.fail("num_return_sequences", concat(wanted, " texts per prompt would be equal; set ",
                                             words ? "num_beams" : "do_sample or num_beams"));
  }
}

BeamOptions beam_options(const GenerationConfig& config) {
  BeamOptions options;
  options.num_beams = config.num_beams;
  options.num_beam_groups = config.num_beam_groups;
  options.diversity_penalty = config.diversity_penalty;
  options.length_penalty = config.length_penalty;
  if (config.early_stopping == true) options.early_stopping = EarlyStopping::kYes;
  if (config.early_stopping == "never") options.early_stopping = EarlyStopping::kNever;
  options.renormalize_logits = config.renormalize_logits;
  for (const Json& word : config.force_words_ids) {
    const Json alternatives = is_ids(word) ? Json::array({word}) : word;
    options.force_words_ids.push_back(alternatives.get<std::vector<std::vector<TokenId>>>());
  }
  return options;
}

void note_idle_beams(const Json& own, const GenerationConfig& config,
                     std::vector<std::string>& notes) {
  const auto note = [&](const std::vector<std::string>& keys, const char* reason) {
    if (keys.empty()) return;
    notes.push_back(
        concat(join(keys), keys.size() == 1 ? " has" : " have", " no effect: ", reason));
  };
  std::vector<std::string> idle;
  if (config.num_beams == 1) {
    for (const char* key : kOfBeams) {
      if (own.contains(key)) idle.emplace_back(key);
    }
    return note(idle, "there is one beam (num_beams)");
  }
  if (own.value("prompt_lookup_num_tokens", 0) > 0) {
    note({"prompt_lookup_num_tokens"}, "beams take no guesses");
  }
}

void drop_idle_beams(Json& file, const Json& own) {
  const Json beams =
      own.contains("num_beams") ? own["num_beams"] : file.value("num_beams", Json(1));
  if (beams != 1) return;
  for (const char* key : kOfBeams) file.erase(key);
}

std::vector<std::vector<TokenId>> word_alternatives(const Tokenizer& tokenizer,
                                                    const std::string& word) {
  std::vector<std::vector<TokenId>> alternatives;
  const auto add = [&](const std::vector<TokenId>& ids) {
    const bool there =
        std::find(alternatives.begin(), alternatives.end(), ids) != alternatives.end();
    if (ids.empty() || there || tokenizer.decode(ids).find(word) == std::string::npos) return;
    alternatives.push_back(ids);
  };
  for (const std::string& text : {word, " " + word}) {
    const std::vector<TokenId> ids = tokenizer.encode(text);
    add(ids);
    // Without a first token that is but the space before the word.
    if (ids.size() > 1) add({ids.begin() + 1, ids.end()});
  }
  require(!alternatives.empty(), ErrorCode::kConfig,
          "generation.force_words: the tokenizer cannot write \"", word, "\"");
  return alternatives;
}

}  // namespace llmctl
