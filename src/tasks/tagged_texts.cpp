#include "tasks/tagged_texts.h"

#include <utf8proc.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "base/whole_number.h"
#include "io/text_format.h"
#include "io/text_source.h"
#include "metrics/translation_words.h"
#include "tasks/records.h"
#include "text/unicode.h"

namespace llmctl {
namespace {

const std::vector<std::string> kTextFields = {"text", "sentence", "content", "review", "document"};
const std::vector<std::string> kTokenFields = {"tokens", "words"};
const std::vector<std::string> kTagFields = {"tags", "ner_tags", "labels"};
const std::vector<std::string> kSpanFields = {"entities", "spans", "labels", "label"};

/// Characters that stand beside others without a blank: Chinese ones, kana, full-width signs.
bool joins_without_blank(char32_t c) {
  return is_cjk(c) || (c >= 0x2E80 && c <= 0x30FF) || (c >= 0xFE30 && c <= 0xFE4F) ||
         (c >= 0xFF00 && c <= 0xFFEF);
}

bool is_kana(char32_t c) {
  return c >= 0x3040 && c <= 0x30FF;
}

/// Letters and digits that words are runs of.
bool in_run(char32_t c) {
  return is_alphanumeric(c) && !is_cjk(c) && !is_kana(c);
}

/// Whether a sign inside a run belongs to it: a hyphen, or a point or comma between digits, as most
/// CoNLL files have them. `behind` is the text behind the sign.
bool joins(char32_t before, char32_t sign, std::string_view behind) {
  if (behind.empty()) return false;
  std::size_t at = 0;
  const char32_t next = next_code_point(behind, at);
  if (sign == U'-' || sign == U'\u2010') return in_run(before) && in_run(next);
  return (sign == U'.' || sign == U',') && is_decimal_digit(before) && is_decimal_digit(next);
}

/// Accents and vowel signs, which go on with the word that they stand in.
bool is_word_mark(char32_t c) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC;
}

char32_t first_character(std::string_view text) {
  std::size_t at = 0;
  return next_code_point(text, at);
}

char32_t last_character(std::string_view text) {
  std::size_t at = text.size() - 1;
  while (at > 0 && (text[at] & 0xC0) == 0x80) --at;
  return next_code_point(text, at);
}

/// A text of words, with blanks between those that are not Chinese; the words in it. Words of
/// nothing but white space, which no token stands for, are empty at their place.
TaggedText join_words(std::span<const std::string> words) {
  TaggedText joined;
  joined.from_words = true;
  for (const std::string& word : words) {
    const std::string_view bare = trim(word);
    if (!bare.empty() && !joined.text.empty() &&
        !joins_without_blank(last_character(joined.text)) &&
        !joins_without_blank(first_character(bare)))
      joined.text += ' ';
    joined.words.push_back({joined.text.size(), joined.text.size() + bare.size()});
    joined.text += bare;
  }
  return joined;
}

void drop_empty_words(TaggedText& text) {
  std::erase_if(text.words, [](const ByteSpan& word) { return word.begin == word.end; });
}

/// The text that words with normal tags make.
TaggedText text_of_tags(std::span<const std::string> words, const TagSequence& tags) {
  TaggedText text = join_words(words);
  for (const Entity& entity : entities_of(tags)) {
    const std::size_t begin = text.words[entity.begin].begin;
    const std::size_t end = text.words[entity.end - 1].end;
    if (end > begin) text.entities.push_back({entity.type, begin, end});
  }
  drop_empty_words(text);
  return text;
}

/// Cuts words where an entity begins or ends in them.
void cut_words(TaggedText& text) {
  std::vector<std::size_t> cuts;
  for (const Entity& entity : text.entities) {
    cuts.push_back(entity.begin);
    cuts.push_back(entity.end);
  }
  std::vector<ByteSpan> words;
  auto cut = cuts.begin();
  for (ByteSpan word : text.words) {
    while (cut != cuts.end() && *cut <= word.begin) ++cut;
    for (; cut != cuts.end() && *cut < word.end; ++cut) {
      if (*cut == word.begin) continue;
      words.push_back({word.begin, *cut});
      word.begin = *cut;
    }
    words.push_back(word);
  }
  text.words = std::move(words);
}

std::string normal_tag_or_fail(const std::string& tag) {
  std::optional<std::string> normal = normal_tag(tag);
  require(normal.has_value(), ErrorCode::kData, "'", tag,
          "' is no tag (expected O, or B-, I-, E- or S- with a type behind it)");
  return *normal;
}

/// Words with tags, and where they stand.
struct TaggedWords {
  Json id;
  std::vector<std::string> words;
  TagSequence tags;
  std::string source;                ///< the file, or the place of the record
  std::vector<std::uint64_t> lines;  ///< of the words; none of a record
  std::string fault;                 ///< why it is a bad row; empty: nothing so far

