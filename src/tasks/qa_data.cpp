#include "tasks/qa_data.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "base/white_space.h"
#include "base/whole_number.h"
#include "io/text_format.h"
#include "io/text_source.h"
#include "tasks/qa_text.h"
#include "tasks/records.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

/// A value of a file and the way to it, for errors.
class Place {
 public:
  /// `origin`: the file, or its line where a line is a value of its own.
  Place(const std::string& origin, const Json& value, std::string path)
      : origin_(origin), value_(value), path_(std::move(path)) {}

  const Json& value() const { return value_; }
  std::string text_of_place() const { return path_.empty() ? origin_ : origin_ + ": " + path_; }
  [[noreturn]] void fail(const std::string& message) const {
    llmctl::fail(ErrorCode::kData, text_of_place(), ": ", message);
  }
  /// The member of this name, in whatever case; null where there is none.
  const Json* find(const char* key) const {
    if (!value_.is_object()) return nullptr;
    if (value_.contains(key)) return &value_.at(key);
    for (const auto& [name, member] : value_.items()) {
      if (equal_ignoring_case(name, key)) return &member;
    }
    return nullptr;
  }
  bool has(const char* key) const {
    const Json* const member = find(key);
    return member && !member->is_null();
  }
  /// The first of `keys` that is there; kData when none is.
  Place member(std::initializer_list<const char*> keys) const {
    if (!value_.is_object()) fail(std::string("expected an object, got ") + value_.type_name());
    for (const char* key : keys) {
      if (has(key)) return {origin_, *find(key), path_.empty() ? key : path_ + "." + key};
    }
    fail(concat("no field '", *keys.begin(), "' (it has ", fields(), ")"));
  }
  /// The names of its fields, for errors: "a, b, c".
  std::string fields() const { return Record{origin_, value_}.fields(); }
  Place element(std::size_t i) const {
    return {origin_, value_[i], path_ + "[" + std::to_string(i) + "]"};
  }
  const Place& array() const {
    if (!value_.is_array()) fail(std::string("expected a list, got ") + value_.type_name());
    return *this;
  }
  std::size_t size() const { return value_.size(); }
  std::string text() const {
    if (value_.is_string()) return value_.get<std::string>();
    if (value_.is_number_integer()) return dump_json(value_);
    fail(std::string("expected text, got ") + value_.type_name());
  }
  std::int64_t integer() const {
    if (!value_.is_number()) fail(concat("expected an integer, got ", value_.type_name()));
    return integral(value_.get<double>());
  }
  /// The same of a table's cell: where some are empty pandas writes "12.0".
  std::int64_t integer_of_cell() const {
    if (!value_.is_string()) return integer();
    const auto number = parse_number(trim(value_.get_ref<const std::string&>()));
    return integral(number.value_or(std::numeric_limits<double>::quiet_NaN()));
  }
  /// True, as JSON or a table spells it.
  bool is_true() const {
    if (value_.is_string())
      return equal_ignoring_case(value_.get<std::string>(), "true") || value_ == "1";
    return value_ == true || value_ == 1;
  }
  /// The same of what may not be empty.
  std::string filled_text() const {
    std::string filled = text();
    if (is_blank(filled)) fail("is empty");
    return filled;
  }

 private:
  std::int64_t integral(double number) const {
    const auto whole = whole_number(number);
    if (!whole) fail(concat("expected an integer, got ", dump_json(value_)));
    return *whole;
  }

  const std::string& origin_;
  const Json& value_;
  std::string path_;
};

/// An answer and where its file says that it begins.
struct Answer {
  std::string text;
  std::optional<std::int64_t> start;  ///< code points
};

Answer read_answer(const Place& place) {
  if (place.value().is_string()) return {place.text(), std::nullopt};
  Answer answer{place.member({"text"}).text(), std::nullopt};
  if (place.has("answer_start")) answer.start = place.member({"answer_start"}).integer();
  return answer;
}

/// A list of answers, or columns of texts and starts.
std::vector<Answer> read_answers(const Place& place) {
  std::vector<Answer> answers;
  if (place.value().is_string()) return {read_answer(place)};
  if (place.value().is_object()) {
    const Place texts = place.member({"text"});
    if (texts.value().is_string()) return {read_answer(place)};
    texts.array();
    for (std::size_t i = 0; i < texts.size(); ++i) {
      answers.push_back({texts.element(i).text(), std::nullopt});
      if (!place.has("answer_start")) continue;
      const Place starts = place.member({"answer_start"}).array();
      if (starts.size() != texts.size()) {
        starts.fail(concat("expected ", texts.size(), " numbers, got ", starts.size()));
      }
      answers.back().start = starts.element(i).integer();
    }
    return answers;
  }
  place.array();
  for (std::size_t i = 0; i < place.size(); ++i) answers.push_back(read_answer(place.element(i)));
  return answers;
}

