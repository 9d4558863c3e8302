#include "tasks/predictions.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/error.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "tasks/record_names.h"
#include "tasks/records.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

/// Files of different kinds keep white space differently.
std::string without_white_space(std::string_view text) {
  std::string bare;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (!is_space(c)) append_utf8(bare, c);
  }
  return bare;
}

/// The beginning of a text in one line, for errors.
std::string beginning(std::string_view text) {
  constexpr std::size_t kCharacters = 40;
  std::string line;
  std::size_t at = 0;
  for (std::size_t count = 0; count < kCharacters && at < text.size(); ++count) {
    const char32_t c = next_code_point(text, at);
    append_utf8(line, is_space(c) ? U' ' : c);
  }
  return at < text.size() ? line + "…" : line;
}

/// The texts of the input that a prediction's record repeats; none where it does not.
std::vector<std::string> input_texts(const Prediction& prediction, const InputReader& read) {
  if (!prediction.record.is_object()) return {};
  try {
    return read({prediction.record, prediction.place});
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kData) throw;
    return {};
  }
}

/// That predictions stand beside the references of their inputs.
void check_inputs(const std::vector<Prediction>& predictions,
                  const std::vector<ReferenceInput>& references, const InputReader& read) {
  std::map<std::string, std::size_t> known;  // texts of the references
  for (std::size_t i = 0; i < references.size(); ++i) {
    for (const std::string& text : references[i].texts) known.emplace(without_white_space(text), i);
  }
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    std::vector<std::string> expected;
    for (const std::string& text : references[i].texts)
      expected.push_back(without_white_space(text));
    for (const std::string& text : input_texts(predictions[i], read)) {
      const std::string bare = without_white_space(text);
      // What is no reference's input may be this one's, cut or written otherwise.
      const auto other = known.find(bare);
      if (other == known.end() ||
          std::find(expected.begin(), expected.end(), bare) != expected.end())
        continue;
      fail(ErrorCode::kData, predictions[i].place, ": '", beginning(text),
           "' is not the input of reference ", i + 1, " (", references[i].place,
           ") but that of reference ", other->second + 1,
           "; without ids, predictions are matched by their order: keep that of the references, "
           "or give the records of both files ids");
    }
  }
}

}  // namespace

std::string id_text(const Json& id) {
  return id.is_string() ? id.get<std::string>() : dump_json(id);
}

std::string Prediction::text() const {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_number() && !value.is_boolean()) {
    fail(ErrorCode::kData, place, ": the prediction is ", value.is_null() ? "null" : "no text",
         ", expected a text or a number");
  }
  return dump_json(value);
}

std::vector<Prediction> read_predictions(const std::filesystem::path& file) {
  std::vector<Prediction> predictions;
  std::map<std::string, std::uint64_t> seen;  // id → record
  for_each_labelled_record(file, [&](const Record& record) {
    Prediction prediction;
    prediction.place = record.place;
    const auto field = find_field(record, std::nullopt, prediction_fields());
    if (!field) {
      record.fail("no prediction (looked for " + join(prediction_fields()) + "; it has " +
                  record.fields() + ")");
    }
    prediction.value = record.value.at(*field);
    if (record.has("id")) {
      prediction.id = id_text(record.value.at("id"));
      const auto [found, is_new] = seen.emplace(prediction.id, record.number);
      if (!is_new)
        record.fail(concat("id '", prediction.id, "' stands in record ", found->second, " too"));
    } else {
      prediction.record = record.value;
    }
    if (!predictions.empty() && predictions.back().id.empty() != prediction.id.empty())
      record.fail("some records have an id and some have none");
    predictions.push_back(std::move(prediction));
  });
  return predictions;
}

std::vector<Prediction> match_predictions(std::vector<Prediction> predictions,
                                          const std::vector<ReferenceInput>& references,
                                          const std::filesystem::path& file,
                                          const InputReader& read) {
  require(!predictions.empty(), ErrorCode::kData, file.string(), ": holds no prediction");
  if (predictions.front().id.empty()) {
    require(predictions.size() <= references.size(), ErrorCode::kData,
            predictions[std::min(references.size(), predictions.size() - 1)].place,
            ": there are only ", references.size(), " references (the file has ",
            predictions.size(), " predictions, matched by their order)");
    require(predictions.size() == references.size(), ErrorCode::kData, file.string(),
            ": no prediction for reference ", predictions.size() + 1, " of ", references.size(),
            " (matched by their order)");
    check_inputs(predictions, references, read);
    return predictions;
  }
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < predictions.size(); ++i) places[predictions[i].id] = i;
  std::vector<Prediction> matched;
  for (const ReferenceInput& reference : references) {
    const auto found = places.find(reference.id);
    require(found != places.end(), ErrorCode::kData, file.string(), ": no prediction for id '",
            reference.id, "' of the references");
    matched.push_back(std::move(predictions[found->second]));
    places.erase(found);
  }
  if (!places.empty()) {
    const auto& [id, index] = *places.begin();
    fail(ErrorCode::kData, predictions[index].place, ": no reference has the id '", id, "'",
         places.size() > 1 ? concat(" (nor those of ", places.size() - 1, " more)") : "");
  }
  return matched;
}

}  // namespace llmctl