  std::string place(std::size_t word) const {
    return lines.empty() ? source : concat(source, ":", lines[std::min(word, lines.size() - 1)]);
  }
};

/// Takes over the sentences of a file whose tags follow one another as its scheme has it.
void take(std::vector<TaggedWords> sentences, const std::filesystem::path& file, std::size_t index,
          BadRows& bad, TaggedTexts& out) {
  std::vector<TagSequence> tags;
  for (const TaggedWords& sentence : sentences)
    if (sentence.fault.empty()) tags.push_back(sentence.tags);
  const TagScheme scheme = scheme_of(tags);
  out.bioes = out.bioes || scheme == TagScheme::kBioes;
  if (scheme == TagScheme::kIob1)
    log_info(file.string(), ": entities begin with I-, and with B- only behind another (IOB1)");
  for (TaggedWords& sentence : sentences) {
    if (sentence.fault.empty()) {
      if (const auto misplaced = find_misplaced(sentence.tags, scheme)) {
        const std::size_t word = std::min(misplaced->index, sentence.words.size() - 1);
        sentence.fault = concat(sentence.place(word), ": ", misplaced->message);
      }
    }
    if (!sentence.fault.empty()) {
      bad.add(sentence.fault);
      continue;
    }
    TaggedText text = text_of_tags(sentence.words, sentence.tags);
    text.id = sentence.id.is_null() ? Json(out.texts.size()) : std::move(sentence.id);
    text.file = index;
    text.place = sentence.place(0);
    if (!text.words.empty()) out.texts.push_back(std::move(text));
  }
}

std::vector<std::string> columns_of(std::string_view line) {
  std::vector<std::string> columns;
  const bool tabs = line.find('\t') != line.npos;
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find(tabs ? '\t' : ' ', begin), line.size());
    if (tabs || end > begin) columns.emplace_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return columns;
}

/// Reads CoNLL files: a word and its tag in columns, blank lines between sentences.
class ConllReader {
 public:
  ConllReader(const std::filesystem::path& file, const TokenClassificationConfig& config)
      : file_(file), config_(config) {}

  std::vector<TaggedWords> read() {
    for_each_checked_line(file_,
                          [&](std::uint64_t number, std::string_view line, const Error* invalid) {
                            if (invalid != nullptr) {
                              note(invalid->what());
                            } else {
                              add(number, line);
                            }
                            return true;
                          });
    end_sentence();
    return std::move(sentences_);
  }

 private:
  void add(std::uint64_t number, std::string_view line) {
    if (trim(line).empty() || line.starts_with("-DOCSTART-")) return end_sentence();
    const std::vector<std::string> columns = columns_of(line);
    const auto tag_column =
        config_.tag_column > 0 ? static_cast<std::size_t>(config_.tag_column) : columns.size();
    const auto word_column = static_cast<std::size_t>(config_.word_column);
    const bool whole = columns.size() > 1 && columns.size() >= std::max(tag_column, word_column);
    // "# text = …"; a word "#" has its tag in its line.
    if (line.front() == '#' && (!whole || !normal_tag(columns[tag_column - 1]))) return;
    const auto note_here = [&](const auto&... parts) {
      note(concat(file_.string(), ":", number, ": ", parts...));
    };
    sentence_.lines.push_back(number);
    sentence_.words.push_back(whole ? columns[word_column - 1] : std::string(line));
    sentence_.tags.emplace_back("O");
    if (width_ == 0) width_ = columns.size();
    if (!whole) {
      note_here("expected a word and its tag in columns between blanks or tabs, got ",
                columns.size(), columns.size() == 1 ? " column" : " columns");
    } else if (columns.size() != width_) {
      note_here(columns.size(), " columns, the first line has ", width_);
    } else if (auto tag = normal_tag(columns[tag_column - 1])) {
      sentence_.tags.back() = std::move(*tag);
    } else {
      note_here("'", columns[tag_column - 1],
                "' is no tag (expected O, or B-, I-, E- or S- with a type behind it)");
    }
  }

  /// The first fault of a sentence is told.
  void note(const std::string& fault) {
    if (sentence_.fault.empty()) sentence_.fault = fault;
  }

  void end_sentence() {
    sentence_.source = file_.string();
    if (!sentence_.words.empty() || !sentence_.fault.empty())
      sentences_.push_back(std::move(sentence_));
    sentence_ = {};
  }