/// The answers of a question. Where they are texts, their answer_start is beside them in the
/// record: a number, or a list of numbers.
std::vector<Answer> read_answers_of(const Place& record) {
  const Place place = record.member({"answers", "answer"});
  std::vector<Answer> answers = read_answers(place);
  const Json& value = place.value();
  const bool texts =
      value.is_string() ||
      (value.is_array() &&
       std::all_of(value.begin(), value.end(), [](const Json& one) { return one.is_string(); }));
  const bool none = std::all_of(answers.begin(), answers.end(),
                                [](const Answer& answer) { return is_blank(answer.text); });
  if (!texts || none || !record.has("answer_start")) return answers;
  const Place starts = record.member({"answer_start"});
  // A table has an empty cell where there is none.
  if (starts.value().is_string() && is_blank(starts.value().get_ref<const std::string&>()))
    return answers;
  const bool list = starts.value().is_array();
  const std::size_t count = list ? starts.size() : 1;
  if (count != answers.size())
    starts.fail(concat("expected ", answers.size(), " numbers, one for each answer, got ", count));
  for (std::size_t i = 0; i < count; ++i)
    answers[i].start = list ? starts.element(i).integer() : starts.integer_of_cell();
  return answers;
}

/// A passage with what finding answers in it needs.
struct Passage {
  explicit Passage(const std::string& passage)
      : text(passage), offsets(code_point_offsets(passage)) {}

  const std::string& text;
  std::vector<std::size_t> offsets;

  /// The occurrence nearest to code point `start` (the first one if there is no start), in bytes.
  std::optional<ByteSpan> find(const std::string& answer, std::optional<std::int64_t> start) const {
    std::optional<ByteSpan> best;
    std::int64_t best_distance = 0;
    for (std::size_t at = text.find(answer); at != std::string::npos;
         at = text.find(answer, at + 1)) {
      const auto point = std::lower_bound(offsets.begin(), offsets.end(), at) - offsets.begin();
      const std::int64_t distance = start ? std::abs(point - *start) : point;
      if (best && distance >= best_distance) break;
      best = ByteSpan{at, at + answer.size()};
      best_distance = distance;
    }
    return best;
  }
};

/// Sets the references and the span of an item.
void place_answers(const std::vector<Answer>& answers, const Passage& passage, QaData& data,
                   QaItem& item) {
  for (const Answer& answer : answers) {
    const std::string text(trim(answer.text));
    if (text.empty()) continue;
    item.answers.push_back(text);
    if (item.span) continue;
    item.span = passage.find(text, answer.start);
    if (!item.span || !answer.start) continue;
    const auto point =
        std::lower_bound(passage.offsets.begin(), passage.offsets.end(), item.span->begin) -
        passage.offsets.begin();
    const auto shift = static_cast<std::int64_t>(answer.text.find(text));  // white space before it
    if (point != *answer.start + shift) ++data.moved;
  }
}

void read_item(const Place& place, const Passage& passage, std::size_t context, QaData& data) {
  QaItem item;
  item.context = context;
  item.place = place.text_of_place();
  item.question = place.member({"question", "query_text", "query"}).filled_text();
  if (place.has("id") || place.has("query_id")) {
    item.id = place.member({"id", "query_id"}).text();
  } else {
    item.id = std::to_string(data.items.size());
  }
  const bool impossible = place.has("is_impossible") && place.member({"is_impossible"}).is_true();
  if (!impossible && (place.has("answers") || place.has("answer"))) {
    place_answers(read_answers_of(place), passage, data, item);
  } else if (!impossible && !place.find("answers") && !place.find("answer")) {
    // Taken for a question without answer, it would teach the model to give none.
    place.fail(concat("no field 'answers' or 'answer' (it has ", place.fields(),
                      "); a question without answer has an empty one, or is_impossible true"));
  }
  data.items.push_back(std::move(item));
}

/// An element with its own passage: a paragraph of SQuAD, an element of CMRC 2018, or a flat
/// record.
void read_passage(const Place& place, BadRows& bad, QaData& data) {
  const std::size_t context = data.contexts.size();
  data.contexts.push_back(place.member({"context", "context_text"}).filled_text());
  const Passage passage(data.contexts.back());
  if (!place.has("qas")) {
    read_item(place, passage, context, data);
    return;
  }
  const Place items = place.member({"qas"}).array();
  for (std::size_t i = 0; i < items.size(); ++i)
    bad.attempt([&] { read_item(items.element(i), passage, context, data); });
}

