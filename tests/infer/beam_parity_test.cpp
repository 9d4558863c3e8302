// Beam search of Hugging Face's generate(): ids and scores of the golden models, all searches of a
// model side by side in one engine.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "infer/engine.h"
#include "infer/golden_ids.h"
#include "models/tensor_file.h"
#include "prompt/generate.h"
#include "support/device.h"
#include "support/parity_dir.h"
#include "support/paths.h"

namespace llmctl::test {
namespace {

struct Search {
  std::string name;
  GenerationRequest request;
  std::vector<std::vector<TokenId>> ids;  // best first, without what ended them
  std::vector<double> scores;
};

/// Searches of one model, whose prompts are those of its greedy texts.
class Searches {
 public:
  Searches(const std::filesystem::path& directory, std::int64_t max_new_tokens)
      : expected_(directory / "expected.safetensors"), model_(load_model(directory, {})) {
    model_->to(at::Device(test_device()));
    settings_ = resolve_generation(
        GenerationSources{directory, model_->config(), model_->facts().encoder_decoder, {}},
        {{"max_new_tokens", max_new_tokens}});
    const Json config = load_json(directory / "generation_config.json");
    settings_.sampling.beams.renormalize_logits = config.value("renormalize_logits", false);
  }

  const SafetensorsFile& expected() const { return expected_; }
  bool ends(TokenId id) const {
    const auto& eos = settings_.sampling.eos_token_ids;
    return std::find(eos.begin(), eos.end(), id) != eos.end();
  }

  Search& add(int prompt) {
    EncodedPrompt encoded;
    encoded.ids = ids_of(expected_, concat("greedy.", prompt, ".prompt"));
    Search& search = searches_.emplace_back();
    search.request = make_request(model_->facts(), encoded, settings_);
    return search;
  }

  void expect_equal() {
    std::vector<GenerationRequest> requests;
    for (const Search& search : searches_) {
      requests.push_back(search.request);
      requests.back().samples = search.request.options.beams.num_beams;
    }
    const auto answers = generate_tokens(*model_, requests, {}, Context());
    for (std::size_t i = 0; i < searches_.size(); ++i) {
      SCOPED_TRACE(searches_[i].name);
      ASSERT_EQ(answers[i].size(), searches_[i].ids.size());
      for (std::size_t b = 0; b < answers[i].size(); ++b) {
        EXPECT_EQ(answers[i][b].ids, searches_[i].ids[b]) << "beam " << b;
        const double score = searches_[i].scores[b];
        EXPECT_NEAR(*answers[i][b].score, score, 3e-5 + 1e-6 * std::abs(score)) << "beam " << b;
      }
    }
  }

 private:
  SafetensorsFile expected_;
  std::unique_ptr<Model> model_;
  GenerationSettings settings_;
  std::vector<Search> searches_;
};

TEST(BeamParity, TextsAndScoresOfGoldenModels) {
  LLMCTL_NEEDS_PARITY("models");
  int cases = 0;
  for (const auto& directory : parity_cases("models")) {
    if (!SafetensorsFile(directory / "expected.safetensors").contains("beam.0.lp1.0.es1.ids")) {
      continue;
    }
    SCOPED_TRACE(directory.filename().string());
    Searches searches(directory, 24);
    const SafetensorsFile& expected = searches.expected();
    for (const int prompt : {0, 1}) {
      for (const std::string setting : {"lp1.0.es0", "lp1.0.es1", "lp0.6.es0", "lp0.6.es1"}) {
        Search& search = searches.add(prompt);
        search.name = concat("beam.", prompt, ".", setting);
        const std::vector<TokenId> ids = ids_of(expected, search.name + ".ids");
        const auto beams = expected.info(search.name + ".scores").elements();
        const auto* scores =
            reinterpret_cast<const float*>(expected.bytes(search.name + ".scores").data());
        search.scores.assign(scores, scores + beams);
        const auto length = std::ssize(ids) / beams;
        for (auto begin = ids.begin(); begin != ids.end(); begin += length) {
          const auto end =
              std::find_if(begin, begin + length, [&](TokenId id) { return searches.ends(id); });
          search.ids.emplace_back(begin, end);
        }
        BeamOptions& options = search.request.options.beams;
        options.num_beams = beams;
        options.length_penalty = setting.starts_with("lp1.0") ? 1.0 : 0.6;
        options.early_stopping =
            setting.ends_with("es1") ? EarlyStopping::kYes : EarlyStopping::kNo;
      }
    }
    searches.expect_equal();
    ++cases;
  }
  EXPECT_GT(cases, 0);
}

template <class T>
void set_option(const Json& options, const char* key, T& member) {
  if (options.contains(key)) member = options[key].get<T>();
}

void set_options(const Json& options, SamplingOptions& sampling) {
  BeamOptions& beams = sampling.beams;
  set_option(options, "num_beams", beams.num_beams);
  set_option(options, "num_beam_groups", beams.num_beam_groups);
  set_option(options, "diversity_penalty", beams.diversity_penalty);
  set_option(options, "length_penalty", beams.length_penalty);
  set_option(options, "renormalize_logits", beams.renormalize_logits);
  set_option(options, "repetition_penalty", sampling.repetition_penalty);
  set_option(options, "no_repeat_ngram_size", sampling.no_repeat_ngram_size);
  set_option(options, "min_new_tokens", sampling.min_new_tokens);
  set_option(options, "suppress_tokens", sampling.suppress_tokens);
  set_option(options, "begin_suppress_tokens", sampling.begin_suppress_tokens);
  const Json early = options.value("early_stopping", Json());
  if (early == "never") beams.early_stopping = EarlyStopping::kNever;
  if (early == true) beams.early_stopping = EarlyStopping::kYes;
}

/// tests/parity/search: further searches over the models of tests/parity, those in groups by the
/// last transformers that had them.
void expect_searches(const std::string& file) {
  const std::filesystem::path parity = source_dir() / "tests" / "parity";
  const Json golden = load_json(parity / "search" / file);
  std::map<std::string, std::unique_ptr<Searches>> models;
  for (const Json& given : golden["searches"]) {
    const auto name = given["model"].get<std::string>();
    std::unique_ptr<Searches>& searches = models[name];
    if (!searches) {
      searches = std::make_unique<Searches>(parity / "models" / name,
                                            golden["max_new_tokens"].get<std::int64_t>());
    }
    Search& search = searches->add(given["prompt"].get<int>());
    search.name = concat(name, " prompt ", given["prompt"].get<int>(), dump_json(given["options"]));
    search.ids = given["ids"].get<std::vector<std::vector<TokenId>>>();
    search.scores = given["scores"].get<std::vector<double>>();
    set_options(given["options"], search.request.options);
  }
  for (const auto& [name, searches] : models) searches->expect_equal();
}

TEST(BeamParity, FurtherSettings) {
  expect_searches("plain.json");
}

TEST(BeamParity, DiverseBeams) {
  expect_searches("diverse.json");
}

}  // namespace
}  // namespace llmctl::test