  const std::filesystem::path& file_;
  const TokenClassificationConfig& config_;
  std::size_t width_ = 0;  // columns of the first line
  TaggedWords sentence_;
  std::vector<TaggedWords> sentences_;
};

std::optional<std::string> token_field(const Record& record,
                                       const TokenClassificationConfig& config) {
  const auto field = find_field(record, config.tokens_field, kTokenFields);
  const bool listed = field && record.has(*field) && record.value.at(*field).is_array();
  return listed || config.tokens_field ? field : std::nullopt;
}

std::vector<std::string> words_of_record(const Record& record, const std::string& field) {
  std::vector<std::string> words;
  if (!record.has(field)) record.text(field);  // says what is missing
  if (!record.value.at(field).is_array()) record.fail("field '" + field + "': expected a list");
  for (const Json& word : record.value.at(field)) {
    if (!word.is_string()) record.fail("field '" + field + "': expected a list of words");
    words.push_back(word.get<std::string>());
  }
  return words;
}

std::optional<std::int64_t> whole_number_of(const Json& value) {
  if (value.is_number_integer()) return value.get<std::int64_t>();
  return value.is_number() ? whole_number(value.get<double>()) : std::nullopt;
}

/// The value of a field that holds `what`; `names` are those looked for, and the task's key names
/// another one. `none` tells how a record says that it has none.
const Json& value_of(const Record& record, const std::optional<std::string>& field,
                     const std::string& what, const std::vector<std::string>& names,
                     const std::string& key, const std::string& none) {
  if (field && record.has(*field)) return record.value.at(*field);
  if (field && record.value.contains(*field)) record.fail("field '" + *field + "' is null" + none);
  record.fail("no field with the " + what + " (looked for " + join(names) + "; it has " +
              record.fields() + ")" + field_remedy(key));
}

std::string tag_of(const Json& tag, const TokenClassificationConfig& config,
                   const std::string& place) {
  if (tag.is_string()) return normal_tag_or_fail(tag.get<std::string>());
  const std::optional<std::int64_t> number = whole_number_of(tag);
  require(number.has_value(), ErrorCode::kData, "expected tags, got ", dump_json(tag));
  require(!config.labels.empty(), ErrorCode::kConfig, place,
          ": the tags are numbers; name them in task.labels, in the order of their ids");
  const std::int64_t id = *number;
  require(id >= 0 && id < std::ssize(config.labels), ErrorCode::kData, "the tag ", id,
          " has no name in task.labels, which has ", config.labels.size());
  return normal_tag_or_fail(config.labels[static_cast<std::size_t>(id)]);
}

TaggedWords read_tagged_words(const Record& record, const std::string& field,
                              const TokenClassificationConfig& config) {
  TaggedWords sentence;
  sentence.source = record.place;
  if (record.has("id")) sentence.id = record.value.at("id");
  sentence.words = words_of_record(record, field);
  const auto tags_field = find_field(record, config.tags_field, kTagFields);
  const Json& tags = value_of(record, tags_field, "tags", kTagFields, "tags_field", "");
  if (!tags.is_array()) record.fail("field '" + *tags_field + "': expected a list of tags");
  if (tags.size() != sentence.words.size()) {
    record.fail(concat(sentence.words.size(), " words in '", field, "' and ", tags.size(),
                       " tags in '", *tags_field, "'"));
  }
  if (tags.empty()) record.fail("no words");
  for (const Json& tag : tags) sentence.tags.push_back(tag_of(tag, config, record.place));
  return sentence;
}

std::string text_of_record(const Record& record, const TokenClassificationConfig& config) {
  const auto field = find_field(record, config.text_field, kTextFields);
  if (!field) {
    record.fail("no field with the text (looked for " + join(kTextFields) + ", or for words in " +
                join(kTokenFields) + "; it has " + record.fields() + ")" +
                field_remedy("text_field"));
  }
  return record.text(*field);
}

TaggedText read_text_with_spans(const Record& record, const TokenClassificationConfig& config) {
  TaggedText text;
  text.text = text_of_record(record, config);
  if (trim(text.text).empty()) record.fail("the text is empty");
  const auto field = find_field(record, config.spans_field, kSpanFields);
  const Json& spans =
      value_of(record, field, "spans", kSpanFields, "spans_field", " ([] for none)");
  text.entities = read_spans(spans, text.text, true);
  text.words = words_of_text(text.text);
  cut_words(text);
  if (record.has("id")) text.id = record.value.at("id");
  return text;
}