void read_element(const Place& place, BadRows& bad, QaData& data) {
  if (!place.has("paragraphs")) {
    read_passage(place, bad, data);
    return;
  }
  const Place paragraphs = place.member({"paragraphs"}).array();
  for (std::size_t i = 0; i < paragraphs.size(); ++i)
    bad.attempt([&] { read_passage(paragraphs.element(i), bad, data); });
}

/// Of a flat record; nested ones have fields of their own at every depth.
void tell_unused_qa_fields(const std::filesystem::path& file, const Record& record) {
  static constexpr std::array kRead = {"id",     "query_id",     "question",     "query_text",
                                       "query",  "context",      "context_text", "answers",
                                       "answer", "answer_start", "is_impossible"};
  const Place place(record.place, record.value, "");
  if (!record.value.is_object() || place.has("paragraphs") || place.has("qas")) return;
  std::vector<std::string> used;
  for (const auto& [name, member] : record.value.items()) {
    if (std::any_of(kRead.begin(), kRead.end(),
                    [&name = name](const char* read) { return equal_ignoring_case(name, read); }))
      used.push_back(name);
  }
  tell_unused_fields(file, record, used);
}

void read_text_passage(const QaTextPassage& block, QaData& data) {
  const std::size_t context = data.contexts.size();
  data.contexts.push_back(block.context);
  const Passage passage(data.contexts.back());
  for (const QaTextQuestion& asked : block.questions) {
    QaItem item;
    item.id = std::to_string(data.items.size());
    item.question = asked.question;
    item.context = context;
    item.place = asked.place;
    std::vector<Answer> answers;
    for (const std::string& answer : asked.answers) answers.push_back({answer, std::nullopt});
    place_answers(answers, passage, data, item);
    data.items.push_back(std::move(item));
  }
}

bool lacks_its_answer(const QaItem& item) {
  return !item.answers.empty() && !item.span;
}

/// What the file's name says of it, where its end says nothing to text_format().
std::string qa_format(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  if (name.find(".jsonl") != name.npos || name.find(".ndjson") != name.npos) return "jsonl";
  if (text_extension(file) == ".json") return "json";
  return text_format(file);
}

}  // namespace

bool QaData::has_unanswerable() const {
  return std::any_of(items.begin(), items.end(),
                     [](const QaItem& item) { return item.answers.empty(); });
}

void read_qa_file(const std::filesystem::path& file, BadRows& bad, QaData& data) {
  const std::string format = qa_format(file);
  if (format == "text") {
    for_each_qa_passage(
        file, [&](QaTextPassage& block) { read_text_passage(block, data); }, bad);
    return;
  }
  if (format != "json") {
    bool first = true;
    for_each_labelled_record(
        file,
        [&](const Record& record) {
          if (std::exchange(first, false)) tell_unused_qa_fields(file, record);
          read_element(Place(record.place, record.value, ""), bad, data);
        },
        bad);
    return;
  }
  const Json document = load_json(file);
  const std::string origin = file.string();
  const Place root(origin, document, "");
  const Place list = document.is_array() ? root : root.member({"data"}).array();
  if (list.size() > 0) tell_unused_qa_fields(file, {origin, list.element(0).value()});
  for (std::size_t i = 0; i < list.size(); ++i)
    bad.attempt([&] { read_element(list.element(i), bad, data); });
}

void warn_of_unfound_answers(const QaData& data) {
  const auto first = std::find_if(data.items.begin(), data.items.end(), lacks_its_answer);
  if (first == data.items.end()) return;
  log_warning("question answering: the answers of ",
              std::count_if(first, data.items.end(), lacks_its_answer), " of ", data.items.size(),
              " questions that are scored do not occur in their passages (first ", first->place,
              ": '", first->answers.front(), "'); no marked answer is right there");
}

void drop_unfound_answers(QaData& data, BadRows& bad) {
  std::erase_if(data.items, [&](const QaItem& item) {
    if (!lacks_its_answer(item)) return false;
    bad.add(concat(item.place, ": the answer '", item.answers.front(),
                   "' does not occur in the passage (id '", item.id, "')"));
    return true;
  });
}

void drop_repeated_ids(QaData& data, BadRows& bad) {
  std::set<std::string> seen;
  std::erase_if(data.items, [&](const QaItem& item) {
    if (seen.insert(item.id).second) return false;
    bad.add(concat(item.place, ": id '", item.id, "' occurs twice"));
    return true;
  });
}

std::vector<Prediction> read_qa_predictions(const std::filesystem::path& file) {
  if (text_extension(file) != ".json") return read_predictions(file);
  const Json document = load_json(file);
  if (!document.is_object()) return read_predictions(file);
  std::vector<Prediction> predictions;
  for (const auto& [id, answer] : document.items())
    predictions.push_back({id, answer, concat(file.string(), ", id '", id, "'")});
  return predictions;
}

}  // namespace llmctl