/// Runs `read` on a record; a kData error that it throws gets the record's place.
template <class Read>
void at_place(const Record& record, Read read) {
  try {
    read();
  } catch (const Error& error) {
    const std::string message = error.what();
    if (error.code() != ErrorCode::kData || message.starts_with(record.place)) throw;
    record.fail(message);
  }
}

void read_records(const std::filesystem::path& file, std::size_t index,
                  const TokenClassificationConfig& config, BadRows& bad, TaggedTexts& out) {
  std::vector<TaggedWords> sentences;
  const auto read = [&](const Record& record) {
    at_place(record, [&] {
      if (const auto field = token_field(record, config)) {
        out.tokens = true;
        sentences.push_back(read_tagged_words(record, *field, config));
        return;
      }
      out.spans = true;
      TaggedText text = read_text_with_spans(record, config);
      if (text.id.is_null()) text.id = out.texts.size();
      text.file = index;
      text.place = record.place;
      out.texts.push_back(std::move(text));
    });
  };
  for_each_labelled_record(file, read, bad);
  take(std::move(sentences), file, index, bad, out);
}

/// Words between blanks, a sentence a line.
void read_segmented(const std::filesystem::path& file, std::size_t index, BadRows& bad,
                    TaggedTexts& out) {
  bool any_blank = false;
  const auto read = [&](std::uint64_t number, std::string_view line, const Error* invalid) {
    if (invalid != nullptr) {
      bad.add(invalid->what());
      return true;
    }
    std::vector<std::string> words;
    for (const std::string_view word : split_words(line)) words.emplace_back(word);
    if (words.empty()) return true;
    any_blank = any_blank || words.size() > 1;
    TaggedText text = join_words(words);
    text.from_words = false;
    for (const ByteSpan& word : text.words)
      text.entities.push_back({kUntyped, word.begin, word.end});
    text.words = words_of_text(text.text);
    cut_words(text);
    text.id = out.texts.size();
    text.file = index;
    text.place = concat(file.string(), ":", number);
    out.texts.push_back(std::move(text));
    return true;
  };
  for_each_checked_line(file, read);
  require(any_blank, ErrorCode::kData, file.string(),
          ": no line has blanks between words; expected a segmented text");
  out.bioes = true;
}

/// A member under the first of some names that the object has; null where it has none.
const Json& member_of(const Json& object, std::initializer_list<const char*> names) {
  static const Json kNone;
  for (const char* name : names)
    if (object.contains(name) && !object.at(name).is_null()) return object.at(name);
  return kNone;
}

struct GivenSpan {
  std::int64_t begin = 0, end = 0;
  std::string label = kUntyped;
};

GivenSpan given_span(const Json& span, bool need_label) {
  const bool listed = span.is_array() && (span.size() == 3 || (span.size() == 2 && !need_label));
  require(listed || span.is_object(), ErrorCode::kData,
          "expected a span {\"start\": 0, \"end\": 5, \"label\": \"PER\"}, got ", dump_json(span));
  static const Json kNone;
  const Json& begin = listed ? span.at(0) : member_of(span, {"start", "start_offset"});
  const Json& end = listed ? span.at(1) : member_of(span, {"end", "end_offset"});
  const Json& label = !listed            ? member_of(span, {"label", "type", "entity_group", "tag"})
                      : span.size() == 3 ? span.at(2)
                                         : kNone;
  require(begin.is_number() && end.is_number(), ErrorCode::kData,
          "a span needs 'start' and 'end' in characters, got ", dump_json(span));
  const auto offset_of = [&](const Json& value) {
    const std::optional<std::int64_t> offset = whole_number_of(value);
    require(offset.has_value(), ErrorCode::kData, dump_json(value),
            " is no whole number of characters, in the span ", dump_json(span));
    return *offset;
  };
  require(label.is_string() ? !label.get_ref<const std::string&>().empty()
                            : label.is_null() && !need_label,
          ErrorCode::kData, "a span needs a 'label', got ", dump_json(span));
  GivenSpan given{offset_of(begin), offset_of(end), kUntyped};
  if (label.is_string()) given.label = label.get<std::string>();
  return given;
}

}  // namespace

std::vector<Entity> read_spans(const Json& spans, std::string_view text, bool need_label) {
  require(spans.is_array(), ErrorCode::kData, "expected a list of spans, got ", dump_json(spans));
  const std::vector<std::size_t> offsets = code_point_offsets(text);
  const auto length = static_cast<std::int64_t>(offsets.size()) - 1;
  std::vector<Entity> entities;
  for (const Json& span : spans) {
    const GivenSpan given = given_span(span, need_label);
    require(given.begin >= 0 && given.begin < given.end && given.end <= length, ErrorCode::kData,
            "the span ", given.begin, " to ", given.end, " (", given.label,
            ") is no part of a text of ", length, " characters");
    const std::size_t begin = offsets[static_cast<std::size_t>(given.begin)];
    const std::size_t end = offsets[static_cast<std::size_t>(given.end)];
    const std::string_view whole = text.substr(begin, end - begin);
    const std::string_view bare = trim(whole);
    require(!bare.empty(), ErrorCode::kData, "the span ", given.begin, " to ", given.end, " (",
            given.label, ") is nothing but white space");
    if (span.is_object() && span.contains("text") && span.at("text").is_string()) {
      const std::string said = span.at("text").get<std::string>();
      require(trim(said) == bare, ErrorCode::kData, "the span ", given.begin, " to ", given.end,
              " is '", bare, "', not '", said, "'");
    }
    const auto at = static_cast<std::size_t>(bare.data() - text.data());
    entities.push_back({given.label, at, at + bare.size()});
  }
  std::sort(entities.begin(), entities.end(),
            [](const Entity& a, const Entity& b) { return a.begin < b.begin; });
  for (std::size_t i = 1; i < entities.size(); ++i) {
    const auto named = [&](const Entity& entity) {
      return concat("'", text.substr(entity.begin, entity.end - entity.begin), "' (", entity.type,
                    ")");
    };
    require(entities[i].begin >= entities[i - 1].end, ErrorCode::kData, "the spans ",
            named(entities[i - 1]), " and ", named(entities[i]), " overlap");
  }
  return entities;
}

std::vector<ByteSpan> words_of_text(std::string_view text) {
  std::vector<ByteSpan> words;
  bool inside = false;
  char32_t before = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const char32_t c = next_code_point(text, at);
    if (is_space(c)) {
      inside = false;
    } else if (in_run(c) || (inside && (is_word_mark(c) || joins(before, c, text.substr(at))))) {
      if (!inside) words.push_back({begin, begin});
      words.back().end = at;
      inside = true;
    } else {
      words.push_back({begin, at});
      inside = false;
    }
    before = c;
  }
  return words;
}

void read_tagged_texts(const std::filesystem::path& file, std::size_t index,
                       const TokenClassificationConfig& config, BadRows& bad, TaggedTexts& out) {
  std::string format = config.format;
  if (format == "auto") {
    const std::string found = text_format(file);
    format = found == "jsonl" || found == "json" ? "records" : "conll";
    require(format == "records" || found == "text" || found == "tsv", ErrorCode::kData,
            file.string(), ": a ", found,
            " file; expected JSON Lines or JSON with spans or tags, or a word and its tag a line "
            "(task.format conll)");
  }
  if (format == "segmented") return read_segmented(file, index, bad, out);
  if (format == "records") return read_records(file, index, config, bad, out);
  out.columns = true;
  take(ConllReader(file, config).read(), file, index, bad, out);
}

void check_reading(const TokenClassificationConfig& config,
                   std::initializer_list<const TaggedTexts*> read) {
  const TokenClassificationConfig usual;
  const auto check = [&](bool given, bool TaggedTexts::*of, const char* key, const char* what) {
    const bool used =
        std::any_of(read.begin(), read.end(), [&](const TaggedTexts* one) { return one->*of; });
    require(!given || used, ErrorCode::kConfig, "task.", key, ": is of ", what,
            ", and no file has any; leave it out");
  };
  const char* lines = "lines with columns (conll)";
  check(config.word_column != usual.word_column, &TaggedTexts::columns, "word_column", lines);
  check(config.tag_column != usual.tag_column, &TaggedTexts::columns, "tag_column", lines);
  const char* words = "records with tokens";
  check(config.tokens_field.has_value(), &TaggedTexts::tokens, "tokens_field", words);
  check(config.tags_field.has_value(), &TaggedTexts::tokens, "tags_field", words);
  check(config.spans_field.has_value(), &TaggedTexts::spans, "spans_field", "records with spans");
}

TaggedText read_tagged_input(const AnswerInput& input, const TokenClassificationConfig& config) {
  const Record record{input.place, input.record};
  if (const auto field = token_field(record, config)) {
    TaggedText text = join_words(words_of_record(record, *field));
    drop_empty_words(text);
    return text;
  }
  TokenClassificationConfig own = config;
  own.text_field = field_of_input(record, config.text_field);
  TaggedText text;
  text.text = text_of_record(record, own);
  text.words = words_of_text(text.text);
  return text;
}

}  // namespace llmctl
